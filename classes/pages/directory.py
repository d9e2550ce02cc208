"""Adds people whom the directory knows, also those who never signed in: their place and machine wait for them."""

from auditlog.models import LogEntry
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts import audit
from accounts.http import AuthenticatedHttpRequest, login_required
from accounts.sign_in import looking_up
from accounts.sign_in.entering import Refused
from accounts.sign_in.outages import SourceDown
from classes import access
from classes.access import Right
from classes.enrolment import membership
from classes.models import LabClass
from classes.pages.tabs import tab_context

MOST_TEXT = 100


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def page(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """POST with `text` searches, which is recorded; with `directory` and `person` it adds that one."""
    lab_class = access.class_or_404(request.user, pk, Right.RUN)
    text = request.POST.get("text", "")[:MOST_TEXT].strip()
    try:
        if "person" in request.POST:
            _add(request, lab_class)
        found = _search(lab_class, text)
    except Refused as refused:
        messages.error(request, refused.sentence.rendered)
        return redirect("classes-directory", lab_class.pk)
    except SourceDown as down:
        messages.error(request, _("%(name)s is not responding. Try again in a minute.") % {"name": down.source})
        return redirect("classes-directory", lab_class.pk)
    context = {"text": text, "found": found, "least": looking_up.LEAST, "most": looking_up.MOST}
    context |= {"sources": looking_up.directories(), "too_short": bool(text) and len(text) < looking_up.LEAST}
    answer = render(request, "classes/directory.html", tab_context(request, lab_class, "people", **context))
    answer["Cache-Control"] = "private, no-store"
    return answer


def _search(lab_class: LabClass, text: str) -> list[looking_up.Found]:
    if len(text) < looking_up.LEAST:
        return []
    audit.record_many([(lab_class, {"searched the directory for": ("", text)})], action=LogEntry.Action.ACCESS)
    return looking_up.search(text)


def _add(request: AuthenticatedHttpRequest, lab_class: LabClass) -> None:
    """Enrols the person at once. Raises `Refused` and `SourceDown`."""
    directory = request.POST.get("directory", "")
    person = looking_up.expect(
        int(directory) if directory.isdecimal() and len(directory) < 10 else 0, request.POST["person"][:MOST_TEXT]
    )
    name = person.get_full_name() or person.get_username()
    if person in lab_class.teachers:
        messages.info(request, _("%(name)s teaches the class.") % {"name": name})
    elif membership.add_people(lab_class, [person], at_once=True):
        messages.success(request, _("%(name)s is in the class.") % {"name": name})
    else:
        messages.info(request, _("%(name)s was in the class already.") % {"name": name})
