"""What a call can fail with."""

from __future__ import annotations

from collections.abc import Mapping


class ApiError(Exception):
    """An answer which is not a success. The first line of the message becomes the reason phrase."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        errors: Mapping[str, str] | None = None,
        bare: bool = False,
        delay: float = 0.0,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = errors
        self.bare = bare
        self.delay = delay


class TaskError(Exception):
    """A task ends with this text as its exit status."""


def bad_parameters(errors: Mapping[str, str]) -> ApiError:
    return ApiError(400, "Parameter verification failed.\n", errors=errors)


def forbidden(what: str) -> ApiError:
    return ApiError(403, f"Permission check failed ({what})\n")


def failed(message: str) -> ApiError:
    return ApiError(500, f"{message}\n")
