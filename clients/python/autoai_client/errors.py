"""What can go wrong, as exceptions: all of them are `AutoAIError`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .resources import Resource


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
    """One thing that is wrong with a request: a cause of the API server's Status, or a row of a
    prediction.
    """

    field: str
    reason: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


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
        shown = "".join(f"\n  {cause}" for cause in self.causes[:20])
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
            str(body["message"]),
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
    return ApiError(code, "Unknown", f"{what} was answered with {code}: {text[:200]}")


def _problem(problem: dict[str, Any]) -> Cause:
    place = [f"row {problem['row']}"] if "row" in problem else []
    if problem.get("field"):
        place.append(str(problem["field"]))
    found = f", found {problem['found']}" if "found" in problem else ""
    message = str(f"expected {problem.get('expected', 'something else')}{found}")
    return Cause(", ".join(place), str(problem.get("problem", "")), message)


def _json_object(text: str) -> dict[str, Any]:
    import json

    try:
        body = json.loads(text)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
