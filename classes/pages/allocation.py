"""Many machines at once: by themselves, or as a table says. First a preview, then exactly that."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from accounts import signed
from accounts.http import AuthenticatedHttpRequest, login_required
from accounts.spreadsheet import Unreadable
from classes import access
from classes.access import Right
from classes.enrolment import allocation
from classes.forms import AssignmentTableForm
from classes.models import LabClass
from classes.pages.tabs import tab_context
from vms.bulk_assignment import Plan, PlanChanged

PURPOSE = "class-assignments"


def too_old(request: AuthenticatedHttpRequest) -> None:
    messages.error(request, _("This preview is too old, or not yours. Begin again."))


def changed(request: AuthenticatedHttpRequest) -> None:
    messages.warning(request, _("Something changed after this preview, so nothing was saved. Check the new one."))


def _given(request: AuthenticatedHttpRequest, count: int) -> None:
    text = ngettext("%(n)d machine was given.", "%(n)d machines were given.", count)
    messages.success(request, text % {"n": count})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def share(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """GET: n people, m free machines, and who would get which. POST: do that."""
    lab_class = access.class_or_404(request.user, pk, Right.RUN)
    if request.method == "POST":
        kept = signed.loads(PURPOSE, request, request.POST.get("shown", ""))
        if kept is None or kept["class"] != pk:
            too_old(request)
            return redirect("classes-share", pk)
        try:
            done = allocation.share_out(lab_class, expected=kept["digest"])
        except PlanChanged:
            changed(request)
            return redirect("classes-share", pk)
        _given(request, len(done.pairs))
        return redirect("classes-machines", pk)
    plan = allocation.share(lab_class)
    shown = signed.dumps(PURPOSE, request, {"class": pk, "digest": plan.digest}) if plan.pairs else ""
    more = {
        "plan": plan,
        "shown": shown,
        "people": len(plan.pairs) + plan.people_left,
        "machines": len(plan.pairs) + plan.machines_left,
    }
    return render(request, "classes/share.html", tab_context(request, lab_class, "machines", **more))


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def table(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """GET: the form. POST: the preview. POST with `shown`: do what that preview showed."""
    lab_class = access.class_or_404(request.user, pk, Right.RUN)
    if "shown" in request.POST:
        return _apply(request, lab_class)
    form = AssignmentTableForm(request.POST, request.FILES) if request.method == "POST" else AssignmentTableForm()
    if request.method == "POST" and form.is_valid():
        try:
            text, end_first = form.table, form.cleaned_data["end_first"]
            plan = allocation.by_table(lab_class, text, end_first=end_first, way=form.cleaned_data["way"])
            return _preview(request, lab_class, plan, text)
        except Unreadable as error:
            form.add_error(None, str(error))
    context = tab_context(request, lab_class, "machines", form=form)
    return render(request, "classes/table.html", context, status=400 if form.errors else 200)


def _preview(request: AuthenticatedHttpRequest, lab_class: LabClass, plan: Plan, text: str) -> HttpResponse:
    kept = {
        "class": lab_class.pk, "text": text, "end_first": plan.end_first, "way": plan.way, "digest": plan.digest,
    }  # fmt: skip
    shown = signed.dumps(PURPOSE, request, kept) if plan.given else ""
    return render(request, "classes/table.html", tab_context(request, lab_class, "machines", plan=plan, shown=shown))


def _apply(request: AuthenticatedHttpRequest, lab_class: LabClass) -> HttpResponse:
    kept = signed.loads(PURPOSE, request, request.POST["shown"])
    if kept is None or kept["class"] != lab_class.pk or "text" not in kept:
        too_old(request)
        return redirect("classes-table", lab_class.pk)
    chosen = {"end_first": kept["end_first"], "way": kept["way"]}
    try:
        done = allocation.apply_table(lab_class, kept["text"], **chosen, expected=kept["digest"], by=request.user)
    except PlanChanged:
        changed(request)
        plan = allocation.by_table(lab_class, kept["text"], **chosen)
        return _preview(request, lab_class, plan, kept["text"])
    later = sum(bool(row.ends) for row in done.given)
    _given(request, len(done.given) - later)
    if later:
        text = ngettext(
            "%(n)d machine is prepared first, and then given.", "%(n)d machines are prepared first, and then given.",
            later,
        )  # fmt: skip
        messages.info(request, text % {"n": later})
    return redirect("classes-machines", lab_class.pk)
