"""A command that gets Ctrl-C at chosen instants: `interrupting.py MODULE INSTANTS [ARGUMENT …]`.

An instant is `EVENT:FILE:FUNCTION`, with the events `call` and `return` of Python's tracing. Several are joined by
commas; each occurs once.
"""

import os
import runpy
import signal
import sys
from types import FrameType
from typing import Any

module, listed, *arguments = sys.argv[1:]
instants = {tuple(text.split(":")) for text in listed.split(",")}


def trace(frame: FrameType, event: str, _: Any) -> Any:
    instant = (event, os.path.basename(frame.f_code.co_filename), frame.f_code.co_qualname)  # noqa: PTH119 - no object is made while a program is traced
    if instant in instants:
        instants.remove(instant)
        os.kill(os.getpid(), signal.SIGINT)
    return trace


sys.argv = [module, *arguments]
sys.settrace(trace)
runpy.run_module(module, run_name="__main__", alter_sys=True)
