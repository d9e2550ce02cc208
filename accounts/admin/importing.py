"""Accounts from a table in the admin: a preview, then exactly that, then the first passwords once."""

from django import forms
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import importing
from accounts.forms import TableForm
from accounts.importing import AccountPlan, Options
from accounts.plans.admin_page import AdminPlanPage
from accounts.plans.page import Facts


class ImportForm(TableForm):
    text_help = gettext_lazy(
        "One person per line: username,first name,last name,email and, optionally, a group. Separate the columns "
        "with commas, semicolons or tabs. With a header row, the columns can be in any order. A list can have at "
        "most 5,000 lines and 200 new people. You see the first password of each new person once, and they change it "
        "at their first login."
    )

    update = forms.BooleanField(
        label=gettext_lazy("Change people who have accounts already"),
        required=False,
        help_text=gettext_lazy("Otherwise they are skipped. Passwords never change, and empty cells change nothing."),
    )


class ImportPage(AdminPlanPage[AccountPlan]):
    purpose = "accounts"
    title = gettext_lazy("Import accounts")
    template = "admin/accounts/user/import.html"
    form_class = ImportForm

    def facts(self, form: forms.Form) -> Facts:
        return {"text": form.cleaned_data["table"], "update": form.cleaned_data["update"]}

    def plan(self, facts: Facts) -> AccountPlan:
        return importing.plan(facts["text"], self._options(facts))

    def apply(self, facts: Facts, expected: str) -> AccountPlan:
        plan, self.created = importing.apply(facts["text"], self._options(facts), expected=expected)
        return plan

    def done(self, plan: AccountPlan) -> HttpResponse:
        answer = super().done(plan)
        return self.page({"created": self.created, "title": _("First passwords")}) if self.created else answer

    def _options(self, facts: Facts) -> Options:
        """The options of the importing person, with the rights of now, not those at the preview."""
        return Options(update=facts["update"], by_superuser=bool(self.request.user.is_superuser))
