"""`Idempotency-Key`: the same key gives the first answer for 24 hours, whatever happened in between.

The row with the answer is written in the transaction of the effect. A call that dies leaves neither behind; of two at
once the second waits for the first (on PostgreSQL at the row's unique constraint, on SQLite for the lock of writers)
and gets its answer. A refusal undoes what the call had done so far, and is an answer like any other.
"""

import json
import re
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import transaction
from django.http import HttpResponse
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from accounts.api import problems
from accounts.api.auth import ApiRequest
from accounts.api.problems import Problem
from accounts.models import IdempotentCall

HEADER = "Idempotency-Key"
FIELD = f"header.{HEADER}"
KEY = re.compile(r"[\x21-\x7e]{1,200}")
REPEATED = "Idempotent-Replayed"

Work = Callable[[], HttpResponse]


def once(request: ApiRequest, work: Work) -> HttpResponse:
    """What `work` answers, or what it answered the first time. Raises `Problem` for a key of another call."""
    key = request.headers[HEADER]
    if not KEY.fullmatch(key):
        raise Problem(422, _("A key has 1 to 200 printable characters of ASCII without blanks."), field=FIELD)
    fingerprint = _fingerprint(request)
    with transaction.atomic():
        row, is_new = IdempotentCall.objects.get_or_create(
            token=request.auth, key=key, defaults={"fingerprint": fingerprint}
        )
        if is_new or _is_renewed(row, fingerprint):
            answer = _answer(work)
            _keep(row, answer, getattr(request, "not_repeated", frozenset()))
            return answer
    if row.fingerprint != fingerprint:
        raise Problem(422, _("This key was used for another call. Choose a new key."), field=FIELD)
    return _repeated(row)


def forget_old() -> None:
    IdempotentCall.objects.filter(created_at__lte=timezone.now() - IdempotentCall.KEPT).delete()


def _is_renewed(row: IdempotentCall, fingerprint: str) -> bool:
    """Whether it was too old, and is now of this call."""
    now = timezone.now()
    old = IdempotentCall.objects.filter(pk=row.pk, created_at__lte=now - IdempotentCall.KEPT)
    if row.created_at > now - IdempotentCall.KEPT:
        return False
    return bool(old.update(created_at=now, fingerprint=fingerprint))


def _answer(work: Work) -> HttpResponse:
    try:
        with transaction.atomic():
            return work()
    except problems.KNOWN as error:
        return problems.response(problems.of(error))


def _fingerprint(request: ApiRequest) -> str:
    """Keyed: a body may hold what can be guessed."""
    parts = [str(request.method), request.get_full_path(), request.body.hex()]
    said = json.dumps(parts)
    return salted_hmac("accounts.idempotency", said, secret=settings.SECRET_KEY, algorithm="sha256").hexdigest()


def _keep(row: IdempotentCall, answer: HttpResponse, secrets: frozenset[str]) -> None:
    row.status, row.content_type = answer.status_code, answer.headers.get("Content-Type", "")
    row.location = answer.headers.get("Location", "")
    text = answer.content.decode()
    row.answer = json.dumps(_without(json.loads(text), secrets)) if secrets and text else text
    row.save(update_fields=["status", "content_type", "location", "answer"])


def _without(value: Any, secrets: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {name: None if name in secrets else _without(one, secrets) for name, one in value.items()}
    return [_without(one, secrets) for one in value] if isinstance(value, list) else value


def _repeated(row: IdempotentCall) -> HttpResponse:
    answer = HttpResponse(row.answer, status=row.status, content_type=row.content_type, headers={REPEATED: "true"})
    if row.location:
        answer["Location"] = row.location
    return answer
