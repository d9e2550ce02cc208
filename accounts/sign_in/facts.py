"""What a source says about one person: the same for directories, providers and headers."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy


class Closed(TextChoices):
    """Why the source itself lets this person in no more."""

    DISABLED = "disabled", gettext_lazy("the account is disabled there")
    EXPIRED = "expired", gettext_lazy("the account has expired there")
    LOCKED = "locked", gettext_lazy("the account is locked there")
    MUST_CHANGE_PASSWORD = "must_change_password", gettext_lazy("the password must be changed there first")


@dataclass(frozen=True)
class OutsidePerson:
    """`subject` never changes for a person: objectGUID or entryUUID as text, or `sub`; compared with case.

    `username` is the name that the source gives, before the source's rule for user names.
    `groups`: DNs of a directory, names of a provider or a header. None: the answer was not complete (absent, cut,
    failed), which is something else than no groups.
    `claims` are texts by dotted name, each a tuple; truths are "true" and "false".
    """

    subject: str
    username: str
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    number: str = ""
    groups: frozenset[str] | None = None
    claims: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    closed: Closed | None = None
