"""The portal's pages of machines."""

from collections.abc import Iterable
from dataclasses import replace

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_GET, require_POST

from accounts.http import AuthenticatedHttpRequest, login_required
from accounts.models import User
from vms import registry
from vms.access import lookups
from vms.models import VirtualMachine
from vms.pages import cards, import_offer, list_query

SESSION_KEY = "cluster_id"  # the legacy portal's name; empty: all clusters


@require_GET
@login_required
def machine_list(request: AuthenticatedHttpRequest) -> HttpResponse:
    """*My machines*: the whole page, or to htmx the list alone, or 204 when it would say the same."""
    if lookups.sees_all(request.user) and registry.state().reason is registry.Reason.NOT_INITIALISED:
        return import_offer.page(request)
    asked = list_query.Asked.of(request.GET)
    if request.htmx and asked.seen and asked.seen == cards.fingerprint(_groups(request.user, asked.rows(request.user))):
        return HttpResponse(status=204)
    everywhere = list_query.all_places(request.user)
    places = [place for place in everywhere if place.machine_count or lookups.sees_all(request.user)]
    chosen = chosen_cluster(request, places)
    asked = replace(asked, cluster=chosen)
    page = asked.page(request.user, everywhere)
    groups = _groups(request.user, page.object_list)
    shown = [card for group in groups for card in group.cards]
    count = sum(place.machine_count for place in places)
    where = urlencode({"page": str(page.number), "seen": cards.fingerprint(groups)})
    context = {
        "page": page,
        "groups": groups,
        "busy": any(card.busy for card in shown),
        "running": sum(card.tone == "running" for card in shown),
        "places": places,
        "chosen": chosen,
        "everywhere": sum(place.listed for place in everywhere),
        "asked": asked,
        "statuses": list_query.STATUSES,
        "offers_filter": asked.is_filtered or count >= list_query.FILTERED_FROM,
        "looks_after": any(place.has_sets for place in everywhere),
        "single": count == 1 and len(shown) == 1 and not lookups.sees_all(request.user),
        "summary": cards.summary(shown) if 1 < len(shown) == page.paginator.count else "",
        "origin": "" if chosen else "all",
        "poll": f"{request.path}?{asked.query}&{where}",
    }
    return render(request, "vms/_machines.html" if request.htmx else "vms/machines.html", context)


def _groups(user: User, machines: Iterable[VirtualMachine]) -> list[cards.Group]:
    machines = list(machines)
    return cards.groups(machines, operable=lookups.operable_among(user, machines), for_staff=user.is_staff)


def places_of(user: User) -> list[list_query.Place]:
    """The active clusters on which a person has a machine (staff: all of them), the default first."""
    sees_all = lookups.sees_all(user)
    return [place for place in list_query.all_places(user) if place.machine_count or sees_all]


def chosen_cluster(request: AuthenticatedHttpRequest, places: list[list_query.Place]) -> str:
    """The address decides, then what was chosen before, then the default cluster. Empty: all of them."""
    known = {place.cluster_id for place in places}
    for wanted in (request.GET.get("cluster"), request.session.get(SESSION_KEY)):
        if wanted is not None and (wanted == "" or wanted in known):
            return str(wanted)
    return next((place.cluster_id for place in places if place.cluster.is_default), "")


@require_POST
@login_required
def switch_cluster(request: AuthenticatedHttpRequest) -> HttpResponse:
    """Remember the choice, and go where it stands in the address."""
    wanted = request.POST.get("cluster", "")
    if wanted and wanted not in {place.cluster_id for place in places_of(request.user)}:
        raise Http404
    request.session[SESSION_KEY] = wanted
    return redirect(f"{reverse('vms-list')}?{urlencode({'cluster': wanted})}")
