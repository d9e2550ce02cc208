"""Who is in which groups, from a whole listing: in memory, and small."""

from collections import defaultdict
from collections.abc import Iterable

from accounts.sign_in.ldap.entries import Entry, primary_group_sid
from accounts.sign_in.syntax import parse_dn


def key(dn: str) -> str:
    """The same for all ways of writing a DN."""
    if "\\" not in dn and ", " not in dn and "+" not in dn and ";" not in dn and " =" not in dn and "= " not in dn:
        return " ".join(dn.lower().split())
    parsed = parse_dn(dn)
    if parsed is None:
        return dn
    return ",".join(
        "+".join(f"{kind}={value}".replace(",", "\\2c").replace("+", "\\2b") for kind, value in part) for part in parsed
    )


class GroupTree:
    """First all people are added, in order, then all groups. People are numbers from 0."""

    def __init__(self, *, is_nested: bool, is_active_directory: bool) -> None:
        self._is_nested = is_nested
        self._is_active_directory = is_active_directory
        self._dns: list[str] = []  # of groups, by number
        self._groups: dict[str, int] = {}
        self._people: dict[str, int] = {}  # by key
        self._by_uid: dict[str, list[int]] = defaultdict(list)
        self._by_primary: dict[bytes | int, list[int]] = defaultdict(list)
        self._direct: list[set[int]] = []
        self._parents: dict[int, set[int]] = defaultdict(set)
        self._made: dict[frozenset[int], frozenset[str]] = {}

    def add_person(self, entry: Entry) -> int:
        number = len(self._direct)
        self._direct.append({self._group(dn) for dn in entry.texts("memberOf")})
        self._people[key(entry.dn)] = number
        for uid in entry.texts("uid"):
            self._by_uid[uid].append(number)
        primary = primary_group_sid(entry) if self._is_active_directory else entry.number("gidNumber")
        if primary is not None:
            self._by_primary[primary].append(number)
        return number

    def add_group(self, entry: Entry, members: Iterable[tuple[str, str]]) -> None:
        """Members as attribute, in lower case, and value: a DN, or with `memberuid` a name, which has case."""
        group = self._group(entry.dn)
        for attribute, value in members:
            if attribute == "memberuid":
                self._join(self._by_uid.get(value, ()), group)
                continue
            member = key(value)
            if member in self._people:
                self._direct[self._people[member]].add(group)
            elif member:
                self._parents[self._group(value)].add(group)
        sid = next(iter(entry.values("objectSid")), None)
        primary = sid if self._is_active_directory else entry.number("gidNumber")
        if primary is not None:
            self._join(self._by_primary.get(primary, ()), group)

    def groups_of(self, person: int) -> frozenset[str]:
        direct = frozenset(self._direct[person])
        if direct not in self._made:
            self._made[direct] = frozenset(self._dns[group] for group in self._with_parents(direct))
        return self._made[direct]

    def _with_parents(self, groups: frozenset[int]) -> set[int]:
        """Each once, so groups that contain each other end it."""
        known, new = set(groups), list(groups) if self._is_nested else []
        while new:
            further = self._parents.get(new.pop(), set()) - known
            known |= further
            new += further
        return known

    def _group(self, dn: str) -> int:
        number = self._groups.setdefault(key(dn), len(self._dns))
        if number == len(self._dns):
            self._dns.append(dn)
        return number

    def _join(self, people: Iterable[int], group: int) -> None:
        for person in people:
            self._direct[person].add(group)
