"""Whether a run may still make machines: its group still gets some, and its template is still granted."""

from collections.abc import Callable
from enum import StrEnum

from django.utils.translation import gettext as _

from accounts.models import User
from vms.models import MachineTemplate, ProvisioningRun

# Whether a machine group (by primary key) gets no machines any more. Registered by whoever has groups of its own.
closed: list[Callable[[int], bool]] = []


class Refusal(StrEnum):
    OVER = "over"
    GRANT = "grant"

    @property
    def words(self) -> str:
        if self is Refusal.OVER:
            return _("This class has ended. Reopen it first.")
        return _("Its template is not available to you. Ask an administrator.")

    @property
    def code(self) -> str:
        """Of the stored message on a machine that is withdrawn."""
        return f"made-withdrawn-{self}"


def refusal(run: ProvisioningRun, *, by: User | None = None) -> Refusal | None:
    """None while machines may be made, at the wish of whoever requested the run or of this person.

    When the account that requested it is inactive, the grant of the group counts.
    """
    group = run.machine_set_id
    if is_closed(group):
        return Refusal.OVER
    people = {one.pk for one in (by, run.requested_by) if one and one.is_active}
    usable = [MachineTemplate.objects.usable_by(person, group) for person in people]
    if not people:
        usable = [MachineTemplate.objects.granted_to(group)]
    may = any(templates.filter(pk=run.template_id).exists() for templates in usable)
    return None if may else Refusal.GRANT


def is_closed(group: int) -> bool:
    return any(is_over(group) for is_over in closed)
