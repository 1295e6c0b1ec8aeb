"""A simulator of the Azure Functions host. The app runs on Microsoft's worker library; everything else is simulated.

README.md describes its behaviour and limits. On the command line it runs on the machine's clock (`command`), in tests
on a simulated one:

    clock = SimulatedClock(datetime(2026, 1, 31, 5, 59, tzinfo=UTC))
    with Host(folder, {"EXPORT_SCHEDULE": "0 0 6 * * *"}, clock=clock) as host:
        host.advance(timedelta(hours=1))      # the timer fires at six, and all messages are processed
        host.queues["exports"].messages
"""

import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Self

from emulators.host.calls import Calls, Clock, Invocation, LogLine, WorkerError
from emulators.host.front import Front, Keys
from emulators.host.functions import Function, QueueTrigger, TimerTrigger, read_function
from emulators.host.host_json import HostJson, HostJsonError, read_host_json
from emulators.host.http_server import HttpAnswer, HttpRequest, HttpServer
from emulators.host.listeners import Queues
from emulators.host.process import Plain
from emulators.host.queues import Message, encode
from emulators.host.triggers import Triggers

if TYPE_CHECKING:
    from emulators.host.timers import ScheduleStatus

RUNNING, ERROR, STOPPED = "Running", "Error", "Stopped"
_PATIENCE_SECONDS = 60.0
_LOCAL_PORT = 7071  # Core Tools' own


class SimulatedClock:
    """A clock that stands still until it is advanced.

    Args:
        now: the first instant; aware.
    """

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now

    def advance(self, by: timedelta) -> None:
        """Advance the clock without a host, as in an outage or while a machine is off."""
        self.now += by


class Host:
    """One host with one function app. It can be started again after a stop: it keeps queues and timers' statuses.

    Args:
        folder: the app's, with function_app.py and host.json.
        environ: the app settings: the worker's whole environment, and the values of `%NAME%`.
        clock: the host's time; the app itself uses the machine's.
        keys: required of callers; None accepts every request.
        port: for HTTP on 127.0.0.1; 0 for a free one.
        prelude: a Python program that the worker runs before it indexes the app, for example to shorten its waits.
        echo: called with each line of the log.
    """

    def __init__(
        self,
        folder: Path,
        environ: Mapping[str, str],
        *,
        clock: Clock,
        keys: Keys | None = None,
        port: int = 0,
        prelude: Path | None = None,
        echo: Callable[[LogLine], None] | None = None,
    ) -> None:
        self._folder, self._settings = folder.resolve(), dict(environ)
        self._clock, self._keys, self._port = clock, keys, port
        self._prelude, self._echo = prelude, echo
        self._changed = threading.Condition()
        self._stored: dict[str, ScheduleStatus] = {}
        self._host_json = HostJson()
        self._server: HttpServer | None = None
        self._calls: Calls | None = None
        self._triggers: Triggers | None = None
        self._front: Front | None = None
        self._state = STOPPED
        self.queues = Queues()
        self.log: list[LogLine] = []
        self.invocations: list[Invocation] = []
        self.functions: dict[str, Function] = {}

    @property
    def state(self) -> str:
        """`Running`, `Stopped`, or `Error` if host.json is invalid or no worker process stays up."""
        return ERROR if self._state == RUNNING and not (self._calls and self._calls.up) else self._state

    @property
    def url(self) -> str:
        """The address for HTTP."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def worker_pid(self) -> int | None:
        """The worker's process id, or None if there is no worker."""
        return self._calls.pid if self._calls else None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Index the app and begin to listen. With an app that cannot be indexed, the host runs with 0 functions."""
        self._server = HttpServer(self._port, self._answer)
        self._port = self._server.address[1]
        self._server.start()
        try:
            self._start_app()
        except BaseException:
            self.stop()
            raise

    def _start_app(self) -> None:
        environ = {"WEBSITE_HOSTNAME": f"localhost:{self._port}", "FUNCTIONS_WORKER_RUNTIME": "python"}
        with self._changed:
            self._calls = Calls(
                self._folder,
                environ | self._settings,
                self.queues,
                prelude=self._prelude,
                changed=self._changed,
                clock=self._clock,
                log=self._write,
                made=self.invocations,
            )
            try:
                self._host_json = read_host_json(self._folder)
                self.queues.is_base64 = self._host_json.is_base64
                index = self._calls.start()
            except (HostJsonError, WorkerError) as error:
                self._state = ERROR
                self._calls.write("ERROR", f"The host cannot start: {error}")
                return
            functions = [read_function(found, self._settings, self._host_json.route_prefix) for found in index]
            self.functions = {function.name: function for function in functions}
            self._listen(self._calls)
            self._state = RUNNING
            self._calls.write("INFO", f"The host is running with {len(functions)} functions")
            self._changed.notify_all()

    def stop(self) -> None:
        """Stop at once and abort running calls; their messages stay hidden until their time is over."""
        with self._changed:
            self._state = STOPPED
            if self._triggers:
                self._triggers.stop()
                self._stored |= self._triggers.stored
            calls = self._calls
            self._changed.notify_all()
        if calls:
            calls.stop()
        if self._server:
            self._server.stop()
        self._server = self._calls = self._triggers = self._front = None

    def _listen(self, calls: Calls) -> None:
        for function in self.functions.values():
            if function.problem:
                calls.write("ERROR", f"The function {function.name} is in error: {function.problem}", function.name)
        on = {name: function for name, function in self.functions.items() if not function.problem}
        self._triggers = Triggers(
            on, self._stored, queues=self.queues, host_json=self._host_json, calls=calls, clock=self._clock
        )
        self._front = Front(on.values(), self._keys, self._call_http, self._trigger)

    # Time

    def dispatch(self) -> bool:
        """Start everything that is due, without waiting for its end; return whether anything was due."""
        with self._changed:
            if self.state != RUNNING or not (self._triggers and self._calls):
                return False
            made = len(self.invocations)
            self._triggers.renew()
            self._calls.end_overdue(self._host_json.function_timeout)
            self._triggers.start_due()
            return len(self.invocations) > made

    def run_until_idle(self, *, patience_seconds: float = _PATIENCE_SECONDS) -> None:
        """Run to completion what is due at this instant, and what follows from it.

        Raises:
            TimeoutError: no running call has ended within the patience.
        """
        with self._changed:
            while self.dispatch() or self.running:
                self._wait_for_one(self.running, patience_seconds)

    def _wait_for_one(self, running: list[Invocation], patience_seconds: float) -> None:
        """Wait until one of these calls is over: the next call need not wait for the others."""
        self.wait_until(
            lambda: not running or any(call.ok is not None for call in running), patience_seconds=patience_seconds
        )

    def advance(self, by: timedelta, *, wait: bool = True) -> None:
        """Advance simulated time, from one due instant to the next.

        Args:
            by: the time to pass.
            wait: whether everything due at an instant runs to completion before time goes on.

        Raises:
            TypeError: the clock is not simulated.
        """
        if not isinstance(self._clock, SimulatedClock):
            raise TypeError("only a simulated clock can be advanced")
        settle: Callable[[], object] = self.run_until_idle if wait else self.dispatch
        end = self._clock.now + by
        settle()
        while (due := self._next_due(self._clock.now)) is not None and due <= end:
            self._clock.now = due
            settle()
        self._clock.now = end
        settle()

    def wait_until(self, seen: Callable[[], bool], *, patience_seconds: float = _PATIENCE_SECONDS) -> None:
        """Wait until a condition holds, such as a line in the log.

        Raises:
            TimeoutError: it does not hold within the patience.
        """
        with self._changed:
            if not self._changed.wait_for(seen, patience_seconds):
                raise TimeoutError(f"the condition does not hold; running: {[call.function for call in self.running]}")

    def serve(self) -> None:
        """Run on the clock's time until the host is stopped."""
        with self._changed:
            while self.state == RUNNING:
                now = self._clock()
                self.dispatch()
                due = self._next_due(now)
                seconds = None if due is None else max(0.0, (due - self._clock()).total_seconds())
                self._changed.wait(seconds)

    def _next_due(self, now: datetime) -> datetime | None:
        """Return the next instant after one at which something is due."""
        with self._changed:
            due = list(self._triggers.due(now)) if self._triggers else []
            if self._host_json.function_timeout is not None:
                due += [call.started_at + self._host_json.function_timeout for call in self.running]
            return min((instant for instant in due if instant > now), default=None)

    # What a test or a developer does

    @property
    def running(self) -> list[Invocation]:
        """The calls that run now."""
        return self._calls.running if self._calls else []

    def put(self, queue: str, text: str) -> Message:
        """Send a message in the host's encoding, as the app's callers do."""
        return self.put_raw(queue, encode(text, is_base64=self.queues.is_base64))

    def put_raw(self, queue: str, body: str) -> Message:
        """Send a message with this body, base64 or not."""
        with self._changed:
            self._changed.notify_all()
            return self.queues.written(queue).put(body, self._clock())

    def fire(self, name: str, *, at: datetime | None = None, past_due: bool = False) -> Invocation:
        """Call a timer's function now, outside its schedule, and wait for the first attempt; retries run when due.

        Args:
            name: of the function.
            at: the occurrence to pass to it (`Next`); default: the schedule's next one.
            past_due: the flag to pass to it.

        Raises:
            KeyError: there is no such timer.
            TimeoutError: the call does not end.
        """
        with self._changed:
            return self._finished(self._up(self._triggers).fire(name, at=at, past_due=past_due))

    def invoke(self, name: str, text: str) -> Invocation:
        """Call a queue function with a text, without a queue, and wait for its end.

        Raises:
            KeyError: there is no such function.
            TimeoutError: the call does not end.
        """
        with self._changed:
            return self._finished(self._up(self._triggers).invoke(self.functions[name], text))

    def kill_worker(self) -> None:
        """Kill the worker process with SIGKILL; return when its calls have failed and the next process exists."""
        with self._changed:
            self._up(self._calls).kill()

    @staticmethod
    def _up[T](part: T | None) -> T:
        if part is None:
            raise RuntimeError("the host is not running")
        return part

    def _finished(self, invocation: Invocation) -> Invocation:
        self.wait_until(lambda: invocation.ok is not None)
        return invocation

    def _call_http(self, function: Function, plain: Plain) -> Plain | None:
        with self._changed:
            invocation = self._up(self._calls).call(function, plain, {}, lambda _: None)
            self._changed.wait_for(lambda: invocation.ok is not None)
            return invocation.answer

    def _trigger(self, name: str, text: str) -> bool:
        """Start a timer or queue function for the admin API; the name's case does not matter."""
        with self._changed:
            triggers = self._up(self._triggers)
            for function in self.functions.values():
                if function.name.lower() != name:
                    continue
                if isinstance(function.trigger, TimerTrigger):
                    triggers.fire(function.name)
                    return True
                if isinstance(function.trigger, QueueTrigger):
                    triggers.invoke(function, text)
                    return True
            return False

    def _answer(self, request: HttpRequest) -> HttpAnswer:
        front = self._front
        if self.state != RUNNING or front is None:
            return HttpAnswer(503)
        return front.answer(request)

    def _write(self, line: LogLine) -> None:
        self.log.append(line)
        if self._echo:
            self._echo(line)
