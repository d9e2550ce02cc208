"""The page with the screen of a machine, and the requests of its script: a console grant, the machine's state."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import wraps
from typing import Any

from django.db.models import Exists, Value
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from accounts.http import AuthenticatedHttpRequest, login_required
from accounts.models import User
from vms.access import lookups, machine_states, rules
from vms.access.context import context_for
from vms.console import close_codes, keyboards, websocket
from vms.models import Assignment, ConsoleGrant, ConsoleSession, Mode, Operation, VirtualMachine
from vms.models.keyboards import KeyboardLayout
from vms.pages import cards, console_banners, latest_operations

Action = Operation.Action

# By one person. A page that cannot connect tries again, and slower each time.
MOST_GRANTS_IN_A_MINUTE = 30

JsonView = Callable[..., JsonResponse]


@dataclass(frozen=True)
class InitialState:
    """The state in which the page begins, for its script; the same in a word; and what to do about it."""

    state: str
    word: str
    sentence: str


@require_GET
@login_required
def console(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """Without JavaScript the page shows the machine's state and a button to start it."""
    machine = lookups.visible_or_404(request.user, pk)
    rule_context = context_for(machine, person=request.user)
    operable = {machine.pk} if rule_context.may_operate else set()
    card = cards.groups([machine], operable=operable, for_staff=False)[0].cards[0]
    kind, refusal = close_codes.refusal(rule_context) or ("", "")
    initial = _initial_state(card, machine, kind, refusal)
    context = {
        "machine": machine,
        "card": card,
        "state": initial.state,
        "word": initial.word,
        "sentence": initial.sentence,
        "rests": initial.state == "refused" and kind == "unreachable",
        "is_barred": kind == "denied",
        "may_start": initial.state == "off" and not rules.refusal(rule_context, Action.START),
        "may_watch": rule_context.manages and rule_context.may_operate,
        "mode": _mode(machine, request.user, manages=rule_context.manages),
        "keyboard": keyboards.for_machine(machine),
        "layouts": KeyboardLayout.choices,
        **_standstill(machine, card),
        "banner": console_banners.banner(machine, request.user),
    }
    return render(request, "vms/console.html", context)


def _initial_state(card: cards.Card, machine: VirtualMachine, kind: str, refusal: str) -> InitialState:
    if not refusal:
        return InitialState("connecting", _("Connecting"), _("Connecting to the console …"))
    if kind == "denied":  # also when the machine runs
        return InitialState("refused", _("Not connected"), refusal)
    has_process = machine_states.state(machine.status).has_process
    if card.busy and not has_process:
        return InitialState("waiting", card.status, _("The console opens automatically when the machine is running."))
    if not has_process:
        why = card.trouble or card.reason or _("Start the machine to open its console.")
        return InitialState("off", card.status, why)
    return InitialState("refused", _("Not connected"), refusal)


def _standstill(machine: VirtualMachine, card: cards.Card) -> dict[str, Any]:
    """What a picture that does not move means, as a sentence, and whether *Resume* helps."""
    found = machine_states.state(machine.status)
    if not found.has_process or machine.status in {"running", "suspended"}:  # a key may wake one that is asleep
        return {"standstill": "", "may_resume": False}
    words = _("%(state)s: the picture stands still, and keys do nothing.") % {"state": card.status}
    return {"standstill": words, "may_resume": _offers(card, Action.RESUME)}


def _offers(card: cards.Card, action: Operation.Action) -> bool:
    return any(button.action == action for button in card.buttons)


def _mode(machine: VirtualMachine, person: User, *, manages: bool) -> str:
    """Managers of somebody else's machine begin read-only: two mice at once startle people."""
    if manages and Assignment.objects.live().filter(vm=machine).exclude(user=person).exists():
        return "view"
    return "control"


# Requests of the script


def login_required_json(view: JsonView) -> JsonView:
    """Answer anonymous visitors with JSON and status 401: a script cannot use a login page."""

    @wraps(view)
    @never_cache
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> JsonResponse:
        if not request.user.is_authenticated:
            text = _("You are no longer logged in. Log in and open the console again.")
            return JsonResponse({"state": "login", "text": text}, status=401)
        return view(request, *args, **kwargs)

    return wrapper


@require_POST
@login_required_json
def grant(request: AuthenticatedHttpRequest, pk: int) -> JsonResponse:
    """A grant for one websocket, or why there is none. Only the websocket speaks to the cluster."""
    machine = lookups.visible_or_404(request.user, pk)
    mode = request.POST.get("mode", "")
    if mode not in Mode.values:
        return JsonResponse({"state": "busy", "text": _("The mode must be control or view.")}, status=400)
    if refused := close_codes.refusal(context_for(machine, person=request.user)) or _too_many(request.user):
        return _refused(*refused)
    token = ConsoleGrant.issue(machine, user=request.user, session_key=_key(request), mode=mode)
    return JsonResponse({"socket": f"/ws/console/{token}/", "mode": mode})


@require_GET
@login_required_json
def state(request: AuthenticatedHttpRequest, pk: int) -> JsonResponse:
    """The machine's state, as its card shows it, and who else has its console open."""
    machines = VirtualMachine.objects.operable_by(request.user).on_active_clusters().present()
    annotated = machines.annotate(
        is_active=Exists(latest_operations.recent_operations()), is_noticed=Value(value=False)
    )
    machine = get_object_or_404(annotated.select_related("cluster__health", "cluster__sync"), pk=pk)
    card = cards.groups([machine], operable={machine.pk}, for_staff=False)[0].cards[0]
    others = ConsoleSession.objects.alive().filter(vm=machine).exclude(user=request.user)
    return JsonResponse(
        {
            "status": machine.status,
            "words": card.status,
            "busy": card.busy,
            "text": card.trouble or card.reason,
            "may_start": _offers(card, Action.START),
            **_standstill(machine, card),
            "banner": console_banners.banner(machine, request.user)._asdict(),
            "others": [{"name": row.user_name, "mode": row.mode} for row in others],
        }
    )


@require_POST
@login_required_json
def keyboard(request: AuthenticatedHttpRequest, pk: int) -> JsonResponse:
    """Remembers the layout of the machine's keyboard, for everybody who uses its console."""
    machine = lookups.operable_or_404(request.user, pk)
    layout = request.POST.get("layout", "")
    if layout not in KeyboardLayout.values:
        return JsonResponse({"text": _("This is not one of the keyboard layouts.")}, status=400)
    machine.choose_keyboard_layout(layout)
    return JsonResponse({"layout": layout})


def _too_many(user: User) -> tuple[str, str] | None:
    if ConsoleSession.objects.alive().filter(user=user).count() >= ConsoleSession.PER_PERSON:
        text = _("You already have %(count)d consoles open. Close one of them. After a browser crash, wait a minute.")
        return "limit", text % {"count": ConsoleSession.PER_PERSON}
    lately = ConsoleGrant.objects.filter(user=user, created_at__gt=timezone.now() - timedelta(minutes=1))
    if lately.count() >= MOST_GRANTS_IN_A_MINUTE:
        return "limit", _("You opened too many consoles within a minute. Wait a moment.")
    if websocket.is_full():
        return "full", _("Too many consoles are open at the moment. Try again in a few minutes.")
    return None


def _refused(state: str, text: str) -> JsonResponse:
    return JsonResponse({"state": state, "text": text}, status=close_codes.STATUSES[state])


def _key(request: AuthenticatedHttpRequest) -> str:
    key = request.session.session_key
    if not key:
        raise Http404  # no login without a session
    return str(key)
