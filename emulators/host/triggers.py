"""Timers and queues of a running host: finds what is due and starts it."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from emulators.host.calls import Calls, Clock, Invocation
from emulators.host.functions import Function, QueueTrigger, TimerTrigger
from emulators.host.host_json import HostJson
from emulators.host.listeners import Listener, Queues, trigger_metadata
from emulators.host.queues import Message, Queue, encode
from emulators.host.timers import ScheduleStatus, Timer, TimerRun, timer_info


class Triggers:
    """Timers and queue listeners, from the host's start to its stop; used under the host's lock.

    Args:
        functions: the enabled ones.
        stored: each timer's status from an earlier start.
        queues: all queues.
        host_json: the settings for the queues.
        calls: runs the functions.
        clock: the host's time.
    """

    def __init__(
        self,
        functions: Mapping[str, Function],
        stored: Mapping[str, ScheduleStatus],
        *,
        queues: Queues,
        host_json: HostJson,
        calls: Calls,
        clock: Clock,
    ) -> None:
        self._calls, self._clock = calls, clock
        self._timers = {
            name: Timer(function, stored.get(name), clock())
            for name, function in functions.items()
            if isinstance(function.trigger, TimerTrigger)
        }
        self._runs: list[TimerRun] = []
        listening = [function for function in functions.values() if isinstance(function.trigger, QueueTrigger)]
        self._listeners = [Listener(function, queues, host_json) for function in listening]
        # Poison queues come last, so that a message moved there in a round runs in the same round.
        self._listeners.sort(key=lambda listener: listener.poison is None)

    @property
    def stored(self) -> dict[str, ScheduleStatus]:
        """Each timer's status to keep for the next start."""
        return {name: timer.stored for name, timer in self._timers.items() if timer.stored}

    def stop(self) -> None:
        """Treat occurrences that wait for a retry as done, as the host does if it stops between two attempts."""
        for run in self._runs:
            if run.due is not None and run.timer:
                run.timer.end(run)

    def renew(self) -> None:
        """Keep the messages hidden that still run."""
        for listener in self._listeners:
            listener.renew(self._clock())

    def start_due(self) -> None:
        """Start everything that is due: occurrences, retries, messages."""
        now = self._clock()
        self._runs += [timer.begin(now) for timer in self._timers.values() if timer.due and timer.due <= now]
        for run in list(self._runs):
            if run.due is not None and run.due <= now:
                self._try_run(run)
        for listener in self._listeners:
            for message in listener.take(now):
                self._try_message(listener, message)

    def due(self, now: datetime) -> Iterator[datetime]:
        """Yield the instants after now at which something is due."""
        instants = [timer.due for timer in self._timers.values()] + [run.due for run in self._runs]
        yield from (instant for instant in instants if instant and instant > now)
        for listener in self._listeners:
            yield from listener.due(now)

    def fire(self, name: str, *, at: datetime | None = None, past_due: bool = False) -> Invocation:
        """Call a timer's function outside its schedule.

        Raises:
            KeyError: there is no such timer.
        """
        timer = self._timers[name]
        status = replace(timer.status, next=at or timer.status.next) if timer.monitored else None
        info, now = timer_info(status, past_due=past_due), self._clock()
        run = TimerRun(timer.function, info, called_at=now, timer=None, due=now)
        self._runs.append(run)
        return self._try_run(run)

    def invoke(self, function: Function, text: str) -> Invocation:
        """Call a queue function with a text, without a queue."""
        queue, now = Queue("none"), self._clock()
        queue.put(encode(text, is_base64=queue.is_base64), now)
        (message,) = queue.take(1, now, timedelta(0))
        return self._calls.call(function, ("string", text), trigger_metadata(message), lambda _: None)

    def _try_run(self, run: TimerRun) -> Invocation:
        def done(invocation: Invocation) -> None:
            if not invocation.ok and run.again(self._clock(), invocation.error):
                return
            self._runs.remove(run)
            if run.timer:
                run.timer.end(run)

        run.due = None
        return self._calls.call(
            run.function,
            ("json", run.info),
            {},
            done,
            invocation_id=run.invocation_id,
            retry_count=run.retry_count,
            retry_error=run.error,
        )

    def _try_message(self, listener: Listener, message: Message) -> None:
        def done(invocation: Invocation) -> None:
            listener.end(message, self._clock(), ok=bool(invocation.ok))

        self._calls.call(listener.function, ("string", message.text), trigger_metadata(message), done)
