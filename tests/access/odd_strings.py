"""Strings that are not what they seem, put into every row of the database."""

import re
from collections import Counter
from html.parser import HTMLParser
from typing import Any

from django.apps import apps
from django.db import connection, models

from accounts.encrypted_fields import EncryptedSecretField
from tests.admin_pages import XSS

# Those that a browser follows where they begin an address, and what gets around filters rather than escaping.
SCHEMES = [
    "javascript:alert(1)//", "JaVaScRiPt:alert(1)//", "java\tscript:alert(1)//", "\x01javascript:alert(1)//",
    "data:text/html,<script>alert(1)</script>", "vbscript:msgbox(1)//", "//evil.test/x.js", "https://evil.test/<b>",
    "\u2028<script>alert(1)</script>\u2029", "\u0130<img src=x onerror=alert(1)>\ufeff",
]  # fmt: skip
PAYLOADS = SCHEMES + XSS[:-10]
# Each page is shown with five of them in a row, of which one that needs to stands first.
GROUPS = [" ".join(PAYLOADS[number :: len(SCHEMES)]) for number in range(len(SCHEMES))]
# What is asked and typed comes back in words and fields, and never begins an address: half of them at once.
TEXTS = [" ".join(PAYLOADS[number::2]) for number in range(2)]
HARMLESS = "harmless words"

APPS = ("accounts", "clusters", "vms", "classes", "auditlog", "axes", "admin", "django_tasks_database")
# Keys, what is chosen from a list, and what the product itself makes and reads.
KEPT = {
    "cluster_id", "password", "time_zone", "language", "object_pk", "object_id", "session_hash", "args_kwargs", "scope",
}  # fmt: skip
KEYS = {("accounts.SignInSource", "name")}  # addresses contain it
ADDRESSING = {"href", "src", "action", "formaction", "poster", "data", "hx-get", "hx-post", "srcset", "background"}


def put_everywhere(text: str) -> int:
    """Write it into each column of each row, past what forms would refuse. Returns how many columns that are."""
    columns = 0
    for model in apps.get_models():
        if model._meta.app_label in APPS or model._meta.label == "auth.Group":
            fields = [field for field in model._meta.concrete_fields if _is_written(field)]
            columns += len(fields)
            _write(model, fields, text)
    return columns


def _is_written(field: models.Field[Any, Any]) -> bool:
    is_text = isinstance(field, models.CharField | models.TextField | models.JSONField)
    is_key = (field.model._meta.label, field.name) in KEYS
    is_made = (
        is_key or field.name in KEPT or field.name.endswith("_message")
    )  # a stored message: read only beside its text
    is_fixed = field.primary_key or field.choices or is_made or isinstance(field, EncryptedSecretField)
    return is_text and not is_fixed


def _write(model: type[models.Model], fields: list[Any], text: str) -> None:
    for row in model._base_manager.all():
        told = (field for field in fields if not _would_change_all(model, field.name, row))
        values = {field.name: _value(row, field, text) for field in told}
        if values:
            model._base_manager.filter(pk=row.pk).update(**values)


def _would_change_all(model: type[models.Model], name: str, row: Any) -> bool:
    """A machine of a batch that was asked is not refused, and a grant of a whole cluster is of no pool."""
    return (model._meta.label, name) in {("vms.BatchItem", "refusal"), ("vms.ClusterGrant", "pool")} and not getattr(
        row, name
    )


def _value(row: Any, field: Any, text: str) -> Any:
    if field.name == "tags":
        text = text.replace(";", ",")  # of which each more would be a tag more
    if field.name == "links":
        text = f"https://school.example/ {text}"  # or it would be none
    if isinstance(field, models.JSONField):
        return {text: [text, text]} if isinstance(getattr(row, field.name), dict) else [text]
    if field.max_length and (field.max_length > 60 or connection.vendor == "postgresql"):  # SQLite takes any length
        text = text[: min(field.max_length, max(field.max_length - 12, 8))]
    return f"{text} {row.pk}" if _is_unique(field) else text


def _is_unique(field: models.Field[Any, Any]) -> bool:
    rules = (rule for rule in field.model._meta.constraints if isinstance(rule, models.UniqueConstraint))
    named = (f"{rule.fields} {rule.expressions}" for rule in rules)
    return field.unique or any(re.search(rf"\b{field.name}\b", names) for names in named)


class Structure(HTMLParser):
    """What a page is made of, without its words: elements, handlers of events, and schemes of addresses."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.parts: Counter[str] = Counter()
        try:
            self.feed(text)
            self.close()
        except AssertionError:  # Python 3.11's parser gives up at a declaration that is none
            self.parts["declaration"] += 1

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.parts[f"<{tag}>"] += tag != "span"  # the age of what is shown comes and goes with the time a test takes
        for name, value in attrs:
            if name.startswith("on"):
                self.parts[f"<{tag} {name}>"] += 1
            if name in ADDRESSING:
                self.parts[f"<{tag} {name}={_scheme(value or '')}>"] += 1

    def handle_comment(self, data: str) -> None:
        self.parts["comment"] += 1

    def unknown_decl(self, data: str) -> None:
        self.parts["declaration"] += 1


def _scheme(address: str) -> str:
    plain = "".join(letter for letter in address if letter > " ").lower()
    if plain.startswith("//"):
        return "//"
    head, colon, _ = plain.partition(":")
    return head if colon and not set(head) & set("/?#") else "here"


def structure(page: Any) -> Counter[str]:
    return Structure(page.content.decode()).parts
