"""Remove another program's text if it contains any part of a secret, in any encoding. Pure.

Nothing is cut out of the text: if it contains any part of the secret, none of it is shown.
"""

import base64
import binascii
import html
import re
from collections.abc import Iterator
from urllib.parse import unquote

SHOWN_CHARACTERS = 7  # of a secret, at most; eight could help an attacker
REPEATS_THE_KEY = "(a text that repeats the key)"
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))")
_BASE64 = re.compile(r"[0-9A-Za-z+/_-]{8,}")
_LAYERS = 3  # of encodings in one another


def without(secret: str, text: str) -> str:
    """Return a text, or a remark in its place if the text contains any part of a secret.

    Finds it plain, percent-encoded, escaped as in JSON or HTML, in base64, cut anywhere, and in nested encodings.

    Args:
        secret: e.g. an API key.
        text: of another program.
    """
    size = min(SHOWN_CHARACTERS + 1, len(secret))
    parts = {secret[start : start + size].casefold() for start in range(len(secret) - size + 1)}
    for reading in _readings(text):
        folded = reading.casefold()
        if any(part in folded for part in parts):
            return REPEATS_THE_KEY
    return text


def _readings(text: str) -> Iterator[str]:
    readings = {text}
    for _ in range(_LAYERS):
        yield from readings
        found = set()
        for reading in readings:
            found |= {unquote(reading), html.unescape(reading), _ESCAPE.sub(_unescaped, reading)}
            found.add("".join(c for c in reading if c.isprintable() and not c.isspace()))
            found |= set(_decoded(reading))
        readings = found - readings
    yield from readings


def _unescaped(found: re.Match[str]) -> str:
    code = found[1] or found[2]
    return chr(int(code, 16)) if code else found[3]


def _decoded(text: str) -> Iterator[str]:
    """Yield the decoded base64 of a text, for each alignment of its groups of four."""
    for run in _BASE64.findall(text):
        plain = run.replace("-", "+").replace("_", "/")
        for start in range(4):
            part = plain[start:]
            part = part[: len(part) - (len(part) % 4 == 1)]
            try:
                yield base64.b64decode(part + "=" * (-len(part) % 4)).decode("latin-1")
            except binascii.Error:
                continue
