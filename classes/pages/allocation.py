"""The pages that allocate machines to a whole class, automatically or by a table: a preview, then exactly that."""

from django import forms
from django.http import HttpResponse
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from accounts.http import AuthenticatedHttpRequest, login_required
from accounts.plans.page import Facts
from classes import access
from classes.access import Right
from classes.enrolment import allocation
from classes.enrolment.allocation import AllocationPlan
from classes.forms import AssignmentTableForm
from classes.pages.plans import ClassPlanPage
from vms.bulk_assignment import AssignmentPlan


class AllocationPage(ClassPlanPage[AllocationPlan]):
    purpose = "class-allocation"
    title = gettext_lazy("Give everyone a machine")

    def plan(self, facts: Facts) -> AllocationPlan:
        return allocation.plan(self.lab_class)

    def apply(self, facts: Facts, expected: str) -> AllocationPlan:
        return allocation.apply(self.lab_class, expected=expected)


class AssignmentTablePage(ClassPlanPage[AssignmentPlan]):
    purpose = "class-assignments"
    title = gettext_lazy("Assign machines from a table")
    form_class = AssignmentTableForm

    def facts(self, form: forms.Form) -> Facts:
        return {"text": form.cleaned_data["table"]} | {name: form.cleaned_data[name] for name in ("end_first", "way")}

    def plan(self, facts: Facts) -> AssignmentPlan:
        return allocation.plan_table(self.lab_class, **facts)

    def apply(self, facts: Facts, expected: str) -> AssignmentPlan:
        return allocation.apply_table(self.lab_class, **facts, expected=expected, by=self.asked.user)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def share(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """GET: who has no machine, and who would get which. POST: do that."""
    return AllocationPage(request, access.class_or_404(request.user, pk, Right.RUN)).respond()


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def table(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    return AssignmentTablePage(request, access.class_or_404(request.user, pk, Right.RUN)).respond()
