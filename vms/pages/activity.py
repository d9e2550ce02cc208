"""History of a machine group: who did what to which machine, when, and with what result."""

from collections.abc import Iterable

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from accounts import spreadsheet
from accounts.http import AuthenticatedHttpRequest, login_required
from accounts.models import User
from vms.access import lookups
from vms.models import MachineSet, Operation
from vms.pages import group_links, machine_detail, operation_reasons
from vms.pages.machine_group import group_or_404

PER_PAGE = 50
MOST_ROWS = 20_000


@require_GET
@login_required
def activity(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    found = group_or_404(request, pk)
    page = Paginator(_operations(found, request.user), PER_PAGE).get_page(request.GET.get("page"))
    rows = _with_rows(page, for_staff=request.user.is_staff)
    context = {"machine_group": found, "page": page, "rows": rows, "back": group_links.url_for(found, request.user)}
    return render(request, "vms/activity.html", context)


@require_GET
@login_required
def download(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """The history as CSV; only the newest rows when there are too many."""
    found = group_or_404(request, pk)
    header = [_("When"), _("Machine"), _("Cluster"), "VMID", _("What"), _("Who"), _("Result"), _("Note"), _("Took")]
    rows = _cells(_operations(found, request.user)[: MOST_ROWS + 1], for_staff=request.user.is_staff)
    if len(rows) > MOST_ROWS:
        rows[MOST_ROWS:] = [[_("Only the newest %(n)d entries are listed.") % {"n": MOST_ROWS}]]
    return spreadsheet.download(f"{slugify(found.name) or 'set'}-activity.csv", header, rows)


def _operations(found: MachineSet, user: User) -> QuerySet[Operation]:
    ours = Operation.objects.filter(vm__in=lookups.machines_in(found, user).order_by().values("pk"))
    newest_first: QuerySet[Operation] = ours.order_by("-requested_at", "-pk")
    return newest_first


def _with_rows(
    operations: Iterable[Operation], *, for_staff: bool
) -> list[tuple[Operation, machine_detail.HistoryRow]]:
    operations = list(operations)
    why = operation_reasons.of(operations)
    return [(one, machine_detail.history_row(one, for_staff=for_staff, why=why.get(one.pk, ""))) for one in operations]


def _cells(operations: Iterable[Operation], *, for_staff: bool) -> list[list[object]]:
    return [
        [
            timezone.localtime(row.at).isoformat(sep=" ", timespec="seconds"),
            one.vm_name, one.cluster_id, one.vmid, row.what, row.who, row.result,
            " ".join(filter(None, (row.why, row.outcome))), row.duration,
        ]
        for one, row in _with_rows(operations, for_staff=for_staff)
    ]  # fmt: skip
