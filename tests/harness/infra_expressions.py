"""The expression language of Data Factory and Logic Apps, as far as the caller templates use it."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any


class Expression:
    """An expression in the language that both share: literals, calls, members."""

    _TOKEN = re.compile(r"\s*(?:'((?:[^']|'')*)'|(\d+)|(\w+)|(\?\[|.))", re.DOTALL)

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
        while (sign := self._next()) in (".", "[", "?["):
            name = self._tokens[self._at + 1]
            self._at += 2 if sign == "." else 3
            key = name[3] if sign == "." else int(name[2]) if name[2] else name[1]
            if sign == "?[" and isinstance(key, str):
                result = (result or {}).get(key)
            else:
                result = None if sign == "?[" and not result else result[key]
        return result


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "and": lambda *conditions: all(conditions),
    "coalesce": lambda *values: next((value for value in values if value is not None), None),
    "concat": lambda *parts: "".join(parts),
    "contains": lambda whole, part: part in whole,
    "empty": lambda value: not value,
    "equals": lambda one, other: one == other,
    "first": lambda values: values[0],
    "greaterOrEquals": lambda one, other: one >= other,
    "if": lambda condition, one, other: one if condition else other,
    "join": lambda values, between: between.join(values),
    "json": json.loads,
    "less": lambda one, other: one < other,
    "not": lambda value: not value,
    "or": lambda one, other: one or other,
    "replace": lambda text, old, new: text.replace(old, new),
    "split": lambda text, between: text.split(between),
    "string": lambda value: value if isinstance(value, str) else "" if value is None else json.dumps(value),
}


def evaluate(value: Any, functions: Mapping[str, Callable[..., Any]]) -> Any:
    """Evaluate a value of a definition: an expression (`@…`), a text with expressions (`@{…}`), or a plain value."""
    if isinstance(value, str) and "@{" in value:
        return re.sub(r"@\{(.+?)\}", lambda found: str(evaluate(f"@{found[1]}", functions) or ""), value)
    if isinstance(value, str) and value.startswith("@"):
        return Expression(value[1:], functions).value()
    return value


def evaluate_in_data_factory(value: Any, functions: Mapping[str, Callable[..., Any]]) -> Any:
    """Evaluate a value of a pipeline, where expressions are objects, and a text is never an expression."""
    if isinstance(value, Mapping) and value.get("type") == "Expression":
        return evaluate(value["value"], functions)
    assert not (isinstance(value, str) and value.startswith("@")), f"not marked as an expression: {value}"
    return value
