"""The site of Django's admin: its pages by task instead of by app."""

from typing import Any

from django.contrib import admin
from django.http import Http404, HttpRequest
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy

from labportal.administration import attention
from labportal.administration.tasks import TASKS, place_of, task_of


class PortalAdminSite(admin.AdminSite):
    """Its index and its menu list models by task; the app's pages lead to the index."""

    site_header = gettext_lazy("Administration")
    site_title = "Lab Portal"
    index_title = gettext_lazy("Administration")
    login_template = "registration/login.html"
    enable_nav_sidebar = False  # the menu is above the page, and tables have the whole width

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """As Django's, but a task stands where an app does. Without those of which the person may open no page."""
        models = [model for app in super().get_app_list(request, app_label) for model in app["models"]]
        models.sort(key=lambda model: place_of(model["model"]))
        grouped = [
            {
                "name": task.name,
                "app_label": task.key,
                "app_url": f"{reverse('admin:index', current_app=self.name)}#{task.key}",
                "has_module_perms": True,
                "models": [model for model in models if task_of(model["model"]) is task],
            }
            for task in TASKS
        ]
        return [group for group in grouped if group["models"]]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """With the numbers that need attention beside each model that the person may look at."""
        groups = self.get_app_list(request)
        found = attention.for_request(request)
        for group in groups:
            for model in group["models"]:
                model["attention"] = found.get(model["model"]._meta.label_lower, [])
        problems = sum(item.is_problem for items in found.values() for item in items)
        return super().index(request, {"app_list": groups, "problems": problems, **(extra_context or {})})

    def app_index(self, request: HttpRequest, app_label: str, extra_context: Any = None) -> Any:
        """No page of its own: what it would list is on the index, under its task."""
        found: list[Any] = self.get_app_list(request, app_label)
        if not found:
            raise Http404
        return redirect(found[0]["app_url"])
