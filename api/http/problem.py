"""Every error as `application/problem+json` (RFC 9457): what, where, and what to do."""

from __future__ import annotations

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.openapi import ResponseSpec
from msgspec import Struct

from factorloom.api.http.log import log
from factorloom.expressions.errors import DatasetError, FactorloomError, StoreError

__all__ = ["HANDLERS", "MEDIA_TYPE", "Problem", "refusals"]

MEDIA_TYPE = "application/problem+json"


class Problem(Struct, frozen=True, omit_defaults=True):
    """Why a request was not answered; for a fault in an expression with its position, and the place in the text."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    hint: str | None = None
    position: int | None = None
    shown: list[str] | None = None


REFUSALS = {
    400: "The request is at fault.",
    404: "There is no such dataset.",
    406: "No form of the answer is accepted.",
    413: "The body is too large.",
    500: "The service is at fault.",
    503: "The store cannot be read.",
}


def refusals(*codes: int) -> dict[int, ResponseSpec]:
    """What the description says of the problems that a route may answer with instead."""
    return {
        code: ResponseSpec(Problem, generate_examples=False, media_type=MEDIA_TYPE, description=REFUSALS[code])
        for code in codes
    }


def _problem(request: Request[Any, Any, Any], status: int, kind: str, detail: str, **more: Any) -> Response[Problem]:
    problem = Problem(f"urn:factorloom:{kind}", _title(kind), status, detail, request.url.path, **more)
    return Response(problem, status_code=status, media_type=MEDIA_TYPE)


def _ours(request: Request[Any, Any, Any], error: FactorloomError) -> Response[Any]:
    """A fault in what the client asked for, unless the store itself cannot be read."""
    status = HTTPStatus.BAD_REQUEST
    if isinstance(error, DatasetError):
        status = HTTPStatus.NOT_FOUND
    elif isinstance(error, StoreError):
        status = HTTPStatus.SERVICE_UNAVAILABLE
        log.error("the store cannot be read", error=str(error))
    place = {"position": error.position, "shown": str(error).splitlines()[1:3]} if error.text is not None else {}
    return _problem(request, status, _kind(error), error.message, hint=error.hint, **place)


def _theirs(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    """What Litestar refuses: an unknown path, a body that cannot be read, …"""
    phrase = HTTPStatus(error.status_code).phrase
    detail = error.detail if not isinstance(error, ValidationException) else _faults(error)
    response = _problem(request, error.status_code, _dashed(phrase), detail or phrase)
    response.headers.update(error.headers or {})
    return response


def _unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """A fault of ours: logged in full, told in short."""
    log.error("request failed", path=request.url.path, exc_info=error)
    return _problem(request, 500, "internal-server-error", "the request failed; the log of the service tells why")


def _too_deep(request: Request[Any, Any, Any], error: RecursionError) -> Response[Any]:
    return _problem(request, 400, "bad-request", "the body is nested too deep")


HANDLERS: dict[int | type[Exception], Callable[[Request[Any, Any, Any], Any], Response[Any]]] = {
    FactorloomError: _ours,
    HTTPException: _theirs,
    RecursionError: _too_deep,
    Exception: _unexpected,
}


def _faults(error: ValidationException) -> str:
    """The faults that Litestar found in a request, each with its path."""
    extra = error.extra if isinstance(error.extra, list) else []
    faults = [f"{fault.get('key', '$')}: {fault.get('message', '')}" for fault in extra if isinstance(fault, dict)]
    return "; ".join(faults) or str(error.detail)


def _kind(error: FactorloomError) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", type(error).__name__).lower()


def _dashed(phrase: str) -> str:
    return phrase.lower().replace(" ", "-")


def _title(kind: str) -> str:
    return kind.replace("-", " ").capitalize()
