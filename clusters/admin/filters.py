"""Filters of the admin's list of clusters."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clusters.models import Cluster
from clusters.models.health import BY_HEALTH


class TrustFilter(admin.SimpleListFilter):
    title = gettext_lazy("certificate")
    parameter_name = "trust"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("none", _("not verified")), ("verified", _("verified"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Cluster]) -> QuerySet[Cluster]:
        blind = {"verify_ssl": False, "ca_certificate": "", "fingerprint": ""}
        if self.value() == "none":
            return queryset.filter(**blind)
        return queryset.exclude(**blind) if self.value() == "verified" else queryset


class HealthFilter(admin.SimpleListFilter):
    title = gettext_lazy("health")
    parameter_name = "health"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("ok", _("responding")),
            ("failing", _("not responding")),
            ("distrusted", _("certificate not trusted")),
            ("rejecting", _("credential rejected")),
            ("unasked", _("not checked yet")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Cluster]) -> QuerySet[Cluster]:
        return queryset.filter(BY_HEALTH.get(self.value() or "", Q()))
