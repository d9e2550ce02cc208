"""The page that compares accounts with a directory: a preview, then exactly that, also where many left at once."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models.sources import Directory
from accounts.plans import carry_out
from accounts.plans.admin_page import AdminPlanPage
from accounts.plans.page import Facts
from accounts.sign_in import health
from accounts.sign_in.keeping_up import SyncPlan, job
from accounts.sign_in.outages import SourceDown
from accounts.spreadsheet import Unreadable


class ComparePage(AdminPlanPage[SyncPlan]):
    """POST asks the directory for everybody, which takes seconds where it has thousands."""

    template = "admin/accounts/sign_in/compare.html"
    form_class = forms.Form

    def facts(self, form: forms.Form) -> Facts:
        return {}

    def __init__(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any], directory: Directory) -> None:
        super().__init__(request, model_admin)
        if not request.user.is_superuser:  # as the directory's own page: by its rules, roles come and go
            raise PermissionDenied
        self.directory = directory
        self.purpose = f"compare with directory {directory.pk}"
        self.title = _("Compare accounts with %(name)s") % {"name": directory}

    def plan(self, facts: Facts) -> SyncPlan:
        return job.plan_from(self.directory, self._everybody(timezone.now()))

    def apply(self, facts: Facts, expected: str) -> SyncPlan:
        now = timezone.now()
        people = self._everybody(now)
        done = carry_out(
            lambda: job.plan_from(self.directory, people),
            lambda plan: job.carry_out(self.directory, plan.written, people, now),
            expected=expected,
        )
        job.record(self.directory, done, now)
        return done

    def _everybody(self, now: datetime) -> job.People:
        try:
            return job.everybody(self.directory, now)
        except SourceDown as error:
            health.note(self.directory, error.message, now=now)
            raise Unreadable(error.message.rendered) from None
