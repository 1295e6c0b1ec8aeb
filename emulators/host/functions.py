"""The worker's index as the host reads it: each function's trigger and outputs, or why it is disabled."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from emulators.host.cron import Schedule, ScheduleError, parse
from emulators.host.routes import Route, RouteError

_SETTING = re.compile(r"%([^%]+)%")
# Source: WebJobs.Script's own check of binding names
_BINDING_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{0,127}")
_RETURN = "$return"
# Source: https://learn.microsoft.com/rest/api/storageservices/naming-queues-and-metadata
_QUEUE_NAME = re.compile(r"(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*")
_UNBOUNDED_RETRIES = -1
_OUTPUTS = {"http", "queue"}


@dataclass(frozen=True, slots=True)
class TimerTrigger:
    """A timer; `use_monitor`: whether the host keeps its status."""

    schedule: Schedule
    use_monitor: bool
    run_on_startup: bool


@dataclass(frozen=True, slots=True)
class HttpTrigger:
    """A route with its methods (empty: any) and its level: `anonymous`, `function` or `admin`."""

    route: Route
    methods: tuple[str, ...]
    auth_level: str


@dataclass(frozen=True, slots=True)
class QueueTrigger:
    """A queue, by its resolved name."""

    queue: str


@dataclass(frozen=True, slots=True)
class Retry:
    """A retry policy: the number of retries (None: no limit), and the delay before each."""

    count: int | None
    delay: timedelta


@dataclass(frozen=True, slots=True)
class Function:
    """One indexed function.

    Attributes:
        id: the worker's id for it.
        bindings: as indexed, including the trigger.
        parameter: the trigger's parameter.
        trigger: None if the function is disabled.
        outputs: the queue of each output parameter.
        retry: of timers only.
        problem: why it is disabled; empty if it is enabled.
    """

    name: str
    id: str
    bindings: tuple[Mapping[str, Any], ...]
    parameter: str = ""
    trigger: TimerTrigger | HttpTrigger | QueueTrigger | None = None
    outputs: Mapping[str, str] | None = None
    retry: Retry | None = None
    problem: str = ""


class BindingError(ValueError):
    """The host rejects a binding; only its function is disabled."""


def read_function(indexed: Mapping[str, Any], settings: Mapping[str, str], route_prefix: str) -> Function:
    """Read one function of the worker's index, with `%NAME%` replaced by the setting."""
    bindings = tuple(indexed["bindings"])
    name, identity = indexed["name"], indexed["id"]
    try:
        _check(bindings)
        trigger = next(binding for binding in bindings if binding["type"].endswith("Trigger"))
        return Function(
            name=name,
            id=identity,
            bindings=bindings,
            parameter=trigger["name"],
            trigger=_read_trigger(trigger, settings, route_prefix),
            outputs={
                binding["name"]: _queue_name(binding, settings) for binding in bindings if binding["type"] == "queue"
            },
            retry=_read_retry(indexed["retry"], trigger["type"]),
        )
    except (BindingError, ScheduleError, RouteError) as error:
        return Function(name, identity, bindings, problem=str(error))


def resolve(text: str, settings: Mapping[str, str]) -> str:
    """Replace `%NAME%` by the setting of that name.

    Raises:
        BindingError: the setting is missing or empty.
    """

    def value(match: re.Match[str]) -> str:
        if not settings.get(match[1]):
            raise BindingError(f"'%{match[1]}%' does not resolve to a value")
        return settings[match[1]]

    return _SETTING.sub(value, text)


def _check(bindings: Sequence[Mapping[str, Any]]) -> None:
    for binding in bindings:
        if not binding["type"].endswith("Trigger") and binding["type"] not in _OUTPUTS:
            raise BindingError(f"this stand-in does not support the binding {binding['type']}")
        if binding["name"] != _RETURN and not _BINDING_NAME.fullmatch(binding["name"]):
            raise BindingError(f"the binding name {binding['name']!r} is invalid")


def _read_trigger(
    binding: Mapping[str, Any], settings: Mapping[str, str], route_prefix: str
) -> TimerTrigger | HttpTrigger | QueueTrigger:
    match binding["type"]:
        case "timerTrigger":
            schedule = parse(resolve(binding["schedule"], settings))
            return TimerTrigger(
                schedule,
                use_monitor=binding.get("useMonitor") is not False,
                run_on_startup=binding.get("runOnStartup") is True,
            )
        case "queueTrigger":
            return QueueTrigger(_queue_name(binding, settings))
        case "httpTrigger":
            return HttpTrigger(
                Route(route_prefix, resolve(binding["route"], settings)),
                tuple(method.upper() for method in binding.get("methods", ())),
                binding.get("authLevel", "function").lower(),
            )
        case other:
            raise BindingError(f"this stand-in does not support {other}")


def _queue_name(binding: Mapping[str, Any], settings: Mapping[str, str]) -> str:
    name = resolve(binding["queueName"], settings)
    if not _QUEUE_NAME.fullmatch(name):
        raise BindingError(f"{name!r} is not a valid name of a queue")
    return name


def _read_retry(options: Mapping[str, Any] | None, trigger: str) -> Retry | None:
    if options is None:
        return None
    if trigger != "timerTrigger":
        raise BindingError(f"this stand-in does not support retries of a {trigger}")
    if options["retry_strategy"] != "fixed_delay":
        raise BindingError(f"this stand-in does not support the retry policy {options['retry_strategy']}")
    count = options["max_retry_count"]
    return Retry(None if count == _UNBOUNDED_RETRIES else count, options["delay_interval"])
