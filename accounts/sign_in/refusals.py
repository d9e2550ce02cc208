"""The page for whoever cannot be signed in, though the password was right or could not be tried.

It is answered wherever a password is asked for: at the portal's own login and at that of the administration.
"""

import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from accounts.sign_in.entering import Refused
from accounts.sign_in.outages import SourceDown

logger = logging.getLogger(__name__)

RETRY_AFTER = "10"  # seconds


class RefusalPages:
    """Middleware: `Refused` is 403 with the reason, `SourceDown` is 503. Neither counts as a wrong password."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, SourceDown):
            logger.warning("%s cannot be asked: %s", exception.source.name, exception.message.english)
            answer = self._page(request, {"down": exception.source}, status=503)
            answer["Retry-After"] = RETRY_AFTER
            return answer
        if isinstance(exception, Refused):
            return self._page(request, {"sentence": exception.sentence.rendered}, status=403)
        return None

    @staticmethod
    def _page(request: HttpRequest, context: dict[str, Any], *, status: int) -> HttpResponse:
        wanted = request.POST.get("next", "")
        back = f"{request.path}?{urlencode({'next': wanted})}" if wanted else request.path
        return render(request, "sign_in/password_problem.html", {"back": back, **context}, status=status)
