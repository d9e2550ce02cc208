"""Ending, reopening and deleting a class."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from accounts.http import AuthenticatedHttpRequest, login_required
from classes import access, lifecycle
from classes.access import Right
from classes.enrolment import releasing
from classes.models import Membership
from classes.pages import release_page
from vms import preparation
from vms.pages.release_choice import ReleaseChoice, changed_message


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def end(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """GET: the release page. POST: end the class."""
    lab_class = access.class_or_404(request.user, pk, Right.RUN)
    choice = ReleaseChoice(request, releasing.unreleased(lab_class))
    if not choice.is_made:
        return release_page.release_page(request, lab_class, choice, "end", tab="settings")
    try:
        freed = lifecycle.end(lab_class, way=choice.way, by=request.user, shown=choice.shown)
    except preparation.Changed:
        messages.warning(request, changed_message())
        return redirect(request.path)
    release_page.show_result(request, freed)
    messages.success(request, _("The class “%(name)s” has ended.") % {"name": lab_class.name})
    return redirect("classes-machines" if freed else "classes-archive", *([pk] if freed else []))


@require_POST
@login_required
def reopen(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    lab_class = access.class_or_404(request.user, pk, Right.RUN)
    if lab_class.is_being_deleted:
        access.class_or_404(request.user, pk, Right.OWN)
    was_past = lab_class.is_past_its_last_day
    given = lifecycle.reopen(lab_class)
    messages.success(request, _("The class “%(name)s” is open again.") % {"name": lab_class.name})
    if was_past:
        messages.info(
            request, _("The last day was in the past, so it was removed. Set a new one on the page “Settings”.")
        )
    if given:
        text = ngettext("%(n)d person has their machine again.", "%(n)d people have their machines again.", given)
        messages.success(request, text % {"n": given})
    return redirect("classes-machines", pk)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def delete(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """GET: the release page, which says what is lost. POST: delete the class."""
    lab_class = access.class_or_404(request.user, pk, Right.OWN)
    choice = ReleaseChoice(request, releasing.unreleased(lab_class))
    if not choice.is_made:
        people = Membership.objects.joined().filter(lab_class=lab_class).count()
        return release_page.release_page(request, lab_class, choice, "delete", tab="settings", people=people)
    try:
        is_gone = lifecycle.delete(lab_class, way=choice.way, by=request.user, shown=choice.shown)
    except preparation.Changed:
        messages.warning(request, changed_message())
        return redirect(request.path)
    if is_gone:
        messages.success(request, _("The class “%(name)s” was deleted.") % {"name": lab_class.name})
        return redirect("classes-list")
    text = _("The class “%(name)s” has ended. It will be deleted when its machines are ready.")
    messages.success(request, text % {"name": lab_class.name})
    return redirect("classes-machines", pk)
