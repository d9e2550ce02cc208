"""*My machines*, and the choice of a cluster."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from functools import partial

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_GET, require_POST

from accounts.http import AuthenticatedHttpRequest, login_required
from accounts.models import User
from vms import inventory, registry
from vms.access import lookups
from vms.models import VirtualMachine
from vms.pages import cards, import_offer, list_query, row_version

# How often the details of running machines are read while somebody looks at them in the list.
LOOKED_AT_EVERY = timedelta(minutes=1)

FEW = 12

SESSION_KEY = "cluster_id"  # the legacy portal's name; empty: all clusters


@require_GET
@login_required
def machine_list(request: AuthenticatedHttpRequest) -> HttpResponse:
    """The whole page; to htmx the list alone, or 204 when nothing changed."""
    if lookups.sees_all(request.user) and registry.state().reason is registry.Reason.NOT_INITIALISED:
        return import_offer.import_offer(request)
    query = list_query.ListQuery.from_url(request.GET)
    if request.htmx and query.seen and query.seen == listed(request.user, query).fingerprint:
        return HttpResponse(status=204)
    everywhere = list_query.cluster_options(request.user)
    options = [option for option in everywhere if option.machine_count or lookups.sees_all(request.user)]
    chosen = chosen_cluster(request, options)
    query = replace(query, cluster=chosen)
    page = query.page(request.user, everywhere)
    shown = listed(request.user, replace(query, number=str(page.number)))
    count = sum(option.machine_count for option in options)
    where = urlencode({"page": str(page.number), "seen": shown.fingerprint})
    context = {
        "page": page,
        "listed": shown,
        "busy": any(card.busy for card in shown.cards),
        "running": sum(card.tone == "running" for card in shown.cards),
        "options": options,
        "chosen": chosen,
        "everywhere": sum(option.listed for option in everywhere),
        "query": query,
        "statuses": list_query.STATUSES,
        "offers_filter": query.is_filtered or count >= list_query.FILTERED_FROM,
        "manages_groups": any(option.has_groups for option in everywhere),
        "single": count == 1 and len(shown.cards) == 1 and not lookups.sees_all(request.user),
        "summary": shown.summary if 1 < len(shown.cards) == page.paginator.count else "",
        "origin": "" if chosen else "all",
        "poll": f"{request.path}?{query.urlencoded}&{where}",
    }
    return render(request, "vms/_machine_list.html" if request.htmx else "vms/machine_list.html", context)


def listed(user: User, query: list_query.ListQuery) -> cards.Listed:
    """The machines of one page. Everybody but staff looks at the first one, of which only what is new is made."""
    first_page = query.first_page_for(user) if query.number == "1" else None
    make = partial(_groups, user)
    if first_page is None:
        return cards.Listed(tuple(make(query.rows(user))))
    return row_version.listed(first_page, user.pk, query.cluster, make, looked_at_every=LOOKED_AT_EVERY)


def _look_again(user: User, machines: Iterable[VirtualMachine]) -> None:
    """The list shows addresses of running machines. Staff see too many of them."""
    if not lookups.sees_all(user):
        inventory.look_again((one for one in machines if one.status == "running"), every=LOOKED_AT_EVERY)


def _groups(user: User, machines: list[VirtualMachine]) -> list[cards.Group]:
    _look_again(user, machines)
    return cards.groups(machines, operable=lookups.operable_among(user, machines), for_staff=user.is_staff)


def options_for(user: User) -> list[list_query.ClusterOption]:
    """The active clusters on which a person has a machine (staff: all of them), the default first."""
    sees_all = lookups.sees_all(user)
    return [option for option in list_query.cluster_options(user) if option.machine_count or sees_all]


def chosen_cluster(request: AuthenticatedHttpRequest, options: list[list_query.ClusterOption]) -> str:
    """By the URL, then by the last choice, then the default cluster. Empty: all clusters.

    Who has few machines sees all of them: nobody has to look for one.
    """
    known = {option.cluster_id for option in options}
    for wanted in (request.GET.get("cluster"), request.session.get(SESSION_KEY)):
        if wanted is not None and (wanted == "" or wanted in known):
            return str(wanted)
    if sum(option.machine_count for option in options) <= FEW:
        return ""
    return next((option.cluster_id for option in options if option.cluster.is_default), "")


@require_POST
@login_required
def switch_cluster(request: AuthenticatedHttpRequest) -> HttpResponse:
    """Remember the choice, and redirect to the list with it in the URL."""
    wanted = request.POST.get("cluster", "")
    if wanted and wanted not in {option.cluster_id for option in options_for(request.user)}:
        raise Http404
    request.session[SESSION_KEY] = wanted
    return redirect(f"{reverse('vms-list')}?{urlencode({'cluster': wanted})}")
