"""The page on which a plan is made, shown and carried out: the same in the portal and in the admin."""

from dataclasses import dataclass
from typing import Any, Generic

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from accounts import signed
from accounts.plans.plan import P, PlanChanged, PlanRow
from accounts.spreadsheet import Unreadable

Facts = dict[str, Any]


@dataclass(frozen=True)
class ShownRow:
    """A row as the template draws it. `is_new` marks it in a plan that follows another one."""

    row: PlanRow
    cells: list[tuple[Any, Any]]  # heading and value
    is_new: bool


class PlanPage(Generic[P]):
    """GET: the form. POST: its plan. POST with `shown`: exactly that plan; with `edit` as well: the form again.

    `purpose` tells one page's signed plans from another's: where a page is about one thing, it names it.
    """

    purpose = ""
    form_class: type[forms.Form] | None = None

    def __init__(self, request: HttpRequest, *, back_url: str) -> None:
        """`back_url` is where the page came from, and where it leads when all is done."""
        self.request = request
        self.back_url = back_url

    # What each page has of its own.

    def facts(self, form: forms.Form) -> Facts:
        """The facts that `plan` needs, from a valid form. Raises `Unreadable` or Django's `ValidationError`."""
        raise NotImplementedError

    def plan(self, facts: Facts) -> P:
        """Raises `Unreadable`."""
        raise NotImplementedError

    def apply(self, facts: Facts, expected: str) -> P:
        """Raises `PlanChanged`. What it returns is given to `done`."""
        raise NotImplementedError

    def page(self, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
        """With `form`, with `plan` and what belongs to it, or with both where nothing can be confirmed."""
        raise NotImplementedError

    def done(self, plan: P) -> HttpResponse:
        for text in plan.said:
            messages.success(self.request, text)
        return redirect(self.back_url)

    def initial(self, facts: Facts) -> Facts:
        """The form's values when somebody goes back to it from the plan."""
        return facts

    def keep(self, facts: Facts, plan: P) -> Facts:
        """The content of the signed form, as plain JSON: the facts, or a reference to facts that no page may hold."""
        return facts

    def recall(self, kept: Facts) -> Facts | None:
        """The facts again. None when they are gone."""
        return kept

    # What all have in common.

    def respond(self) -> HttpResponse:
        if "shown" in self.request.POST:
            return self._answer(self.request.POST["shown"])
        if self.form_class is None:
            return self._show({})
        if self.request.method != "POST":
            return self.page({"form": self.form_class()})
        form = self.form_class(self.request.POST, self.request.FILES)
        if form.is_valid():
            try:
                return self._show(self.facts(form))
            except Unreadable as error:
                form.add_error(error.field or getattr(form, "source_field", None), str(error))
            except forms.ValidationError as error:
                form.add_error(None, error)
        return self.page({"form": form}, status=400)

    def _show(self, facts: Facts, before: str | None = None) -> HttpResponse:
        """`before` are the marks of the plan that this one follows."""
        plan = self.plan(facts)
        shown = ""
        if plan.may_be_carried_out:
            kept = {"facts": self.keep(facts, plan), "digest": plan.digest, "marks": plan.marks}
            shown = signed.dumps(self.purpose, self.request, kept)
        new = {id(row) for row in plan.changed_since(before)} if before is not None else set()
        rows = [
            ShownRow(row, [(heading, getattr(row, name)) for name, heading in plan.columns], id(row) in new)
            for row in plan.rows
        ]
        context = {"plan": plan, "plan_rows": rows, "new_rows": len(new), "shown": shown}
        context["plan_can_be_edited"] = self.form_class is not None
        if self.form_class and not shown:  # there is nothing to confirm, so what was entered is to be mended
            context["form"] = self.form_class(initial=self.initial(facts))
        return self.page(context)

    def _answer(self, token: str) -> HttpResponse:
        is_old = False
        try:
            kept = signed.loads_recent(self.purpose, self.request, token)
        except signed.SignatureExpired as error:
            kept, is_old = error.shown, True
        facts = self.recall(kept["facts"]) if kept else None
        if kept is None or facts is None:
            messages.error(self.request, _("This preview is too old, or not yours. Start again."))
            return redirect(self._start)
        if "edit" in self.request.POST and self.form_class:
            return self.page({"form": self.form_class(initial=self.initial(facts))})
        try:
            return self._apply(facts, kept, is_old=is_old)
        except Unreadable as error:  # it could be read before: there is more of something now than is allowed
            messages.error(self.request, str(error))
            return redirect(self._start)

    def _apply(self, facts: Facts, kept: Facts, *, is_old: bool) -> HttpResponse:
        try:
            if is_old:
                raise PlanChanged(_("This preview was too old, so nothing was saved. Check the new one."))
            plan = self.apply(facts, kept["digest"])
        except PlanChanged as error:
            messages.warning(self.request, str(error))
            return self._show(facts, kept["marks"])
        return self.done(plan)

    @property
    def _start(self) -> str:
        return self.request.get_full_path()
