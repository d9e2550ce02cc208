"""How a class stands before and at the bell: how many machines are ready, which will be late, and why."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from accounts.models import User
from classes.models import LabClass
from classes.timetable import starting
from classes.timetable.machines import Row
from classes.timetable.starting import Outlook
from vms.access import rules
from vms.access.context import contexts_for
from vms.models import Operation, VirtualMachine

# A first look that came this long after the first start was due missed something.
PUNCTUAL = timedelta(seconds=30)


@dataclass(frozen=True)
class Late:
    """A machine that is not ready. `ready_at` is when it is expected; None: the rules refuse, and `why` says it."""

    pk: int
    name: str
    ready_at: datetime | None
    why: str


@dataclass(frozen=True)
class Readiness:
    """`late` are those that will not be ready at the bell; `waiting` those that are off or booting and will be.

    `missed` is how long the worker was away when it should have started machines.
    """

    bell: datetime
    has_begun: bool
    ready: int
    waiting: int
    late: tuple[Late, ...]
    missed: timedelta | None

    @property
    def missed_minutes(self) -> int:
        """Rounded up; 0 when the worker began in time."""
        return -(-self.missed // timedelta(minutes=1)) if self.missed else 0

    @property
    def total(self) -> int:
        return self.ready + self.waiting + len(self.late)


def of_class(lab_class: LabClass, person: User, now: datetime) -> Readiness | None:
    """None while no lesson that starts the class's machines is near."""
    found = starting.outlook(now)
    due = found.lessons.get(lab_class.pk)
    if due is None:
        return None
    mine = [row for row in found.rows if row.lab_class == lab_class.pk]
    pending = [row for row in mine if not _is_ready(found, row)]
    expected = {start.machine: start.ready_at for start in found.starts}
    expected |= {machine: one.ready_at for machine, one in found.booting.items()}
    refusals = _refusals([row for row in pending if row.status != "running" and not row.has_operation], person)
    late = []
    for row in pending:
        ready_at = None if row.pk in refusals else expected.get(row.pk)
        if ready_at is None or ready_at > due.starts_at or now > due.starts_at:
            late.append(Late(row.pk, row.name, ready_at, refusals.get(row.pk, "")))
    began = found.began.get(lab_class.pk)
    gap = began.began_at - began.due_at if began else timedelta()
    return Readiness(
        bell=due.starts_at,
        has_begun=due.is_running(now),
        ready=len(mine) - len(pending),
        waiting=len(pending) - len(late),
        late=tuple(late),
        missed=gap if gap > PUNCTUAL else None,
    )


def _is_ready(found: Outlook, row: Row) -> bool:
    booting = found.booting.get(row.pk)
    return row.status == "running" and (booting is None or booting.ready_at <= found.now)


def _refusals(pending: list[Row], person: User) -> dict[int, str]:
    """Why these machines cannot be started now, by machine."""
    keys = [row.pk for row in pending]
    rows = list(VirtualMachine.objects.filter(pk__in=keys).select_related("cluster__health", "cluster__sync"))
    contexts = contexts_for(rows, person=person) if rows else {}
    return {pk: why for pk, one in contexts.items() if (why := rules.refusal(one, Operation.Action.START))}
