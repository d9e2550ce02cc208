"""The admin site: its index and menu list models by section instead of by app."""

from typing import Any

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy

from accounts.sign_in.ways import ways
from labportal.administration import attention
from labportal.administration.sections import SECTIONS, place_of, section_of


class PortalAdminSite(admin.AdminSite):
    """Lists models by section on the index and in the menu; the pages of apps redirect to the index."""

    site_header = gettext_lazy("Administration")
    site_title = "Lab Portal"
    index_title = gettext_lazy("Administration")
    login_template = "registration/login.html"
    enable_nav_sidebar = False  # the menu is above the page, and tables have the whole width

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Django's list with sections in place of apps. Leaves out sections of which the person may open no page."""
        models = [model for app in super().get_app_list(request, app_label) for model in app["models"]]
        models.sort(key=lambda model: place_of(model["model"]))
        grouped = [
            {
                "name": section.name,
                "app_label": section.key,
                "app_url": f"{reverse('admin:index', current_app=self.name)}#{section.key}",
                "has_module_perms": True,
                "models": [model for model in models if section_of(model["model"]) is section],
            }
            for section in SECTIONS
        ]
        return [group for group in grouped if group["models"]]

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The portal's own login page, for who asks for a page of the admin."""
        found = ways(request.GET.get("next") or reverse("admin:index", current_app=self.name))
        return super().login(request, {"ways": found, **(extra_context or {})})

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """The index, with the numbers that need attention beside each model that the person may view."""
        groups = self.get_app_list(request)
        found = attention.for_request(request)
        for group in groups:
            for model in group["models"]:
                model["attention"] = found.get(model["model"]._meta.label_lower, [])
        problems = sum(item.is_problem for items in found.values() for item in items)
        return super().index(request, {"app_list": groups, "problems": problems, **(extra_context or {})})

    def app_index(self, request: HttpRequest, app_label: str, extra_context: Any = None) -> Any:
        """Redirects to the section on the index."""
        found: list[Any] = self.get_app_list(request, app_label)
        if not found:
            raise Http404
        return redirect(found[0]["app_url"])
