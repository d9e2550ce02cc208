"""The portal's pages of machines."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import wraps
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRedirect

from accounts.models import User
from vms import operations, registry
from vms.access import lookups, rules
from vms.models import Operation, VirtualMachine
from vms.pages import cards, import_offer, list_query

SESSION_KEY = "cluster_id"  # the predecessor's name; empty: all clusters

View = Callable[..., HttpResponse]

# What people may ask for here.
OFFERED = {"start", "shutdown", "stop", "reboot", "reset", "suspend", "resume"}

# Pages of one machine to which an action leads back.
PAGES = {"machine": "vms-machine", "console": "vms-console"}


class PersonRequest(HttpRequest):
    """A request of somebody who is logged in."""

    user: User
    htmx: Any


def login_needed(view: View) -> View:
    """Send who is not logged in to the login page; a fragment's request sends the whole page there."""

    @wraps(view)
    @never_cache  # a lab's computers have the next person in front of them soon
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        htmx: Any = getattr(request, "htmx", None)
        if htmx and not request.user.is_authenticated:
            back = htmx.current_url_abs_path or reverse("vms-list")
            return HttpResponseClientRedirect(f"{redirect_to_login(back).url}&ended=1")
        if not request.user.is_authenticated and request.method == "POST" and (page := _page_of_form(request)):
            return redirect(f"{redirect_to_login(page).url}&ended=1")
        return login_required(view)(request, *args, **kwargs)

    return wrapper


def _page_of_form(request: HttpRequest) -> str:
    """Where to come back to: the address to which a form is sent has often no page of its own. Empty: not known."""
    page = urlsplit(request.headers.get("Referer", ""))
    return urlunsplit(("", "", page.path, page.query, "")) if page.netloc == request.get_host() else ""


@require_GET
@login_needed
def machine_list(request: PersonRequest) -> HttpResponse:
    """*My machines*: the whole page, or to htmx the list alone, or 204 when it would say the same."""
    if lookups.sees_all(request.user) and registry.state().reason is registry.Reason.NOT_ADOPTED:
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


def chosen_cluster(request: PersonRequest, places: list[list_query.Place]) -> str:
    """The address decides, then what was chosen before, then the default cluster. Empty: all of them."""
    known = {place.cluster_id for place in places}
    for wanted in (request.GET.get("cluster"), request.session.get(SESSION_KEY)):
        if wanted is not None and (wanted == "" or wanted in known):
            return str(wanted)
    return next((place.cluster_id for place in places if place.cluster.is_default), "")


@require_POST
@login_needed
def switch_cluster(request: PersonRequest) -> HttpResponse:
    """Remember the choice, and go where it stands in the address."""
    wanted = request.POST.get("cluster", "")
    if wanted and wanted not in {place.cluster_id for place in places_of(request.user)}:
        raise Http404
    request.session[SESSION_KEY] = wanted
    return redirect(f"{reverse('vms-list')}?{urlencode({'cluster': wanted})}")


@require_http_methods(["GET", "POST"])
@login_needed
def act(request: PersonRequest, pk: int, action: str) -> HttpResponse:
    """GET asks for confirmation, POST requests the action. Nothing is sent from here."""
    if action not in OFFERED:
        raise Http404
    machine = lookups.operable_or_404(request.user, pk)
    back = way_back(request, machine)
    if request.method == "GET":
        return _confirm(request, machine, Operation.Action(action), back)
    try:
        _operation, new = operations.request(machine, action, by=request.user)
    except operations.Refused as refusal:
        messages.error(request, f"{machine.display_name}: {refusal}")
    else:
        if not new:
            messages.info(request, _("%(name)s: this is under way already.") % {"name": machine.display_name})
    return redirect(back)


def way_back(request: PersonRequest, machine: VirtualMachine) -> str:
    """To where the person came from: the machine's page or console, the list of all clusters, or of the machine's."""
    origin = _origin(request)
    if origin in PAGES:
        return reverse(PAGES[origin], args=[machine.pk])
    cluster = "" if origin == "all" else machine.cluster_id
    return f"{reverse('vms-list')}?{urlencode({'cluster': cluster})}#machine-{machine.pk}"


def _origin(request: PersonRequest) -> str:
    origin = request.GET.get("from", request.POST.get("from", ""))
    return origin if origin == "all" or origin in PAGES else ""


def _confirm(request: PersonRequest, machine: VirtualMachine, action: Operation.Action, back: str) -> HttpResponse:
    refusal = rules.why_not(rules.situation(machine, person=request.user), action)
    context = {"machine": machine, "action": action, "refusal": refusal, "back": back, "origin": _origin(request)}
    return render(request, "vms/confirm.html", context, status=409 if refusal else 200)
