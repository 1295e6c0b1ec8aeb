"""Small interpreters for the caller templates, with the parts of Data Factory and Logic Apps that those use.

`Pipeline` and `Workflow` call anything with the app's HTTP contract: a stand-in, or the real app.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from tests.harness.infra_expressions import FUNCTIONS, evaluate, evaluate_in_data_factory


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
    """The outcome of a pipeline or workflow."""

    succeeded: bool
    message: str = ""


def seconds_of(limit: str) -> float:
    """Return a time span in the notation of Data Factory (d.hh:mm:ss) or ISO 8601 (PT8H, PT30S) in seconds."""
    if found := re.fullmatch(r"(?:(\d+)\.)?(\d+):(\d+):(\d+)", limit):
        days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
        return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    found = re.fullmatch(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?", limit)
    assert found, limit
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return (hours * 60 + minutes) * 60 + seconds


VAULT_KEY = "the function key"


def vault_or(answer: Answer) -> Answer:
    """Return the vault with the function key, in front of the app."""

    def told(method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        parts = urlsplit(url)
        assert parts.scheme == "https"
        assert "code=" not in parts.query, "a key in an address ends in logs"
        if parts.netloc.endswith(".vault.azure.net"):
            assert method == "GET"
            assert parts.query.startswith("api-version=")
            return Reply(200, {}, {"value": VAULT_KEY, "id": url})
        return answer(method, url, headers, body)

    return told


# Both occur in practice: https://learn.microsoft.com/answers/questions/ has several of each.
ERROR_FORMATS = (
    "Invoking Web Activity failed with HttpStatusCode - '{code} : {phrase}', message - '",
    "Invoking Web Activity failed with HttpStatusCode - '{word}', message - '",
)


class Pipeline:
    """A run of a Data Factory pipeline.

    Args:
        definition: the pipeline's properties.
        answer: the app.
        clock: simulated time.
        parameters: of the run; the others have their defaults.
        run_id: of the pipeline.
        error_format: the beginning of a failed Web activity's message, which Data Factory does not document.
        until_fails_with_its_inside: whether an Until fails if an activity in it failed. Data Factory does not document
            it, so a pipeline must work either way.
    """

    def __init__(
        self,
        definition: Mapping[str, Any],
        answer: Answer,
        clock: Clock,
        parameters: Mapping[str, Any],
        *,
        run_id: str,
        until_fails_with_its_inside: bool = True,
        error_format: str = ERROR_FORMATS[0],
    ) -> None:
        assert set(parameters) <= set(definition["parameters"])
        defaults = {name: found["defaultValue"] for name, found in definition["parameters"].items()}
        self._variables = {name: found["defaultValue"] for name, found in definition["variables"].items()}
        self._results: dict[str, dict[str, Any]] = {}
        self._answer = vault_or(answer)
        self._clock = clock
        self._error_format = error_format
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
        """Run activities in the order of their dependencies. They succeed if every last one does.

        Source: https://learn.microsoft.com/azure/data-factory/tutorial-pipeline-failure-error-handling
        """
        states: dict[str, str] = {}
        for activity in activities:  # the definition lists them in an order that fits their dependencies
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
            self._variables[properties["variableName"]] = evaluate_in_data_factory(properties["value"], self._functions)
        elif kind == "IfCondition":
            branch = "ifTrue" if evaluate_in_data_factory(properties["expression"], self._functions) else "ifFalse"
            return "Succeeded" if self._sequence(properties.get(f"{branch}Activities", [])) else "Failed"
        elif kind == "Fail":
            self._failure = evaluate_in_data_factory(properties["message"], self._functions)
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
            if evaluate_in_data_factory(properties["expression"], self._functions):
                return "Succeeded" if succeeded or not self._until_fails else "Failed"
        return "Failed"  # timed out

    def _web(self, activity: Mapping[str, Any]) -> str:
        properties, policy = activity["typeProperties"], activity["policy"]
        headers = {
            name: evaluate_in_data_factory(value, self._functions)
            for name, value in properties.get("headers", {}).items()
        }
        url = evaluate_in_data_factory(properties["url"], self._functions)
        self._check_proof(activity, headers, of_the_vault=".vault." in url)
        body = (evaluate_in_data_factory(properties.get("body"), self._functions) or "").encode()
        for tries_left in reversed(range(policy["retry"] + 1)):
            reply = self._answer(properties["method"], url, headers, body)
            if reply.status < 400:
                assert isinstance(reply.body, dict), "a Web activity takes a JSON object only"
                output = {**reply.body, "ADFWebActivityResponseHeaders": dict(reply.headers)}
                self._results[activity["name"]] = {"output": output}
                return "Succeeded"
            if tries_left:
                self._clock.seconds += policy["retryIntervalInSeconds"]
        phrase = HTTPStatus(reply.status).phrase
        text = self._error_format.format(code=reply.status, phrase=phrase, word=phrase.replace(" ", ""))
        self._results[activity["name"]] = {"output": {}, "error": {"message": f"{text}{json.dumps(reply.body)}'"}}
        return "Failed"

    @staticmethod
    def _check_proof(activity: Mapping[str, Any], headers: Mapping[str, str], *, of_the_vault: bool) -> None:
        """Check that the call has a token, or a key that no log shows."""
        properties, policy = activity["typeProperties"], activity["policy"]
        if of_the_vault:
            assert properties["authentication"] == {"type": "MSI", "resource": "https://vault.azure.net"}
            assert policy["secureOutput"] is True
            return
        assert properties["turnOffAsync"] is True, "it would follow Location by itself, and for seven days"
        if "x-functions-key" in headers:
            assert headers["x-functions-key"] == VAULT_KEY
            assert policy["secureInput"] is True
            assert "authentication" not in properties
        else:
            assert properties["authentication"]["type"] == "MSI"


class Workflow:
    """A run of a Logic App.

    Source: https://learn.microsoft.com/azure/logic-apps/logic-apps-workflow-actions-triggers
    """

    def __init__(self, definition: Mapping[str, Any], answer: Answer, clock: Clock, *, run_id: str) -> None:
        self._definition = definition
        self._answer = vault_or(answer)
        self._clock = clock
        self._states: dict[str, str] = {}
        self._outputs: dict[str, dict[str, Any]] = {}
        self._variables: dict[str, Any] = {}
        self._failure: str | None = None
        self._functions = {
            **FUNCTIONS,
            "workflow": lambda: {"run": {"name": run_id}},
            "outputs": lambda name: self._outputs[name],
            "body": lambda name: self._outputs[name].get("body"),
            "variables": lambda name: self._variables[name],
        }

    def run(self) -> Outcome:
        succeeded = self._sequence(self._definition["actions"])
        if self._failure is not None:
            return Outcome(succeeded=False, message=self._failure)
        return Outcome(succeeded=succeeded)

    def _sequence(self, actions: Mapping[str, Mapping[str, Any]]) -> bool:
        """Run actions, listed in an order that fits `runAfter`. A skipped last one counts as those before it."""
        for name, action in actions.items():
            if self._failure is not None:
                return False
            ready = all(self._states[before] in wanted for before, wanted in action["runAfter"].items())
            self._states[name] = self._action(name, action) if ready else "Skipped"
        handled = {before for action in actions.values() for before in action["runAfter"]}

        def counts_as(name: str) -> bool:
            before = actions[name]["runAfter"]
            return all(map(counts_as, before)) if self._states[name] == "Skipped" else self._states[name] == "Succeeded"

        return all(counts_as(name) for name in actions if name not in handled)

    def _action(self, name: str, action: Mapping[str, Any]) -> str:
        kind, inputs = action["type"], action.get("inputs", {})
        if kind == "Http":
            return self._http(name, action)
        if kind == "Until":
            return self._until(action)
        if kind == "Wait":
            assert inputs["interval"]["unit"] == "Second"
            self._clock.seconds += inputs["interval"]["count"]
        elif kind == "InitializeVariable":
            self._variables |= {one["name"]: one["value"] for one in inputs["variables"]}
        elif kind == "SetVariable":
            self._variables[inputs["name"]] = evaluate(inputs["value"], self._functions)
        elif kind == "If":
            chosen = action if evaluate(action["expression"], self._functions) else action["else"]
            return "Succeeded" if self._sequence(chosen["actions"]) else "Failed"
        else:
            assert kind == "Terminate", kind
            assert inputs["runStatus"] == "Failed"
            self._failure = evaluate(inputs["runError"]["message"], self._functions)
        return "Succeeded"

    def _until(self, action: Mapping[str, Any]) -> str:
        ends_at = self._clock.seconds + seconds_of(action["limit"]["timeout"])
        for _ in range(action["limit"]["count"]):
            if self._clock.seconds >= ends_at:
                return "TimedOut"
            succeeded = self._sequence(action["actions"])
            if evaluate(action["expression"], self._functions):
                return "Succeeded" if succeeded else "Failed"
        return "TimedOut"

    def _http(self, name: str, action: Mapping[str, Any]) -> str:
        inputs = action["inputs"]
        url = evaluate(inputs["uri"], self._functions)
        headers = {key: evaluate(value, self._functions) for key, value in inputs.get("headers", {}).items()}
        self._check_proof(action, headers, of_the_vault=".vault." in url)
        body = json.dumps(inputs["body"]).encode() if "body" in inputs else b""
        policy = inputs.get("retryPolicy", {"type": "default"})
        for tries_left in reversed(range(policy.get("count", 0) + 1)):
            reply = self._answer(inputs["method"], url, headers, body)
            self._outputs[name] = {"statusCode": reply.status, "headers": dict(reply.headers), "body": reply.body}
            if reply.status < 400:
                return "Succeeded"
            if reply.status not in RETRIED and reply.status < 500:
                break
            if tries_left:
                self._clock.seconds += seconds_of(policy["interval"])
        return "Failed"

    @staticmethod
    def _check_proof(action: Mapping[str, Any], headers: Mapping[str, str], *, of_the_vault: bool) -> None:
        """Check that the call has a token, or a key that no run history shows."""
        authentication = action["inputs"].get("authentication")
        if of_the_vault or "x-functions-key" in headers:
            assert action["runtimeConfiguration"]["secureData"]["properties"] == ["inputs", "outputs"]
        if of_the_vault:
            assert authentication == {"type": "ManagedServiceIdentity", "audience": "https://vault.azure.net"}
            return
        assert action["operationOptions"] == "DisableAsyncPattern", "one failed poll would end it"
        if "x-functions-key" in headers:
            assert headers["x-functions-key"] == VAULT_KEY
            assert authentication is None
        else:
            assert authentication["type"] == "ManagedServiceIdentity"


RETRIED = (408, 429)
