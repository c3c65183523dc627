"""What can go wrong, as exceptions: all of them are `AutoAIError`."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .resources import Resource


SHOWN_CAUSES = 20
NOBODY_THERE = frozenset({"NotFound", "ServiceUnavailable"})
"""Reasons of the API server where nobody is behind a Service; the operator and models have words of their
own for what they refuse.
"""


class AutoAIError(Exception):
    """Anything that this package raises by itself."""


class ConfigError(AutoAIError):
    """The kubeconfig, or what stands in for it, cannot be used; the message says why."""


class UnreachableError(AutoAIError):
    """Nobody answered: the API server, or the way to it."""


class WaitTimeoutError(AutoAIError, TimeoutError):
    """What was waited for did not come within the time that was given; waiting can go on."""


class DamagedPackageError(AutoAIError):
    """A model package is not the one that was published: nothing of it was kept."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that is wrong with a request: a cause of the API server's Status, or of a prediction a
    column of a row.
    """

    field: str
    reason: str
    message: str
    row: int | None = None
    """Counts from 0, over all rows that were given."""

    def __str__(self) -> str:
        place = ", ".join([*([] if self.row is None else [f"row {self.row}"]), *filter(None, [self.field])])
        return f"{place}: {self.message}" if place else self.message

    def moved(self, rows: int) -> Cause:
        """The same so many rows further on."""
        return self if self.row is None else replace(self, row=self.row + rows)


class ApiError(AutoAIError):
    """The API server, the operator or a model said no.

    `code` is the HTTP status, `reason` one word for programs (`Invalid`, `NotFound`, `Forbidden`,
    `Conflict`, ...), `causes` name the fields that are wrong.
    """

    def __init__(self, code: int, reason: str, message: str, causes: Sequence[Cause] = ()) -> None:
        self.code = code
        self.reason = reason
        self.message = message
        self.causes = tuple(causes)
        shown = "".join(f"\n  {cause}" for cause in self.causes[:SHOWN_CAUSES])
        if len(self.causes) > SHOWN_CAUSES:
            shown += f"\n  and {len(self.causes) - SHOWN_CAUSES} more, in causes"
        super().__init__(f"{message} ({reason}, {code}){shown}")


class NotDoneError(AutoAIError):
    """What was waited for will not come by itself; `resource` is what it is now."""

    def __init__(self, resource: Resource, message: str) -> None:
        self.resource = resource
        self.reason = resource.reason
        super().__init__(message)


class FailedError(NotDoneError):
    """The job is over, without a model."""


class StalledError(NotDoneError):
    """Nothing happens until somebody mends the cause; afterwards, wait again."""


def api_error(code: int, text: str, what: str) -> ApiError:
    """The error that an answer other than success tells of, whoever gave it."""
    body = _json_object(text)
    if "message" in body and body.get("kind") == "Status":
        details = body.get("details")
        causes = details.get("causes", []) if isinstance(details, dict) else []
        return ApiError(
            code,
            str(body.get("reason") or "Unknown"),
            str(body["message"]) + _hint(code, str(body["message"]), what),
            [
                Cause(str(one.get("field", "")), str(one.get("reason", "")), str(one.get("message", "")))
                for one in causes
                if isinstance(one, dict)
            ],
        )
    if "outcome" in body and "message" in body:  # the operator
        return ApiError(code, str(body["outcome"]), str(body["message"]))
    if "error" in body and "reason" in body:  # the server of a model
        problems = body.get("problems", [])
        return ApiError(code, str(body["reason"]), str(body["error"]), [_problem(one) for one in problems])
    if code == 404 and "/apis/autoai.dev/" in what:  # as an API server says of a kind that it does not know
        return ApiError(
            code,
            "NotFound",
            "this API server knows nothing of AutoAI: install its chart there, or choose another context",
        )
    return ApiError(code, "Unknown", f"{what} was answered with {code}: {text[:200].strip()}")


def _hint(code: int, message: str, what: str) -> str:
    """What the API server leaves out."""
    if code == 401:
        return (
            ": the API server does not know who asks; the token or certificate has ended, "
            "or is for another cluster: sign in again"
        )
    namespace = re.search("/namespaces/([^/ ]+)/", what)
    if code == 404 and namespace and not message.startswith("namespaces "):
        return f" in namespace {namespace[1]}"
    return ""


def _problem(problem: dict[str, Any]) -> Cause:
    found = f", found {problem['found']}" if "found" in problem else ""
    return Cause(
        str(problem.get("field", "")),
        str(problem.get("problem", "")),
        f"expected {problem.get('expected', 'something else')}{found}",
        problem.get("row"),
    )


def _json_object(text: str) -> dict[str, Any]:
    try:
        body = json.loads(text)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
