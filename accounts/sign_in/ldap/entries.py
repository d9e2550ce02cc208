"""What an entry of a directory says about a person. It asks nobody."""

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from accounts.models.sources import SignInSource
from accounts.sign_in.facts import Closed

# AD's times are intervals of 100 ns since 1601. Both of these mean "never".
FILETIME_BEGINS = datetime(1601, 1, 1, tzinfo=UTC)
NEVER = {0, 2**63 - 1}

DISABLED = 0x2  # of userAccountControl
LOCKED, PASSWORD_EXPIRED = 0x10, 0x800000  # of msDS-User-Account-Control-Computed
LOCKED_FOR_GOOD = "000001010000Z"  # of OpenLDAP's pwdAccountLockedTime

# What AD says in the text of a refused bind, where the password was right (locked: in any case). A disabled account
# (533) is told like a wrong password (52e).
_REASON = re.compile(r"\bdata ([0-9a-f]+)\b")
_REASONS = {
    "532": Closed.MUST_CHANGE_PASSWORD,
    "701": Closed.EXPIRED,
    "773": Closed.MUST_CHANGE_PASSWORD,
    "775": Closed.LOCKED,
}

CLOSING = (
    "userAccountControl", "accountExpires", "msDS-User-Account-Control-Computed",
    "pwdAccountLockedTime", "shadowExpire",
)  # fmt: skip
NAMES = ("givenName", "sn", "displayName", "cn", "mail")
PRIMARY = ("objectSid", "primaryGroupID", "gidNumber")


@dataclass(frozen=True)
class Entry:
    """`attributes` by name in lower case. Values are bytes: some are no text, and all of those may look like one."""

    dn: str
    attributes: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, dn: str, attributes: Mapping[str, Sequence[bytes]]) -> "Entry":
        return cls(dn, {name.lower(): tuple(values) for name, values in attributes.items()})

    def values(self, name: str) -> tuple[bytes, ...]:
        return self.attributes.get(name.lower(), ())

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(value.decode(errors="replace") for value in self.values(name))

    def text(self, name: str) -> str:
        return next(iter(self.texts(name)), "").strip() if name else ""

    def number(self, name: str) -> int | None:
        try:
            return int(self.text(name))
        except ValueError:
            return None


def attributes_of(source: SignInSource) -> list[str]:
    """What is asked of a person: operational attributes come only when they are named."""
    own = (source.id_attribute, source.name_attribute, source.number_attribute, "memberOf")
    return sorted({name for name in (*own, *NAMES, *CLOSING, *PRIMARY) if name})


def subject(source: SignInSource, entry: Entry) -> str:
    """What never changes about a person, as text; empty where the entry has none."""
    value = next(iter(entry.values(source.id_attribute)), b"")
    if source.id_attribute.lower() == "objectguid":
        return str(uuid.UUID(bytes_le=value)) if len(value) == 16 else ""
    try:
        return value.decode().strip()
    except UnicodeDecodeError:
        return value.hex()


def names(entry: Entry) -> tuple[str, str]:
    """First and last name. Where an entry has neither, its displayed name is the last name."""
    first, last = entry.text("givenName"), entry.text("sn")
    return (first, last) if first or last else ("", entry.text("displayName") or entry.text("cn"))


def closed_for_good(entry: Entry, now: datetime) -> Closed | None:
    """What ends sessions, too: neither a lock after wrong passwords nor a password that has to be changed."""
    if (entry.number("userAccountControl") or 0) & DISABLED:
        return Closed.DISABLED
    if entry.text("pwdAccountLockedTime") == LOCKED_FOR_GOOD:
        return Closed.DISABLED
    return Closed.EXPIRED if _has_expired(entry, now) else None


def closed(entry: Entry, now: datetime) -> Closed | None:
    """Why the person cannot sign in there, as far as the entry says it."""
    computed = entry.number("msDS-User-Account-Control-Computed") or 0
    if found := closed_for_good(entry, now):
        return found
    if computed & LOCKED:
        return Closed.LOCKED
    return Closed.MUST_CHANGE_PASSWORD if computed & PASSWORD_EXPIRED else None


def closed_by_refusal(diagnostic: str) -> Closed | None:
    """What AD writes into the answer to a bind. None: the password was wrong, or it is no matter of the asker."""
    found = _REASON.search(diagnostic)
    return _REASONS.get(found[1]) if found else None


def primary_group_sid(entry: Entry) -> bytes | None:
    """AD's primary group, of which neither `memberOf` nor `member` knows: the person's SID with another last number."""
    sid = next(iter(entry.values("objectSid")), b"")
    number = entry.number("primaryGroupID")
    if number is None or len(sid) < 12 or not 0 <= number < 2**32:
        return None
    return sid[:-4] + number.to_bytes(4, "little")


def _has_expired(entry: Entry, now: datetime) -> bool:
    expires = entry.number("accountExpires")
    if expires is not None and expires not in NEVER:
        return _filetime(expires) <= now
    days = entry.number("shadowExpire")
    return days is not None and days >= 0 and now >= datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=min(days, 10**6))


def _filetime(value: int) -> datetime:
    """As far as a date can say it."""
    try:
        return FILETIME_BEGINS + timedelta(microseconds=value // 10)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)
