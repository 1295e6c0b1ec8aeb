"""Measure one cold `export_one` in this new process, by part until the request to Pigment. `cold_start` runs it.

`python -m benchmarks.cold_call PAUSE MESSAGE [MESSAGE…]` indexes the app, calls the function with each queue message as
the host does, and prints JSON. `PAUSE` is `no` if the first call comes at once; otherwise it waits for the early
imports. This module imports only what `azure.functions` imports in any case.
"""

import importlib.machinery
import json
import ssl
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import azure.functions


class Parts:
    """CPU milliseconds by part, while it counts; calls into another part count for that part."""

    def __init__(self) -> None:
        self.milliseconds: Counter[str] = Counter()
        self.times: Counter[str] = Counter()
        self.is_counting = False
        self._of_thread = threading.local()  # nested calls of the current calls

    def counted(self, call: Callable[..., Any], part_of: Callable[..., str]) -> Callable[..., Any]:
        """Return the call, counted for the part that `part_of` names by its arguments."""

        def counting(*args: Any, **options: Any) -> Any:
            began, outer = time.thread_time(), getattr(self._of_thread, "inner", 0.0)
            self._of_thread.inner = 0.0
            try:
                return call(*args, **options)
            finally:
                took, inner = time.thread_time() - began, self._of_thread.inner
                self._of_thread.inner = outer + took
                if self.is_counting:
                    self.milliseconds[part_of(*args)] += 1000 * (took - inner)
                    self.times[part_of(*args)] += 1

        return counting


def package_of(_loader: object, module: Any) -> str:
    """Return the part for the import of a module, e.g. `import azure.storage.blob`."""
    names = module.__name__.split(".")
    if names[0] in sys.stdlib_module_names:
        return "import the standard library"
    return f"import {'.'.join(names[: {'azure': 3, 'pigment_export': 2}.get(names[0], 1)])}"


def main() -> None:
    """Call the function and print its CPU time."""
    parts, asked = Parts(), []

    def count(owner: Any, name: str, part_of: Callable[..., str]) -> None:
        setattr(owner, name, parts.counted(getattr(owner, name), part_of))

    def write(tls: ssl.SSLObject, data: bytes) -> int:
        """Take the time at the first byte: only the connection to Pigment is one over memory BIOs."""
        if not asked:
            asked.append(time.process_time())
            parts.is_counting = False
        return written(tls, data)

    written = ssl.SSLObject.write
    setattr(ssl.SSLObject, "write", write)  # noqa: B010 - mypy refuses to assign to a method
    count(importlib.machinery.SourceFileLoader, "exec_module", package_of)
    count(importlib.machinery.ExtensionFileLoader, "exec_module", package_of)
    count(ssl.SSLContext, "load_verify_locations", lambda *_: "read a CA bundle")
    count(ssl.SSLSocket, "do_handshake", lambda *_: "shake hands with Azure")
    count(ssl.SSLObject, "do_handshake", lambda *_: "shake hands with Pigment")

    import function_app

    functions = {
        function.get_function_name(): function.get_user_function() for function in function_app.app.get_functions()
    }
    export_one: Any = functions["export_one"]
    messages = [azure.functions.QueueMessage(body=text.encode()) for text in sys.argv[2:]]
    if sys.argv[1] != "no":
        for thread in set(threading.enumerate()) - {threading.current_thread()}:
            thread.join()
    times = [time.process_time()]
    parts.is_counting = True
    for message in messages:
        export_one(message)
        times.append(time.process_time())
    print(
        json.dumps(
            {
                "indexed": times[0],
                "asked": asked[0] - times[0],
                "ended": times[1] - times[0],
                "warm": statistics.median(after - before for before, after in pairwise(times[1:])),
                "milliseconds": parts.milliseconds,
                "times": parts.times,
            }
        )
    )


if __name__ == "__main__":
    main()
