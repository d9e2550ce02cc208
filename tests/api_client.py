"""A program that calls the API with a token."""

import json
from datetime import timedelta
from typing import Any

from django.test import Client
from django.utils import timezone

from accounts import tokens
from accounts.models import ApiToken, User

EVERYTHING = {"may_read": True, "may_write": True, "may_destroy": True}


class Api:
    """`token` is the row, `text` what it says. Paths are below /api/v1/."""

    def __init__(self, owner: User, **fields: Any) -> None:
        given = EVERYTHING | {"name": "robot", "expires_at": timezone.now() + timedelta(days=1)} | fields
        self.token, self.text = tokens.create(owner, **given)
        self.client = Client()

    @property
    def row(self) -> ApiToken:
        return ApiToken.objects.get(pk=self.token.pk)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        headers = {"Authorization": f"Bearer {self.text}"} | {k.replace("_", "-"): v for k, v in headers.items()}
        content = "" if body is None else body if isinstance(body, str) else json.dumps(body)
        return self.client.generic(method, f"/api/v1/{path}", content, "application/json", headers=headers)

    def get(self, path: str, **headers: str) -> Any:
        return self.call("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.call("POST", path, body, **headers)

    def delete(self, path: str, **headers: str) -> Any:
        return self.call("DELETE", path, **headers)

    def items(self, path: str) -> list[dict[str, Any]]:
        """Of all pages."""
        found, cursor = [], ""
        while cursor is not None:
            page = self.get(f"{path}{'&' if '?' in path else '?'}cursor={cursor}" if cursor else path).json()
            found, cursor = found + page["items"], page["next"]
        return found


def fields(answer: Any) -> list[str]:
    """Of the problem: which fields are to blame."""
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == answer.status_code
    return [one["field"] for one in answer.json()["errors"]]
