"""Writes a plan of people that was shown: all of it, or nothing."""

from dataclasses import dataclass, field
from typing import Any

from auditlog.models import LogEntry
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group

from accounts import audit, first_passwords
from accounts.importing.planning import AccountPlan, AccountReason, AccountRow, Options, plan
from accounts.models import User
from accounts.plans import PlanChanged, carry_out


@dataclass(frozen=True)
class Created:
    """Somebody who is new, with the first password. It is kept nowhere else."""

    username: str
    name: str
    password: str = field(repr=False)


def apply(text: str, options: Options, *, expected: str) -> tuple[AccountPlan, list[Created]]:
    """`expected` is the digest of the plan that was shown; anything else is `PlanChanged`."""
    now = plan(text, options)
    if now.digest != expected:
        raise PlanChanged
    # Computed before the transaction: nobody else can write while that lasts.
    passwords = {row.line: first_passwords.make() for row in now.of(AccountReason.NEW)}
    hashes = {line: make_password(password) for line, password in passwords.items()}
    done = carry_out(lambda: plan(text, options), lambda fresh: _write(fresh, hashes), expected=expected)
    return done, [Created(row.username, row.name, passwords[row.line]) for row in done.of(AccountReason.NEW)]


def _write(fresh: AccountPlan, hashes: dict[int, str]) -> None:
    new = fresh.of(AccountReason.NEW)
    created = User.objects.bulk_create(
        [
            User(
                username=row.username, password=hashes[row.line], must_change_password=True,
                is_staff=row.makes_staff, **dict(row.values),
            )
            for row in new
        ],
        batch_size=500,
    )  # fmt: skip
    audit.record_many(
        ((person, _recorded(row, None)) for row, person in zip(new, created, strict=True)),
        action=LogEntry.Action.CREATE,
    )
    _join([(row, person.pk) for row, person in zip(new, created, strict=True)])
    _update(fresh.of(AccountReason.UPDATED), by_superuser=fresh.options.by_superuser)


def _update(rows: list[AccountRow], *, by_superuser: bool) -> None:
    """Each on the condition that the row is still what the plan found."""
    people = User.objects.in_bulk([row.user for row in rows])
    if len(people) != len(rows):
        raise PlanChanged
    audit.record_many((people[row.user], _recorded(row, people[row.user])) for row in rows)
    protected = User.objects.none() if by_superuser else User.objects.with_rights()
    for row in rows:
        found = User.objects.filter(pk=row.user, **{name: before for name, before, _after in row.changes})
        values: dict[str, Any] = {name: after for name, _before, after in row.changes}
        values |= {"is_staff": True} if row.makes_staff else {"username": row.username}
        if not found.exclude(pk__in=protected.values("pk")).update(**values):
            raise PlanChanged
    _join([(row, row.user) for row in rows])


def _join(members: list[tuple[AccountRow, int]]) -> None:
    groups = dict(Group.objects.values_list("name", "pk"))
    through = User.groups.through
    through.objects.bulk_create(
        [through(user_id=pk, group_id=groups[row.group]) for row, pk in members if row.group], batch_size=500
    )


def _recorded(row: AccountRow, before: User | None) -> audit.Changes:
    """The entry of the audit trail for a row."""
    if before is None:
        changes: audit.Changes = {name: (None, value) for name, value in row.values if value}
        changes["username"] = (None, row.username)
    else:
        changes = {name: (old, new) for name, old, new in row.changes}
    if row.group:
        changes["groups"] = (None, row.group)
    if row.makes_staff:
        changes["is_staff"] = (False, True)
    return changes
