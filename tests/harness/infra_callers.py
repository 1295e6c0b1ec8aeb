"""Small interpreters of the caller templates: as much of Data Factory and Logic Apps as those use.

`run_pipeline` and `run_workflow` call whatever answers by the app's HTTP contract: a stand-in or the real app.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Reply:
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None


type Answer = Callable[[str, str, Mapping[str, str], bytes], Reply]


@dataclass
class Clock:
    """Simulated time."""

    seconds: float = 0


@dataclass(frozen=True)
class Outcome:
    """What a pipeline or workflow came to."""

    succeeded: bool
    message: str = ""


class Expression:
    """The expression language that both share: literals, calls, members."""

    _TOKEN = re.compile(r"\s*(?:'((?:[^']|'')*)'|(\d+)|(\w+)|(.))", re.DOTALL)

    def __init__(self, text: str, functions: Mapping[str, Callable[..., Any]]) -> None:
        self._tokens = [match for match in self._TOKEN.finditer(text.strip()) if match[0].strip()]
        self._at = 0
        self._functions = functions

    def value(self) -> Any:
        result = self._one()
        assert self._at == len(self._tokens), "something stands behind the expression"
        return result

    def _next(self) -> str:
        return self._tokens[self._at][4] or "" if self._at < len(self._tokens) else ""

    def _one(self) -> Any:
        token = self._tokens[self._at]
        self._at += 1
        if token[1] is not None:
            return token[1].replace("''", "'")
        if token[2] is not None:
            return int(token[2])
        assert token[3], f"not an expression: {token[0]!r}"
        assert self._next() == "(", f"{token[3]} is no call"
        self._at += 1
        arguments = []
        while self._next() != ")":
            if self._next() == ",":
                self._at += 1
            arguments.append(self._one())
        self._at += 1
        result = self._functions[token[3]](*arguments)
        while self._next() == ".":
            name = self._tokens[self._at + 1][3]
            self._at += 2
            result = result[name]
        return result


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "concat": lambda *parts: "".join(parts),
    "contains": lambda whole, part: part in whole,
    "empty": lambda value: not value,
    "equals": lambda one, other: one == other,
    "if": lambda condition, one, other: one if condition else other,
    "not": lambda value: not value,
    "replace": lambda text, old, new: text.replace(old, new),
    "string": lambda value: value if isinstance(value, str) else "" if value is None else json.dumps(value),
}


def evaluate(value: Any, functions: Mapping[str, Callable[..., Any]]) -> Any:
    """A value of a definition: an expression where it begins with @, else itself."""
    if isinstance(value, Mapping) and value.get("type") == "Expression":
        value = value["value"]
    if isinstance(value, str) and value.startswith("@"):
        return Expression(value[1:], functions).value()
    return value


def seconds_of(limit: str) -> float:
    """A time span as Data Factory (d.hh:mm:ss) or ISO 8601 (PT8H, PT30S) writes it."""
    if found := re.fullmatch(r"(?:(\d+)\.)?(\d+):(\d+):(\d+)", limit):
        days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
        return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    found = re.fullmatch(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?", limit)
    assert found, limit
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return (hours * 60 + minutes) * 60 + seconds


def check_request(url: str, headers: Mapping[str, str]) -> None:
    """What no caller may do: go elsewhere than to https, or carry a key where it ends in logs."""
    parts = urlsplit(url)
    assert parts.scheme == "https"
    assert "code=" not in parts.query
    assert "x-functions-key" not in {name.lower() for name in headers}


class Pipeline:
    """A run of a Data Factory pipeline.

    Args:
        definition: the pipeline's properties.
        answer: the app.
        clock: simulated time.
        parameters: given to the run; the rest by default.
        run_id: of the pipeline.
        until_fails_with_its_inside: whether an Until counts as failed where an activity in it failed; Data Factory's
            documentation leaves that open, so a pipeline must be right either way.
    """

    def __init__(
        self,
        definition: Mapping[str, Any],
        answer: Answer,
        clock: Clock,
        parameters: Mapping[str, Any],
        *,
        run_id: str,
        until_fails_with_its_inside: bool,
    ) -> None:
        assert set(parameters) <= set(definition["parameters"])
        defaults = {name: found["defaultValue"] for name, found in definition["parameters"].items()}
        self._variables = {name: found["defaultValue"] for name, found in definition["variables"].items()}
        self._results: dict[str, dict[str, Any]] = {}
        self._answer = answer
        self._clock = clock
        self._until_fails = until_fails_with_its_inside
        self._failure = ""
        self._definition = definition
        self._functions = {
            **FUNCTIONS,
            "pipeline": lambda: {"RunId": run_id, "parameters": {**defaults, **parameters}},
            "variables": lambda name: self._variables[name],
            "activity": lambda name: self._results[name],
        }

    def run(self) -> Outcome:
        succeeded = self._sequence(self._definition["activities"])
        return Outcome(succeeded, self._failure)

    def _sequence(self, activities: Sequence[Mapping[str, Any]]) -> bool:
        """Run activities in the order of their dependencies; succeeded is what every last one says.

        Source: https://learn.microsoft.com/azure/data-factory/tutorial-pipeline-failure-error-handling
        """
        states: dict[str, str] = {}
        for activity in activities:  # they stand in an order that their dependencies allow
            wanted = {found["activity"]: found["dependencyConditions"] for found in activity.get("dependsOn", ())}
            met = all(
                states[name] in conditions or ("Completed" in conditions and states[name] != "Skipped")
                for name, conditions in wanted.items()
            )
            states[activity["name"]] = self._activity(activity) if met else "Skipped"
        parents = {activity["name"]: [d["activity"] for d in activity.get("dependsOn", ())] for activity in activities}
        inner = {name for names in parents.values() for name in names}

        def counts_as(name: str) -> bool:
            return all(map(counts_as, parents[name])) if states[name] == "Skipped" else states[name] == "Succeeded"

        return all(counts_as(name) for name in states if name not in inner)

    def _activity(self, activity: Mapping[str, Any]) -> str:
        kind, properties = activity["type"], activity["typeProperties"]
        if kind == "Wait":
            self._clock.seconds += properties["waitTimeInSeconds"]
        elif kind == "SetVariable":
            self._variables[properties["variableName"]] = evaluate(properties["value"], self._functions)
        elif kind == "IfCondition":
            branch = "ifTrue" if evaluate(properties["expression"], self._functions) else "ifFalse"
            return "Succeeded" if self._sequence(properties.get(f"{branch}Activities", [])) else "Failed"
        elif kind == "Fail":
            self._failure = evaluate(properties["message"], self._functions)
            return "Failed"
        elif kind == "Until":
            return self._until(properties)
        else:
            assert kind == "WebActivity", kind
            return self._web(activity)
        return "Succeeded"

    def _until(self, properties: Mapping[str, Any]) -> str:
        ends_at = self._clock.seconds + seconds_of(properties["timeout"])
        succeeded = True
        while self._clock.seconds < ends_at:
            succeeded &= self._sequence(properties["activities"])
            if evaluate(properties["expression"], self._functions):
                return "Succeeded" if succeeded or not self._until_fails else "Failed"
        return "Failed"  # timed out

    def _web(self, activity: Mapping[str, Any]) -> str:
        properties, policy = activity["typeProperties"], activity["policy"]
        assert properties["turnOffAsync"] is True, "it would follow Location by itself, and for seven days"
        assert properties["authentication"]["type"] == "MSI"
        url = evaluate(properties["url"], self._functions)
        headers = {name: evaluate(value, self._functions) for name, value in properties.get("headers", {}).items()}
        body = (evaluate(properties.get("body"), self._functions) or "").encode()
        check_request(url, headers)
        for tries_left in reversed(range(policy["retry"] + 1)):
            reply = self._answer(properties["method"], url, headers, body)
            if reply.status < 400:
                assert isinstance(reply.body, dict), "a Web activity takes a JSON object only"
                output = {**reply.body, "ADFWebActivityResponseHeaders": dict(reply.headers)}
                self._results[activity["name"]] = {"output": output}
                return "Succeeded"
            if tries_left:
                self._clock.seconds += policy["retryIntervalInSeconds"]
        self._results[activity["name"]] = {"output": {}, "error": {"message": json.dumps(reply.body)}}
        return "Failed"


RETRIED = (408, 429)


def run_workflow(definition: Mapping[str, Any], answer: Answer, clock: Clock, *, run_id: str) -> Outcome:
    """Run a Logic App: HTTP actions that follow 202 and Location by themselves, and Terminate.

    Source: https://learn.microsoft.com/azure/connectors/connectors-native-http#asynchronous-request-response-behavior
    """
    states: dict[str, str] = {}
    bodies: dict[str, Any] = {}
    functions = {
        **FUNCTIONS,
        "workflow": lambda: {"run": {"name": run_id}},
        "actions": lambda name: {"status": states[name]},
        "body": lambda name: bodies[name],
    }
    for name, action in definition["actions"].items():  # they stand in an order that runAfter allows
        if not all(states[before] in wanted for before, wanted in action["runAfter"].items()):
            states[name] = "Skipped"
        elif action["type"] == "Terminate":
            assert action["inputs"]["runStatus"] == "Failed"
            return Outcome(succeeded=False, message=evaluate(action["inputs"]["runError"]["message"], functions))
        else:
            assert action["type"] == "Http", action["type"]
            states[name], bodies[name] = _http(action, answer, clock, functions)
    return Outcome(succeeded="Failed" not in states.values() and "TimedOut" not in states.values())


def _http(
    action: Mapping[str, Any], answer: Answer, clock: Clock, functions: Mapping[str, Callable[..., Any]]
) -> tuple[str, Any]:
    inputs, policy = action["inputs"], action["inputs"]["retryPolicy"]
    assert inputs["authentication"]["type"] == "ManagedServiceIdentity"
    ends_at = clock.seconds + seconds_of(action["limit"]["timeout"])
    headers = {name: evaluate(value, functions) for name, value in inputs["headers"].items()}
    method, url, body = inputs["method"], inputs["uri"], json.dumps(inputs["body"]).encode()
    tries_left = policy["count"]
    while clock.seconds < ends_at:
        check_request(url, headers)
        reply = answer(method, url, headers, body)
        if reply.status == 202:
            method, url, headers, body = "GET", reply.headers["Location"], {}, b""
            clock.seconds += int(reply.headers["Retry-After"])
        elif (reply.status in RETRIED or reply.status >= 500) and tries_left:
            tries_left -= 1
            clock.seconds += seconds_of(policy["interval"])
        else:
            return ("Succeeded" if reply.status < 400 else "Failed"), reply.body
    return "TimedOut", None
