"""The lessons of a person as a calendar, at a random address that works without a login. The portal keeps its hash."""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import icalendar
from django.utils import timezone

from accounts.models import User
from classes.models import CalendarFeed, Occurrence

TOKEN_BYTES = 24
LONGEST_TOKEN = 100
PAST, FUTURE = timedelta(days=28), timedelta(days=400)


class Event(NamedTuple):
    """A lesson. `key` stays the same when it is moved."""

    key: str
    starts_at: datetime
    ends_at: datetime
    name: str
    note: str


def token_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def renew(user: User) -> str:
    """A new token, to be shown once; the old one ends."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    values = {"token_hash": token_hash(token), "created_at": timezone.now()}
    CalendarFeed.objects.update_or_create(user=user, defaults=values)
    return token


def stop(user: User) -> bool:
    """Whether there was an address."""
    return bool(CalendarFeed.objects.filter(user=user).delete()[0])


def find(token: str) -> CalendarFeed | None:
    """Only while the person is active."""
    found = CalendarFeed.objects.filter(token_hash=token_hash(token[:LONGEST_TOKEN]), user__is_active=True)
    return found.select_related("user").first()


def events(user: User) -> list[Event]:
    now = timezone.now()
    rows = Occurrence.objects.of_person(user).touching(now - PAST, now + FUTURE).order_by("starts_at", "pk")
    found = rows.values_list(
        "pk", "lesson", "rule_day", "exception", "starts_at", "ends_at", "lab_class__name", "note", named=True
    )
    return [Event(_key(row), *row[4:]) for row in found]


def _key(row: Any) -> str:
    return f"{row.lesson}-{row.rule_day or f'added-{row.exception or row.pk}'}"


def digest(found: list[Event]) -> str:
    return hashlib.sha256(repr(found).encode()).hexdigest()


def render(found: list[Event], *, host: str, changed_at: datetime) -> bytes:
    """A calendar whose times are UTC, which no program takes for another zone's.

    `host` tells the lessons of several portals from each other, and `changed_at` is the stamp of all.
    """
    calendar = icalendar.Calendar()
    calendar.add("prodid", "-//Lab Portal//lessons//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    for event in found:
        row = icalendar.Event()
        row.add("uid", f"lesson-{event.key}@{host}")
        row.add("dtstamp", changed_at)
        row.add("dtstart", event.starts_at)
        row.add("dtend", event.ends_at)
        row.add("summary", event.name)
        if event.note:
            row.add("description", event.note)
        calendar.add_component(row)
    return bytes(calendar.to_ical())
