"""Pigment keys and their sources: a laptop's is here, a vault's in `azure.vault`."""

from datetime import datetime
from typing import Protocol

from pigment_export.errors import ErrorRow, PermanentError, Who

# fmt: off
# A table: the head of each row stands on one line.
KEY_MALFORMED = ErrorRow("key_malformed", PermanentError, Who.KEY_OWNER,
    "store the key again, exactly as Pigment shows it")
KEY_NOT_AT_HAND = ErrorRow("key_not_at_hand", PermanentError, Who.CATALOG,
    "set KEY_VAULT_URL instead of PIGMENT_API_KEY")
# fmt: on


class Key:
    """A Pigment key, with its expiry if the vault has one; only `reveal` returns its text."""

    __slots__ = ("_text", "expires_at")

    def __init__(self, text: str, expires_at: datetime | None = None) -> None:
        self._text = text
        self.expires_at = expires_at

    def __repr__(self) -> str:
        return "Key(…)"

    def reveal(self) -> str:
        """Return the key's text."""
        return self._text


class Keys(Protocol):
    """A source of keys."""

    def read(self, name: str | None) -> Key:
        """Return the key of a secret, or the deployment's own.

        Args:
            name: of the secret; None for the deployment's own.

        Raises:
            RetryableError: it cannot be read now.
            PermanentError: there is no secret of that name, or it is not a valid key.
        """

    def read_again(self, name: str | None) -> Key:
        """Do the same without the cache, because Pigment rejected the cached key."""


def fits_header(secret: str) -> bool:
    """Return whether a key or token can follow `Bearer` in a header: ASCII without spaces, and not empty."""
    return bool(secret) and secret.isascii() and secret.isprintable() and " " not in secret


def checked_key(text: str, source: str, expires_at: datetime | None = None) -> Key:
    """Return a key that is valid in a header. Strip it, because stored secrets often end with a line break.

    Args:
        text: as stored.
        source: where it was stored, for the message.
        expires_at: the vault's expiry, if it has one.

    Raises:
        PermanentError: it is empty or has a character that no key has; the message does not show it.
    """
    stripped = text.strip()
    if fits_header(stripped):
        return Key(stripped, expires_at)
    raise KEY_MALFORMED.raised(
        f"{source} has no valid Pigment key: " + ("it is empty" if not stripped else "a key is ASCII without spaces")
    )


class FixedKey:
    """The one key of a laptop, from `PIGMENT_API_KEY`.

    Raises:
        PermanentError: it cannot be a key.
    """

    def __init__(self, text: str) -> None:
        self._key = checked_key(text, "PIGMENT_API_KEY")

    def read(self, name: str | None) -> Key:
        """See `Keys`; reject an export that has its own secret."""
        if name is not None:
            raise KEY_NOT_AT_HAND.raised(f"the export has its own secret, {name}, and PIGMENT_API_KEY is another key")
        return self._key

    read_again = read
