"""Re-images a machine: a new one out of the same template is made first, and then takes its place."""

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from accounts.models import User
from vms.models import Assignment, MachineTemplate, MadeMachine, ProvisioningRun
from vms.provisioning import facts, machines_plan, permission, reserving
from vms.provisioning.machines_plan import MachinesPlan, Wish
from vms.provisioning.permission import Refusal
from vms.provisioning.replacing import Obstacle

State = MadeMachine.State


def made_row(vm: int) -> MadeMachine | None:
    """The row of a machine (by primary key) that was made here and is in use; None for others."""
    rows = MadeMachine.objects.unremoved().filter(vm=vm, state=State.READY)
    found: MadeMachine | None = rows.select_related("run__template__cluster", "run__machine_set", "vm").first()
    return found


def under_way(old: MadeMachine) -> MadeMachine | None:
    """The machine that is being made to take this one's place, also one that failed and may be retried."""
    found: MadeMachine | None = old.replaced_by.unremoved().exclude(state__in=[State.READY, State.EARLIER]).first()
    return found


def begin(old: MadeMachine, *, by: User) -> ProvisioningRun:
    """Reserve the new machine; it is made after the commit. Raises `Obstacle`.

    The caller found the old one through a group that this person manages.
    """
    template = old.run.template
    if permission.is_closed(old.run.machine_set_id):
        raise Obstacle(Refusal.OVER.words)
    if not _may_use(template, old, by):
        raise Obstacle(Refusal.GRANT.words)
    try:
        reading = facts.read(template)
    except facts.NotReadable as error:
        raise Obstacle(str(error)) from None
    try:
        with transaction.atomic():
            return _reserve(old, reading, by)
    except IntegrityError:
        raise Obstacle(_("Something changed in the meantime. Try again.")) from None


def _may_use(template: MachineTemplate, old: MadeMachine, by: User) -> bool:
    usable = MachineTemplate.objects.usable_by(by.pk, old.run.machine_set_id)
    return bool(usable.filter(pk=template.pk).exists())


def _reserve(old: MadeMachine, reading: facts.Reading, by: User) -> ProvisioningRun:
    locked = MadeMachine.objects.unremoved().select_for_update(of=("self",)).filter(pk=old.pk, state=State.READY)
    if not locked.exists():
        raise Obstacle(_("This machine is no longer there."))
    if old.replaced_by.unremoved().exclude(state__in=[State.READY, State.EARLIER]).exists():
        raise Obstacle(_("This machine is being re-imaged already."))
    wish = Wish(
        old.run.template_id, old.run.machine_set_id, spare=1, networks=ProvisioningRun.Networks.TEMPLATE,
        kind=ProvisioningRun.Kind.REIMAGE,
    )  # fmt: skip
    plan = machines_plan.make(wish, reading, is_locked=True)
    if not plan.may_be_carried_out:
        raise Obstacle(_why_not(plan))
    run = reserving.reserve(plan, by=by)
    person = Assignment.objects.live().filter(vm=old.vm_id).values_list("user", flat=True).first()
    # The network stays leased until the last machine on it is removed.
    taken_over = {"name": old.name, "network": old.network_id, "lease": old.lease_id, "for_user": person}
    MadeMachine.objects.filter(run=run).update(reimages=old, **taken_over)
    return run


def _why_not(plan: MachinesPlan) -> str:
    said = [str(note) for note in plan.refusals] or [row.words for row in plan.rows]
    return _("It can't be re-imaged now: %(why)s") % {"why": "; ".join(said)}
