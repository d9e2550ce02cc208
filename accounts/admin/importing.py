"""Accounts from a table in the admin: a preview, then exactly that, then the first passwords once."""

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_variables

from accounts import importing
from accounts.forms import TableForm
from accounts.importing import AccountPlan, Created, Options
from accounts.plans import Outcome
from accounts.plans.admin_page import AdminPlanPage
from accounts.plans.page import Facts


class ImportForm(TableForm):
    text_help = gettext_lazy(
        "Lines of username,first name,last name,email and, if you like, a group. Commas, semicolons or tabs; a header "
        "row is ignored; at most 5,000 lines. Every new person gets a first password: you see it once, and they change "
        "it at the first login. At most 200 new people at a time."
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

    def apply(self, facts: Facts, expected: str) -> tuple[AccountPlan, list[Created]]:
        return importing.apply(facts["text"], self._options(facts), expected=expected)

    @sensitive_variables("result", "created")
    def done(self, result: tuple[AccountPlan, list[Created]]) -> HttpResponse:
        plan, created = result
        counts = {"new": plan.counts[Outcome.CREATED], "updated": plan.counts[Outcome.CHANGED]}
        messages.success(self.request, _("%(new)s accounts created, %(updated)s changed.") % counts)
        if not created:
            return super().done(result)
        return self.page({"created": created, "title": _("First passwords")})

    def _options(self, facts: Facts) -> Options:
        """Who imports is asked now, not when the preview was made."""
        return Options(update=facts["update"], by_superuser=bool(self.request.user.is_superuser))
