"""No part of a key of eight characters or more can be read in what is shown, however it is written."""

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pigment_export.pigment.redaction import REPEATS_THE_KEY, without

KEY = "pgm_Zq8+x/7Lw~Kd=51&v%Tn<mB.c9R-yJ"
PADDING = st.text(st.characters(codec="utf-8"), max_size=30)


def every_character(form: str) -> Callable[[str], str]:
    return lambda text: "".join(form.format(ord(character)) for character in text)


WAYS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "upper case": str.upper,
    "percent-encoded where it must be": quote,
    "percent-encoded throughout": every_character("%{:02x}"),
    "percent-encoded twice": lambda text: quote(quote(text)),
    "as JSON": lambda text: json.dumps({"key": text}),
    "as JSON in JSON": lambda text: json.dumps(json.dumps(text)),
    "escaped throughout": every_character("\\u{:04X}"),
    "escaped as bytes": every_character("\\x{:02x}"),
    "as HTML": html.escape,
    "as HTML throughout": every_character("&#{};"),
    "broken into lines": lambda text: "\r\n ".join(text[at : at + 4] for at in range(0, len(text), 4)),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 of the header": lambda text: base64.b64encode(f"Authorization: Bearer {text}".encode()).decode(),
    "base64 for addresses": lambda text: base64.urlsafe_b64encode(f"k={text};".encode()).decode().rstrip("="),
    "base64, percent-encoded": lambda text: quote(base64.b64encode(text.encode()).decode(), safe=""),
}


@pytest.mark.parametrize("way", WAYS)
@given(st.integers(0, len(KEY) - 8), st.integers(8, len(KEY)), PADDING, PADDING)
def test_a_part_of_eight_characters_hides_the_text(way: str, start: int, size: int, before: str, after: str) -> None:
    part = KEY[start : start + size]
    if len(part) >= 8:
        # What stands right beside base64 may run into it: that begins with another group of four, which is looked at.
        assert without(KEY, f"{before} {WAYS[way](part)} {after}") == REPEATS_THE_KEY


@given(st.integers(0, 80), st.text("ABCDEFGHabcdefgh0123456789+/", max_size=7))
def test_base64_may_begin_within_other_characters_and_be_cut_anywhere(end: int, before: str) -> None:
    encoded = base64.b64encode(KEY.encode()).decode()
    cut = before + encoded[:end]
    whole_bytes = end * 6 // 8
    if whole_bytes >= 8:
        assert without(KEY, cut) == REPEATS_THE_KEY


@given(PADDING, st.integers(0, len(KEY)), PADDING)
def test_seven_characters_and_less_are_shown(before: str, start: int, after: str) -> None:
    text = f"{before}\n{KEY[start : start + 7]}\n{after}"
    assert without("q" * 40, text) == text
    assert without(KEY, "unknown property 'Revenue' (see https://pigment.app/docs?x=1%20y)").startswith("unknown")


def test_a_key_shorter_than_that_is_hidden_whole() -> None:
    assert without("abc", "the key abc is wrong") == REPEATS_THE_KEY
