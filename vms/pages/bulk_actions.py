"""One action on many machines: a batch is created at once, or after a page that asks for confirmation."""

from dataclasses import dataclass, replace

from django.contrib import messages
from django.db.models import Count, QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.http import AuthenticatedHttpRequest
from accounts.models import User
from vms import inventory, operations
from vms.access import restore_points
from vms.models import MachineSet, Operation, Snapshot, VirtualMachine
from vms.operations.requesting import MAX_DESCRIPTION

Action = Operation.Action

# The snapshot that is proposed for a revert, where machines have it.
BASELINE = "baseline"

# These lose work for good, so they need a ticked box as well.
TICKED = {Action.STOP, Action.ROLLBACK}


@dataclass(frozen=True)
class BulkRequest:
    """A person's request for many machines, which were found through `operable`."""

    action: str
    machines: list[VirtualMachine]
    machine_set: MachineSet | None
    snapshot: str = ""
    description: str = ""


def operable(machines: QuerySet[VirtualMachine], user: User) -> QuerySet[VirtualMachine]:
    """The present machines among these that the user may operate."""
    mine = VirtualMachine.objects.operable_by(user).on_active_clusters().present().filter(template=False)
    found: QuerySet[VirtualMachine] = mine.filter(pk__in=machines.order_by().values("pk"))
    return found.select_related("cluster__health").order_by("name", "cluster", "vmid")


def submit(request: AuthenticatedHttpRequest, wanted: BulkRequest, *, back: str) -> HttpResponse:
    """Create the batch and redirect to its page, or ask for confirmation."""
    if not wanted.machines:
        messages.error(request, _("No machine is selected. Select machines first."))
        return redirect(back)
    posted = request.POST
    wanted = replace(
        wanted,
        snapshot=posted.get("snapshot", wanted.snapshot).strip(),
        description=" ".join(posted.get("description", "").replace("\0", " ").split()),
    )
    if wanted.action != Action.START and not _is_confirmed(request, wanted.action):
        return _confirm(request, wanted, back=back)
    try:
        batch = operations.request_many(
            wanted.machines,
            wanted.action,
            by=request.user,
            machine_set=wanted.machine_set,
            snapshot=wanted.snapshot,
            description=wanted.description,
        )
    except operations.Refused as refusal:
        return _confirm(request, wanted, back=back, refusal=str(refusal))
    return redirect("vms-batch", batch.pk)


def _is_confirmed(request: AuthenticatedHttpRequest, action: str) -> bool:
    asked = request.POST.get("asked") == "yes"
    return asked and (action not in TICKED or request.POST.get("sure") == "yes")


def _confirm(request: AuthenticatedHttpRequest, wanted: BulkRequest, *, back: str, refusal: str = "") -> HttpResponse:
    """Status 400 when the form was sent incompletely."""
    asked = request.POST.get("asked") == "yes"
    if wanted.action == Action.ROLLBACK:
        inventory.look_again(wanted.machines)
    context = {
        "wanted": wanted,
        "action": Action(wanted.action),
        "count": len(wanted.machines),
        "names": ", ".join(machine.display_name for machine in wanted.machines),
        "running": sum(machine.status == "running" for machine in wanted.machines),
        "snapshots": _snapshots(wanted) if wanted.action == Action.ROLLBACK else [],
        "proposed": wanted.snapshot or request.POST.get("baseline") or BASELINE,
        "name": wanted.snapshot or f"class-{timezone.localtime():%Y%m%d-%H%M}",
        "longest": MAX_DESCRIPTION,
        "ticked": wanted.action in TICKED,
        "unticked": asked and not refusal,
        "refusal": refusal,
        "back": back,
    }
    return render(request, "vms/confirm_many.html", context, status=400 if asked or refusal else 200)


def _snapshots(wanted: BulkRequest) -> list[tuple[str, int]]:
    """Names of snapshots, and how many of the machines have each, the most frequent first.

    Without restore points: each is its own student's, so that one name means something else on every machine.
    """
    everywhere = Snapshot.objects.complete().filter(vm__in=[machine.pk for machine in wanted.machines]).order_by()
    found = everywhere.exclude(name__in=restore_points.NAMES).values("name")
    return list(found.annotate(n=Count("pk")).order_by("-n", "name").values_list("name", "n")[:200])
