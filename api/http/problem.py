"""Turn every error into `application/problem+json` (RFC 9457): what is wrong, where, and what to do."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.openapi import ResponseSpec
from msgspec import Struct

from factorloom.api.http.log import log
from factorloom.expressions.errors import DatasetError, FactorloomError, StoreError

__all__ = ["HANDLERS", "MEDIA_TYPE", "Problem", "error_responses"]

MEDIA_TYPE = "application/problem+json"


class Problem(Struct, frozen=True, omit_defaults=True):
    """An error; one in an expression has its position, and the expression with a caret."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    hint: str | None = None
    position: int | None = None
    shown: list[str] | None = None


DESCRIPTIONS = {
    400: "The request is invalid.",
    404: "The dataset does not exist.",
    406: "The client accepts no available format.",
    413: "The body is too large.",
    500: "The service failed.",
    503: "The store cannot be read.",
}


def error_responses(*codes: int) -> dict[int, ResponseSpec]:
    """The error responses of a route, for OpenAPI."""
    return {
        code: ResponseSpec(Problem, generate_examples=False, media_type=MEDIA_TYPE, description=DESCRIPTIONS[code])
        for code in codes
    }


def _problem(request: Request[Any, Any, Any], status: int, kind: str, detail: str, **more: Any) -> Response[Problem]:
    problem = Problem(f"urn:factorloom:{kind}", _title(kind), status, detail, request.url.path, **more)
    return Response(problem, status_code=status, media_type=MEDIA_TYPE)


def _factorloom_error(request: Request[Any, Any, Any], error: FactorloomError) -> Response[Any]:
    """An error in the request, or a store that cannot be read."""
    status = HTTPStatus.BAD_REQUEST
    if isinstance(error, DatasetError):
        status = HTTPStatus.NOT_FOUND
    elif isinstance(error, StoreError):
        status = HTTPStatus.SERVICE_UNAVAILABLE
        log.error("the store cannot be read", error=str(error))
    position = {"position": error.position, "shown": str(error).splitlines()[1:3]} if error.text is not None else {}
    return _problem(request, status, _kind(error), error.message, hint=error.hint, **position)


def _http_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    """An error of Litestar, such as an unknown path or an invalid body."""
    phrase = HTTPStatus(error.status_code).phrase
    detail = error.detail if not isinstance(error, ValidationException) else _validation_errors(error)
    response = _problem(request, error.status_code, _to_kebab_case(phrase), detail or phrase)
    response.headers.update(error.headers or {})
    return response


def _internal_error(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """An unexpected error: logged with its traceback, without details in the response."""
    log.error("request failed", path=request.url.path, exc_info=error)
    return _problem(request, 500, "internal-server-error", "the request failed; see the log of the service")


def _too_deep(request: Request[Any, Any, Any], error: RecursionError) -> Response[Any]:
    return _problem(request, 400, "bad-request", "the body is nested too deep")


def _not_utf8(request: Request[Any, Any, Any], error: UnicodeDecodeError) -> Response[Any]:
    """Litestar decodes the body; text that our own code cannot decode is no fault of the request."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    if not str(frame.f_globals.get("__name__")).startswith("litestar"):
        return _internal_error(request, error)
    return _problem(request, 400, "bad-request", f"the body is not UTF-8: byte {error.start} cannot be read")


HANDLERS: dict[int | type[Exception], Callable[[Request[Any, Any, Any], Any], Response[Any]]] = {
    FactorloomError: _factorloom_error,
    HTTPException: _http_error,
    RecursionError: _too_deep,
    UnicodeDecodeError: _not_utf8,
    Exception: _internal_error,
}


def _validation_errors(error: ValidationException) -> str:
    """The errors that Litestar found in a request, each with its path."""
    extra = error.extra if isinstance(error.extra, list) else []
    errors = [f"{item.get('key', '$')}: {item.get('message', '')}" for item in extra if isinstance(item, dict)]
    return "; ".join(errors) or str(error.detail)


def _kind(error: FactorloomError) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", type(error).__name__).lower()


def _to_kebab_case(phrase: str) -> str:
    return phrase.lower().replace(" ", "-")


def _title(kind: str) -> str:
    return kind.replace("-", " ").capitalize()
