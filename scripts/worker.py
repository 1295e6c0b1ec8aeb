"""Run a function app in Microsoft's worker library: print its functions, or serve it over a pipe.

`python -P worker.py FOLDER` prints the functions as one line of JSON and exits; this tests a package before it is
deployed. `python -P worker.py FOLDER DESCRIPTOR [PRELUDE]` is the worker process of the Functions host's stand-in. It
imports nothing of this project, so that it can index an unzipped package as well as a working copy. The pipe carries
only builtin types:

- to the worker: a dict per call (`id`, `function_id`, `inputs`, `metadata`, `retry_count`, `max_retry_count`,
  `retry_error`), each value as `(kind, value)`;
- from the worker: `("ready", [function, ...])` or `("broken", text)` once, then `("log", level, invocation, text)` and
  `("done", id, ok, answer, outputs, error)`.

Source: the library's own modules handle_event.py and native_invocation.py, release 1.3.0.
"""

import asyncio
import contextlib
import json
import logging
import os
import runpy
import sys
import threading
from collections.abc import Iterator, Mapping
from multiprocessing.connection import Connection
from types import SimpleNamespace
from typing import Any

import azure_functions_runtime as runtime
from azure_functions_runtime.bindings.datumdef import Datum
from azure_functions_runtime.native_invocation import invocation_request_native

Plain = tuple[str, Any]
_LIBRARY_LOGGER = "azure.functions"  # the library's own log, not forwarded: the host reports the result of a call


class _Fields:
    """Any of the protobuf messages that the library fills in."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)


class _StatusResult(_Fields):
    Failure = 0
    Success = 1


class _BindingInfo(_Fields):
    undefined = 0
    out = 1
    inout = 2


_PROTOS = SimpleNamespace(
    WorkerInitResponse=_Fields,
    WorkerMetadata=_Fields,
    StatusResult=_StatusResult,
    RpcException=_Fields,
    BindingInfo=_BindingInfo,
    RpcFunctionMetadata=_Fields,
    RpcRetryOptions=_Fields,
    FunctionMetadataResponse=_Fields,
    FunctionLoadResponse=_Fields,
)


class Link:
    """The worker's end of the pipe; any thread may send."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def send(self, *message: Any) -> None:
        """Send one message; do nothing if the host is gone."""
        with self._lock, contextlib.suppress(BrokenPipeError):
            self._connection.send(message)

    def received(self) -> Iterator[Mapping[str, Any] | None]:
        """Yield the host's messages, and None at the end. If the host is gone, end this process at once."""
        try:
            request: Mapping[str, Any] | None = {}
            while request is not None:
                request = self._connection.recv()
                yield request
        except (EOFError, OSError):
            os._exit(1)


class _Forwarding(logging.Handler):
    """Sends log records to the host as text: fields in `extra` are lost, as in the real worker."""

    def __init__(self, link: Link) -> None:
        super().__init__()
        self._link = link

    def emit(self, record: logging.LogRecord) -> None:
        if not record.name.startswith(_LIBRARY_LOGGER):
            self._link.send("log", record.levelname, runtime.invocation_id_cv.get() or "", self.format(record))


async def _index(folder: str) -> list[dict[str, Any]]:
    """Index the app; raise RuntimeError with the library's text if the app cannot be imported."""
    request = SimpleNamespace(
        name="index",
        request=SimpleNamespace(
            worker_init_request=SimpleNamespace(capabilities={}, function_app_directory=folder),
        ),
        properties={"protos": _PROTOS, "host": "127.0.0.1"},
    )
    initialised = await runtime.worker_init_request(request)
    if initialised.result.status != _StatusResult.Success:
        failure = initialised.result.exception
        raise RuntimeError(f"{failure.message}\n{failure.stack_trace}")
    found = await runtime.functions_metadata_request(request)
    return [
        {
            "name": function.name,
            "id": function.function_id,
            "bindings": [json.loads(binding) for binding in function.raw_bindings],
            "retry": None if function.retry_options is None else vars(function.retry_options),
        }
        for function in found.function_metadata_results or []
    ]


def _datum(plain: Plain) -> Datum:
    kind, value = plain
    if kind != "http":
        return Datum(value, kind)
    return Datum(
        {
            "method": Datum(value["method"], "string"),
            "url": Datum(value["url"], "string"),
            "body": Datum(value["body"], "bytes"),
            **{
                part: {name: Datum(text, "string") for name, text in value[part].items()}
                for part in ("headers", "params", "query")
            },
        },
        "http",
    )


def _plain(datum: Datum | None) -> Plain | None:
    if datum is None:
        return None
    if datum.type != "http":
        return datum.type, datum.value
    headers = [(name, text.value) for name, text in datum.value["headers"].items()]
    for cookie in datum.value["cookies"] or []:
        headers += [("Set-Cookie", morsel.OutputString()) for morsel in cookie.values()]
    answer = {"status": datum.value["status_code"].value, "headers": headers, "body": datum.value["body"].value}
    return "http", answer


async def _invoke(link: Link, request: Mapping[str, Any]) -> None:
    """Run one call and report it. A SystemExit in it ends the process, as in the real worker."""
    ok, answer, outputs, error, trace = await invocation_request_native(
        request["id"],
        request["function_id"],
        [(name, _datum(plain)) for name, plain in request["inputs"].items()],
        {name: _datum(plain) for name, plain in request["metadata"].items()},
        retry_count=request["retry_count"],
        max_retry_count=request["max_retry_count"],
        retry_exception=_Fields(source="", stack_trace="", message=request["retry_error"]),
    )
    plain_outputs = {name: _plain(datum) for name, datum in outputs}
    link.send("done", request["id"], ok, _plain(answer), plain_outputs, "" if ok else f"{error}\n{trace}")


def _serve(link: Link, folder: str) -> None:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    requests: asyncio.Queue[Mapping[str, Any] | None] = asyncio.Queue()

    def listen() -> None:
        for request in link.received():
            loop.call_soon_threadsafe(requests.put_nowait, request)

    async def work() -> None:
        try:
            link.send("ready", await _index(folder))
        except RuntimeError as error:
            link.send("broken", str(error))
        running: set[asyncio.Task[None]] = set()
        while (request := await requests.get()) is not None:
            task = asyncio.create_task(_invoke(link, request))
            running.add(task)
            task.add_done_callback(running.discard)

    # Read from the start, so that neither side ever waits for the other with a full pipe.
    listening = threading.Thread(target=listen, daemon=True)
    listening.start()
    loop.run_until_complete(work())
    listening.join()
    loop.close()


def print_index(folder: str) -> None:
    """Print the index of a function app; exit with an error if it cannot be indexed."""
    sys.path.insert(0, folder)
    try:
        print(json.dumps(asyncio.run(_index(folder)), default=str))
    except RuntimeError as error:
        sys.exit(str(error))


def main(folder: str, descriptor: int, prelude: str | None = None) -> None:
    """Serve one function app until the host is gone; a prelude is a program to run first, in the same process."""
    link = Link(Connection(descriptor))
    logging.getLogger().setLevel(logging.INFO)
    logging.getLogger().addHandler(_Forwarding(link))
    sys.path.insert(0, folder)
    if prelude:
        runpy.run_path(prelude)
    runtime.start_threadpool_executor()
    try:
        _serve(link, folder)
    except SystemExit as ending:
        # Raised by a function: other running calls must not delay the end of the process.
        os._exit(ending.code if isinstance(ending.code, int) else 1)
    runtime.stop_threadpool_executor()


if __name__ == "__main__":
    app, *served = sys.argv[1:]
    if served:
        main(app, int(served[0]), *served[1:])
    else:
        print_index(app)
