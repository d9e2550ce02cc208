"""The page that imports a timetable from a calendar file or a table: a preview, then exactly that."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from accounts.forms import TableForm
from accounts.http import AuthenticatedHttpRequest, login_required
from accounts.plans.page import Facts
from classes import access
from classes.access import Right
from classes.pages.plans import ClassPlanPage
from classes.timetable.importing import plan as importing
from classes.timetable.importing.plan import ImportPlan


class TimetableForm(TableForm):
    text_help = gettext_lazy(
        "A calendar, or a table with a header row: from, to, first day, last day, weekdays, every weeks, note."
    )

    title = forms.CharField(
        label=gettext_lazy("Only events whose title contains"),
        max_length=100,
        required=False,
        help_text=gettext_lazy("For files with the lessons of several classes."),
    )
    by_clock = forms.BooleanField(
        label=gettext_lazy("Keep the time of day of events that repeat in UTC"),
        required=False,
        initial=True,
        help_text=gettext_lazy("Otherwise they move by an hour when the clocks change."),
    )
    replace = forms.BooleanField(
        label=gettext_lazy("End lessons that are not in the file"),
        required=False,
        help_text=gettext_lazy("For a new version of the timetable. Lessons of the past stay."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["upload"].label = gettext_lazy("Calendar file (.ics) or table (.csv)")


class ImportPage(ClassPlanPage[ImportPlan]):
    """The page keeps the lessons that were read, and not the file."""

    purpose = "timetable-import"
    title = gettext_lazy("Import a timetable")
    tab = "timetable"
    back = "classes-timetable"
    form_class = TimetableForm

    def facts(self, form: forms.Form) -> Facts:
        data = form.cleaned_data
        found = importing.read(self.lab_class, data["table"], title=data["title"], by_clock=data["by_clock"])
        asked = {name: data[name] for name in ("title", "by_clock", "replace")}
        return {"found": found.as_json(), "asked": asked}

    def initial(self, facts: Facts) -> Facts:
        return dict(facts["asked"])

    def plan(self, facts: Facts) -> ImportPlan:
        replace = facts["asked"]["replace"]
        return importing.plan(self.lab_class, importing.from_json(facts["found"]), replace=replace)

    def apply(self, facts: Facts, expected: str) -> ImportPlan:
        found, replace = importing.from_json(facts["found"]), facts["asked"]["replace"]
        return importing.apply(self.lab_class, found, replace=replace, expected=expected)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def import_timetable(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    return ImportPage(request, access.class_or_404(request.user, pk, Right.RUN)).respond()
