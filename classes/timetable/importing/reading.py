"""What was found while a calendar file was read, in words."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from django.utils.translation import gettext_noop

from accounts.plans import Note

SKIPPED = {
    "cancelled": gettext_noop("Cancelled, left out: %(n)s."),
    "all-day": gettext_noop("All-day events, left out: %(n)s. Enter holidays in the administration."),
    "endless": gettext_noop("Without an end, or longer than a day, left out: %(n)s."),
    "rule": gettext_noop("Repeating in another way than daily or weekly, left out: %(n)s. Add them by hand."),
    "outdated": gettext_noop("Earlier versions of other events, left out: %(n)s."),
    "broken": gettext_noop("Unreadable, left out: %(n)s."),
    "other": gettext_noop("With other titles, left out: %(n)s."),
}
READ = gettext_noop("Events in the file: %(n)s.")
SAME_UID = gettext_noop("With the identifier of another event, taken as events of their own: %(n)s.")
ZONES = gettext_noop("Time zones in the file: %(zones)s. Times are converted to that of the class.")
UNKNOWN_ZONE = gettext_noop("Unknown time zones: %(zones)s. Their times are taken by the clock of the class.")
BY_CLOCK = gettext_noop("Repeating in UTC: %(n)s. They keep their time of day when the clocks change.")
NOT_BY_CLOCK = gettext_noop("Repeating in UTC: %(n)s. They move by an hour when the clocks change.")


@dataclass
class Reading:
    """What was found on the way, to be told."""

    skipped: Counter[str] = field(default_factory=Counter)
    versions: dict[str, int] = field(default_factory=dict)  # the latest one of each identifier
    zones: set[str] = field(default_factory=set)
    unknown_zones: set[str] = field(default_factory=set)
    in_utc: int = 0
    same_uid: int = 0
    steps: int = 0

    def notices(self, *, by_clock: bool) -> Iterator[Note]:
        for why, text in SKIPPED.items():
            if n := self.skipped[why]:
                yield Note.of(text, n=n)
        if self.same_uid:
            yield Note.of(SAME_UID, n=self.same_uid)
        if self.zones:
            yield Note.of(ZONES, zones=", ".join(sorted(self.zones)))
        if self.unknown_zones:
            yield Note.of(UNKNOWN_ZONE, zones=", ".join(sorted(self.unknown_zones)))
        if self.in_utc:
            yield Note.of(BY_CLOCK if by_clock else NOT_BY_CLOCK, n=self.in_utc)
