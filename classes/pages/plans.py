"""Shared parts of the class pages that show a plan first: tabs, template, and name in the signature."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse

from accounts.http import AuthenticatedHttpRequest
from accounts.plans.page import PlanPage
from accounts.plans.plan import P
from classes.models import LabClass
from classes.pages.tabs import tab_context


class ClassPlanPage(PlanPage[P]):
    """`tab` is the one that the page belongs to, and `back` the name of the address of its list."""

    title: Any = ""
    tab = "machines"
    back = "classes-machines"
    template = "classes/plan.html"

    def __init__(self, request: AuthenticatedHttpRequest, lab_class: LabClass) -> None:
        super().__init__(request, back_url=reverse(self.back, args=[lab_class.pk]))
        self.asked = request
        self.lab_class = lab_class
        self.purpose = f"{self.purpose}.{lab_class.pk}"

    def page(self, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
        more = {"title": self.title, "back": self.back_url} | context
        return render(
            self.request, self.template, tab_context(self.asked, self.lab_class, self.tab, **more), status=status
        )
