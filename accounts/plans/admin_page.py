"""The page of a plan in the admin, below the list of a model."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from accounts.plans.page import PlanPage
from accounts.plans.plan import P


class AdminPlanPage(PlanPage[P]):
    """For who may add and change the model's rows. Raises `PermissionDenied`."""

    title: Any = ""
    template = "admin/plan.html"

    def __init__(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> None:
        if not (model_admin.has_add_permission(request) and model_admin.has_change_permission(request)):
            raise PermissionDenied
        opts = model_admin.opts
        super().__init__(request, back_url=reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist"))
        self.model_admin = model_admin

    def page(self, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
        common = {
            **self.model_admin.admin_site.each_context(self.request),
            "opts": self.model_admin.opts,
            "title": self.title,
            "back": self.back_url,
        }
        response = render(self.request, self.template, common | context, status=status)
        response["Cache-Control"] = "private, no-store"  # names, and once passwords
        return response
