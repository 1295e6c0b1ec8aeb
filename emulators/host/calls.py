"""Calls of functions in the worker process: their results and outputs, and the worker's restarts."""

import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from emulators.host.functions import Function
from emulators.host.listeners import Queues
from emulators.host.process import Plain, WorkerProcess
from emulators.host.queues import Message, NotBase64Error, OutputError, output_bodies

_START_SECONDS = 30.0  # for an app to start. Source: https://learn.microsoft.com/azure/azure-functions/functions-scale
_MOST_STARTS = 3  # of a worker that ends before it is ready; then the host gives up

Clock = Callable[[], datetime]


class WorkerError(Exception):
    """The worker process does not start."""


@dataclass(slots=True)
class Invocation:
    """One call of a function, and its result.

    Attributes:
        function: its name.
        ok: None while it runs.
        error: the exception with its traceback, or another reason for its end.
        outputs: the texts sent, by parameter; a failed call sends none.
        answer: the returned value, as the worker sent it.
    """

    id: str
    function: str
    started_at: datetime
    retry_count: int = 0
    ok: bool | None = None
    error: str = ""
    outputs: dict[str, list[str]] = field(default_factory=dict)
    answer: Plain | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of the host's log; `function` is empty if the line belongs to none."""

    at: datetime
    level: str
    function: str
    text: str


@dataclass(frozen=True, slots=True)
class _Running:
    invocation: Invocation
    function: Function
    done: Callable[[Invocation], None]


class Calls:
    """The worker process and the calls that run in it.

    The lock is held during each method, except `stop`, and during each callback.

    Args:
        folder: the function app.
        environ: the worker's whole environment.
        prelude: a program that the worker runs before it indexes the app.
        queues: for the outputs.
        changed: the host's lock, notified of every change.
        clock: the host's time.
        log: called with each line.
        made: each call is added to it.
    """

    def __init__(
        self,
        folder: Path,
        environ: Mapping[str, str],
        queues: Queues,
        *,
        prelude: Path | None,
        changed: threading.Condition,
        clock: Clock,
        log: Callable[[LogLine], None],
        made: list[Invocation],
    ) -> None:
        self._folder, self._environ, self._queues, self._prelude = folder, environ, queues, prelude
        self._changed, self._clock, self._log, self._made = changed, clock, log, made
        self._process: WorkerProcess | None = None
        self._index: list[dict[str, Any]] | None = None
        self._starts = 0  # since a worker was last ready
        self._running: dict[str, _Running] = {}
        self._stopping = False

    @property
    def up(self) -> bool:
        """Whether there is a worker process."""
        return self._process is not None

    @property
    def running(self) -> list[Invocation]:
        """The calls that run now."""
        return [running.invocation for running in self._running.values()]

    @property
    def pid(self) -> int | None:
        """The worker's process id."""
        return self._process.pid if self._process else None

    def start(self) -> list[dict[str, Any]]:
        """Start the worker and return its index. For a broken app the index is empty, and only the log has the reason.

        Raises:
            WorkerError: the worker does not start.
        """
        self._spawn()
        self._changed.wait_for(lambda: self._index is not None or not self.up, _START_SECONDS)
        if self._index is None:
            raise WorkerError("the worker process did not start")
        return self._index

    def stop(self) -> None:
        """End the worker and abort its calls. The caller must not hold the lock."""
        with self._changed:
            self._stopping = True
            process, at_once = self._process, bool(self._running)
        if process:
            process.stop(at_once=at_once)

    def kill(self) -> None:
        """Kill the worker, and wait until its calls have failed and the next worker exists."""
        process = self._process
        if process is None:
            return
        process.kill()
        self._changed.wait_for(lambda: self._process is not process)

    def end_overdue(self, timeout: timedelta | None) -> None:
        """Restart the worker if a call exceeds the timeout; all its calls fail."""
        now = self._clock()
        overdue = [call for call in self.running if timeout is not None and now - call.started_at >= timeout]
        for call in overdue:
            call.error = f"Timeout value of {timeout} was exceeded"
        if overdue:
            self.kill()

    def call(
        self,
        function: Function,
        value: Plain,
        metadata: Mapping[str, Plain],
        done: Callable[[Invocation], None],
        *,
        invocation_id: str = "",
        retry_count: int = 0,
        retry_error: str = "",
    ) -> Invocation:
        """Start a call; `done` is called at its end."""
        identity = invocation_id or str(uuid.uuid4())
        invocation = Invocation(identity, function.name, self._clock(), retry_count)
        self._made.append(invocation)
        self._running[identity] = _Running(invocation, function, done)
        retry = function.retry
        if self._process is None:
            self._end(identity, ok=False, error="there is no worker process")
            return invocation
        self._process.send(
            {
                "id": identity,
                "function_id": function.id,
                "inputs": {function.parameter: value},
                "metadata": dict(metadata),
                "retry_count": retry_count,
                "max_retry_count": 0 if retry is None else -1 if retry.count is None else retry.count,
                "retry_error": retry_error,
            }
        )
        return invocation

    def write(self, level: str, text: str, function: str = "") -> None:
        """Write a line to the log."""
        self._log(LogLine(self._clock(), level, function, text))

    def _spawn(self) -> None:
        self._index = None
        self._starts += 1
        self._process = WorkerProcess(
            self._folder,
            self._environ,
            prelude=self._prelude,
            heard=self._heard,
            printed=self._printed,
            ended=self._worker_ended,
        )

    def _heard(self, message: tuple[Any, ...]) -> None:
        with self._changed:
            match message:
                case ("ready", index):
                    self._index, self._starts = index, 0
                case ("broken", text):
                    self._index, self._starts = [], 0
                    self.write("ERROR", f"The app cannot be indexed: {text}")
                case ("log", level, identity, text):
                    running = self._running.get(identity)
                    self.write(level, text, running.function.name if running else "")
                case ("done", identity, ok, answer, outputs, error):
                    self._end(identity, ok=ok, error=error, answer=answer, outputs=outputs)
            self._changed.notify_all()

    def _printed(self, line: str) -> None:
        with self._changed:
            self.write("INFO", line)
            self._changed.notify_all()

    def _worker_ended(self, status: int) -> None:
        with self._changed:
            self._process = None
            if self._stopping:
                for running in self._running.values():
                    running.invocation.ok = False
                    running.invocation.error = "the host stopped"
                    running.invocation.ended_at = self._clock()
                self._running.clear()
            else:
                self.write("ERROR", f"The worker process exited with status {status}")
                if self._starts < _MOST_STARTS:
                    self._spawn()
                for identity in list(self._running):
                    self._end(identity, ok=False, error=f"the worker process exited with status {status}")
            self._changed.notify_all()

    def _end(
        self,
        identity: str,
        *,
        ok: bool,
        error: str,
        answer: Plain | None = None,
        outputs: Mapping[str, Plain] | None = None,
    ) -> None:
        running = self._running.pop(identity)
        invocation = running.invocation
        if ok:
            try:
                invocation.outputs = self._send(running.function, outputs or {})
            except OutputError as refusal:
                ok, error = False, str(refusal)
        invocation.answer = answer if ok else None
        invocation.error = invocation.error or error
        invocation.ended_at = self._clock()
        invocation.ok = ok
        name = running.function.name
        self.write("INFO" if ok else "ERROR", f"Executed {name} ({'Succeeded' if ok else 'Failed'}, {identity})", name)
        if invocation.error:
            self.write("ERROR", invocation.error.rstrip(), name)
        running.done(invocation)

    def _send(self, function: Function, outputs: Mapping[str, Plain]) -> dict[str, list[str]]:
        now = self._clock()
        sent: dict[str, list[Message]] = {}
        for parameter, queue in (function.outputs or {}).items():
            if parameter in outputs:
                bodies = output_bodies(*outputs[parameter], is_base64=self._queues.is_base64)
                sent[parameter] = [self._queues.written(queue).put(body, now) for body in bodies]
        return {parameter: [_shown(message) for message in messages] for parameter, messages in sent.items()}


def _shown(message: Message) -> str:
    """Return a message's text, or its body if that is not a text."""
    try:
        return message.text
    except NotBase64Error:
        return message.body
