"""Import each named module by itself, and print what each did meanwhile, by name, as JSON.

A program that needs only the standard library. It imports the libraries once, with the same checks; then each module in
its own fork, so that none profits from another, and the half second for the libraries is spent only once.
"""

import contextlib
import importlib
import json
import os
import sys
import threading
from typing import Any

seen: list[tuple[str, tuple[Any, ...]]] = []


def hear(event: str, arguments: tuple[Any, ...]) -> None:
    writes = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
    if event.startswith("socket.") or writes:
        seen.append((event, arguments))


def problem() -> str:
    """Return what has been done up to now."""
    if threading.active_count() != 1:
        return f"threads: {threading.enumerate()}"
    done = [(event, args) for event, args in seen if event != "socket.__new__" and args[-1] != ("::1", 0)]
    return str(done) if done else ""  # urllib3 looks for IPv6, with a socket that it binds to ::1


def forked(names: list[str]) -> tuple[str, list[str]]:
    """Import modules in their own process; return what they did, and the names of all imported modules."""
    reading, writing = os.pipe()
    if not os.fork():
        try:
            for name in names:
                importlib.import_module(name)
            told = problem()
        except BaseException as error:  # noqa: BLE001 - the parent reports any error
            told = repr(error)
        with open(writing, "w", closefd=False) as pipe:
            json.dump([told, list(sys.modules)], pipe)
        os._exit(0)
    os.close(writing)
    with open(reading) as pipe:  # noqa: PTH123
        told, loaded = json.load(pipe)
    os.wait()
    return told, loaded


def main(product: str, names: list[str]) -> dict[str, str]:
    sys.addaudithook(hear)
    told, loaded = forked(names)
    for library in loaded:
        if library.partition(".")[0] != product:
            with contextlib.suppress(ImportError):  # a name that a library made up for a part of itself
                importlib.import_module(library)
    return {"libraries": problem() or told} | {name: forked([name])[0] for name in names}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], sys.argv[2:])))
