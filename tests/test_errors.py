"""Who must act, as records of this version and of earlier ones name it."""

import pytest

from pigment_export.errors import Who


@pytest.mark.parametrize("who", Who)
def test_what_is_written_is_read(who: Who) -> None:
    assert Who.read(str(who)) is who


def test_the_words_of_earlier_versions_are_read_too_and_any_other_is_the_administrators() -> None:
    assert Who.read("nobody: it is tried again") is Who.NO_ACTION
    assert Who.read("whoever maintains this app") is Who.DEVELOPER
    assert Who.read("") is Who.ADMINISTRATOR
