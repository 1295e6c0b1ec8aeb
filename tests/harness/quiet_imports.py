"""Import each of the named modules by itself, and tell which of them did something meanwhile: JSON, by name.

It runs alone, on the standard library. Libraries are imported once, under the same eyes; each module then in a fork of
its own, so that none is helped by another, and each has the libraries without the half second that they take.
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
    """What has happened up to now."""
    if threading.active_count() != 1:
        return f"threads: {threading.enumerate()}"
    done = [(event, args) for event, args in seen if event != "socket.__new__" and args[-1] != ("::1", 0)]
    return str(done) if done else ""  # urllib3 looks for IPv6, with a socket that it binds to ::1


def forked(names: list[str]) -> tuple[str, list[str]]:
    """Import modules in a process of their own; what they did, and all that is imported then."""
    reading, writing = os.pipe()
    if not os.fork():
        try:
            for name in names:
                importlib.import_module(name)
            told = problem()
        except BaseException as error:  # noqa: BLE001 - whatever it is, the parent tells it
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
            with contextlib.suppress(ImportError):  # a name that a library gave to a part of itself
                importlib.import_module(library)
    return {"libraries": problem() or told} | {name: forked([name])[0] for name in names}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], sys.argv[2:])))
