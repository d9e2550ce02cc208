"""Joining a class by a link or a code. A link shows what it opens; only the button joins."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from accounts import signed
from accounts.http import AuthenticatedHttpRequest, login_required
from accounts.lockout import client_address
from classes.enrolment import joining
from classes.forms import CodeForm
from classes.models import ClassMachine, Invite, JoinTries, Membership

PURPOSE = "join"

# Wrong tries within an hour. Whole classes sit behind one address.
MOST_BY_PERSON, MOST_FROM_ADDRESS = 10, 200


def _keys(request: AuthenticatedHttpRequest) -> list[tuple[str, int]]:
    """The keys by which tries are counted. The address is kept as a digest; without one, no count is shared."""
    address = client_address(request)
    digest = salted_hmac("classes.join", address or "", algorithm="sha256").hexdigest()[:40]
    return [
        (f"person:{request.user.pk}", MOST_BY_PERSON),
        *([(f"address:{digest}", MOST_FROM_ADDRESS)] if address else []),
    ]


def _take(request: AuthenticatedHttpRequest) -> bool:
    """Count a try by person and address; false when there were too many."""
    taken = [JoinTries.attempt(key, most=most) for key, most in _keys(request)]
    return all(taken)


def _give_back(request: AuthenticatedHttpRequest) -> None:
    for key, _most in _keys(request):
        JoinTries.undo(key)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def by_code(request: AuthenticatedHttpRequest) -> HttpResponse:
    """GET: the form. POST: the page of what the code opens. POST with `shown`: join that."""
    if "shown" in request.POST:
        kept = signed.loads(PURPOSE, request, request.POST["shown"])
        invite = Invite.objects.select_related("lab_class__owner").filter(pk=kept["invite"]).first() if kept else None
        return _join(request, invite)
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        if not _take(request):
            return _too_many(request)
        invite = Invite.objects.by_code(form.cleaned_data["code"])
        if invite is None or not _opens(invite, request):
            return _nothing(request)
        _give_back(request)
        shown = signed.dumps(PURPOSE, request, {"invite": invite.pk})
        return _door(request, invite, shown)
    return render(request, "classes/join_code.html", {"form": form}, status=400 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def by_link(request: AuthenticatedHttpRequest, token: str) -> HttpResponse:
    """GET: what the link opens. POST: join it. No token is found by trying; wrong presses are counted all the same."""
    invite = Invite.objects.by_token(token)
    if request.method == "POST":
        return _join(request, invite)
    if invite is None or not _opens(invite, request):
        return _nothing(request)
    return _door(request, invite, "")


def _join(request: AuthenticatedHttpRequest, invite: Invite | None) -> HttpResponse:
    try:
        if invite is None:
            raise joining.NotInvited
        joined = joining.join(invite, request.user)
    except joining.NotInvited:
        return _nothing(request) if _take(request) else _too_many(request)
    _tell(request, joined)
    return redirect("classes-page", joined.lab_class.pk)


def _opens(invite: Invite, request: AuthenticatedHttpRequest) -> bool:
    """Whether to show this person the class behind it."""
    mine = Membership.objects.live().filter(lab_class=invite.lab_class, user=request.user).first()
    if mine and mine.joined_at:
        return True
    return invite.is_usable and not invite.lab_class.is_over and bool(mine or not invite.restricted_to_roster)


def _door(request: AuthenticatedHttpRequest, invite: Invite, shown: str) -> HttpResponse:
    lab_class = invite.lab_class
    free = ClassMachine.objects.free().filter(lab_class=lab_class).count()
    waiting = Membership.objects.waiting().filter(lab_class=lab_class).count()
    context = {
        "lab_class": lab_class,
        "shown": shown,
        "free": max(0, free - waiting),
        "waiting": waiting,
        "is_in": Membership.objects.joined().filter(lab_class=lab_class, user=request.user).exists(),
    }
    return render(request, "classes/join.html", context)


def _nothing(request: AuthenticatedHttpRequest) -> HttpResponse:
    """One text for whatever opens nothing."""
    return render(request, "classes/not_invited.html", {"form": CodeForm()}, status=404)


def _too_many(request: AuthenticatedHttpRequest) -> HttpResponse:
    response = render(request, "classes/too_many_tries.html", status=429)
    response["Retry-After"] = "3600"
    return response


def _tell(request: AuthenticatedHttpRequest, joined: joining.JoinResult) -> None:
    name = joined.lab_class.name
    if not joined.is_new:
        messages.info(request, _("You are already in “%(name)s”.") % {"name": name})
    elif joined.machine:
        said = {"name": name, "machine": joined.machine.display_name}
        messages.success(request, _("You joined “%(name)s”. Your machine is %(machine)s.") % said)
    elif not joined.people_ahead:
        text = _("You joined “%(name)s”. You are next in line for a machine and get one automatically.")
        messages.success(request, text % {"name": name})
    else:
        text = ngettext(
            "You joined “%(name)s” and are waiting for a machine. %(n)d person is ahead of you. You get one "
            "automatically.",
            "You joined “%(name)s” and are waiting for a machine. %(n)d people are ahead of you. You get one "
            "automatically.",
            joined.people_ahead,
        )
        messages.success(request, text % {"name": name, "n": joined.people_ahead})
