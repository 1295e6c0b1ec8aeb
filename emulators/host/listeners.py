"""Queue triggers: taking messages, hiding them while they run, and moving them to the poison queue.

Source: QueueListener and QueueProcessor of Microsoft.Azure.WebJobs.Extensions.Storage.Queues, 5.x
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from emulators.host.functions import Function, QueueTrigger
from emulators.host.host_json import HostJson
from emulators.host.process import Plain
from emulators.host.queues import POISON_SUFFIX, Message, NotBase64Error, Queue

HIDDEN = timedelta(minutes=10)
_RENEWAL = HIDDEN / 2


@dataclass(slots=True)
class _Held:
    """A message that runs, and when it was last hidden."""

    message: Message
    renewed_at: datetime


class Queues(dict[str, Queue]):
    """All queues by name; the first write creates a queue.

    Attributes:
        is_base64: whether messages are base64, by host.json.
    """

    is_base64 = True

    def written(self, name: str) -> Queue:
        """Return the queue to write to."""
        return self.setdefault(name, Queue(name, is_base64=self.is_base64))


class Listener:
    """The listener of one queue trigger while the host is up.

    Args:
        function: the function.
        queues: all queues.
        settings: of the queues, from host.json.
    """

    def __init__(self, function: Function, queues: Queues, settings: HostJson) -> None:
        if not isinstance(function.trigger, QueueTrigger):
            raise TypeError(f"{function.name} has no queue trigger")
        self.function = function
        self._name = function.trigger.queue
        self.poison = None if self._name.endswith(POISON_SUFFIX) else self._name + POISON_SUFFIX
        self._queues = queues
        self._settings = settings
        self._held: dict[str, _Held] = {}

    def take(self, now: datetime) -> Iterator[Message]:
        """Take the next batch if few enough messages run, and yield the messages to try."""
        if self._name not in self._queues or len(self._held) > self._settings.new_batch_threshold:
            return
        for message in self._queues[self._name].take(self._settings.batch_size, now, HIDDEN):
            if _is_text(message) and message.dequeue_count <= self._settings.max_dequeue_count:
                self._held[message.id] = _Held(message, now)
                yield message
            else:
                self._move_to_poison(message, now)

    def end(self, message: Message, now: datetime, *, ok: bool) -> None:
        """Finish an attempt: delete the message, make it visible again later, or move it to the poison queue."""
        self._held.pop(message.id)
        if ok:
            self._queues[self._name].delete(message)
        elif self.poison is None:
            return  # stays hidden, to avoid a fast endless loop
        elif message.dequeue_count >= self._settings.max_dequeue_count:
            self._move_to_poison(message, now)
        else:
            message.visible_at = now + self._settings.visibility_timeout

    def renew(self, now: datetime) -> None:
        """Extend the hiding of the messages that still run."""
        for held in self._held.values():
            if now - held.renewed_at >= _RENEWAL:
                held.renewed_at = now
                held.message.visible_at = now + HIDDEN

    def due(self, now: datetime) -> Iterator[datetime]:
        """Yield the later instants at which a message must be renewed or becomes visible."""
        for held in self._held.values():
            yield held.renewed_at + _RENEWAL
        for message in self._queues[self._name].messages if self._name in self._queues else ():
            if message.visible_at > now and message.id not in self._held:
                yield message.visible_at

    def _move_to_poison(self, message: Message, now: datetime) -> None:
        """Put the body unchanged into the poison queue, as a new message.

        A poison queue has no poison queue: a message without attempts left stays there until it expires.
        """
        if self.poison is not None:
            self._queues.written(self.poison).put(message.body, now)
            self._queues[self._name].delete(message)


def trigger_metadata(message: Message) -> dict[str, Plain]:
    """Return the metadata that the worker gets with a message's text."""
    return {
        "Id": ("string", message.id),
        "PopReceipt": ("string", message.pop_receipt),
        "DequeueCount": ("json", json.dumps(message.dequeue_count)),
        "InsertionTime": ("json", json.dumps(message.inserted_at.isoformat())),
        "ExpirationTime": ("json", json.dumps(message.expires_at.isoformat())),
        "NextVisibleTime": ("json", json.dumps(message.visible_at.isoformat())),
    }


def _is_text(message: Message) -> bool:
    try:
        message.text  # noqa: B018  reading it is the check
    except NotBase64Error:
        return False
    return True
