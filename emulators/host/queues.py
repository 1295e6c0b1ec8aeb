"""Storage queues in memory, and the host's conversion of a queue output to messages.

A message's body is base64, as on the wire, or plain text if host.json says so; a raw message can have any body.
"""

import base64
import binascii
import json
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

POISON_SUFFIX = "-poison"
_BODY_MOST_BYTES = 65536  # https://learn.microsoft.com/rest/api/storageservices/put-message
_LIFE = timedelta(days=7)


class NotBase64Error(ValueError):
    """The body is not base64 of UTF-8 text."""


class OutputError(ValueError):
    """The host cannot send an output."""


@dataclass(slots=True)
class Message:
    """A message in the queue.

    Attributes:
        body: as on the wire.
        visible_at: the end of its hiding.
        dequeue_count: how often it was taken.
        pop_receipt: of the last time it was taken.
        is_base64: whether the host decodes the body as base64.
    """

    id: str
    body: str
    inserted_at: datetime
    visible_at: datetime
    dequeue_count: int = 0
    pop_receipt: str = ""
    is_base64: bool = True

    @property
    def expires_at(self) -> datetime:
        """When it is removed in any case."""
        return self.inserted_at + _LIFE

    @property
    def text(self) -> str:
        """The decoded body.

        Raises:
            NotBase64Error: the body is not base64 of a text.
        """
        if not self.is_base64:
            return self.body
        try:
            return base64.b64decode(self.body, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise NotBase64Error(f"message {self.id} is not base64") from error


class Queue:
    """One queue.

    Args:
        name: its name.
        is_base64: whether its messages are base64.
    """

    def __init__(self, name: str, *, is_base64: bool = True) -> None:
        self.name = name
        self.is_base64 = is_base64
        self.messages: list[Message] = []

    @property
    def texts(self) -> list[str]:
        """The texts of all messages, hidden ones too."""
        return [message.text for message in self.messages]

    def put(self, body: str, now: datetime) -> Message:
        """Add a message with this body, as on the wire.

        Raises:
            OutputError: the body is too large.
        """
        if len(body.encode()) > _BODY_MOST_BYTES:
            raise OutputError(f"a message of {len(body)} characters is too large for the queue {self.name}")
        message = Message(str(uuid.uuid4()), body, now, now, is_base64=self.is_base64)
        self.messages.append(message)
        return message

    def take(self, count: int, now: datetime, hidden: timedelta) -> list[Message]:
        """Take up to `count` visible messages, the oldest first, and hide them for a time."""
        self.messages = [message for message in self.messages if message.expires_at > now]
        taken = [message for message in self.messages if message.visible_at <= now][:count]
        for message in taken:
            message.dequeue_count += 1
            message.pop_receipt = str(uuid.uuid4())
            message.visible_at = now + hidden
        return taken

    def delete(self, message: Message) -> None:
        """Remove a message."""
        if message in self.messages:
            self.messages.remove(message)


def encode(text: str, *, is_base64: bool = True) -> str:
    """Return a text as the host sends it.

    Args:
        text: of the message.
        is_base64: whether messages are base64, by host.json.

    Raises:
        OutputError: the text cannot be encoded: it has half a surrogate pair.
    """
    try:
        encoded = text.encode()
    except UnicodeEncodeError as error:
        raise OutputError("a text cannot be encoded") from error
    return base64.b64encode(encoded).decode() if is_base64 else text


def output_bodies(kind: str, value: Any, *, is_base64: bool = True) -> list[str]:
    """Return the bodies of the messages for one output.

    The texts of a list are kept byte for byte. A text that looks like JSON is parsed: an array is split, an object is
    rewritten.

    Args:
        kind: the worker's name for the output's kind: `string`, `bytes` or `json`.
        value: its value.
        is_base64: whether messages are base64, by host.json.

    Raises:
        OutputError: the output cannot become a message.

    Source: FunctionBinding.ReadAsEnumerable and BindAsyncCollectorAsync of the Functions host.
    """
    if kind == "bytes":
        return [base64.b64encode(value).decode() if is_base64 else value.decode(errors="replace")]
    if kind not in {"string", "json"}:
        raise OutputError(f"a queue does not accept {kind}")
    if kind == "string" and not _looks_like_json(value):
        return [encode(value, is_base64=is_base64)]
    try:
        parsed = json.loads(value)
    except ValueError as error:
        raise OutputError("an output looks like JSON, but is not valid JSON") from error
    items = parsed if isinstance(parsed, list) else [parsed]
    texts = [item if isinstance(item, str) else json.dumps(item, indent=2, ensure_ascii=False) for item in items]
    return [encode(text, is_base64=is_base64) for text in texts]


def _looks_like_json(text: str) -> bool:
    stripped = text.strip()
    return (stripped[:1], stripped[-1:]) in {("{", "}"), ("[", "]")}
