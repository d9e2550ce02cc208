"""Actions on the selected clusters of the admin's list."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.actions import delete_selected
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clusters import connection_test, usage
from clusters.models import Cluster, NotActive

PROTECTED = gettext_lazy(
    "One of its machines was assigned at the same moment. Nothing was deleted. End the assignments first."
)


def show_end(request: HttpRequest, cluster: Cluster, *, was_default: bool) -> None:
    """Messages about what deactivating a cluster means for people."""
    if hit := usage.losses(cluster):
        messages.warning(request, hit)
    if was_default:
        text = _("%(name)s was the default. There is no default cluster now.")
        messages.warning(request, text % {"name": cluster.name})


class ClusterActions(admin.ModelAdmin[Cluster]):
    actions = ("try_connection", "activate", "deactivate", "make_default", "delete_selected")

    def has_test_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("clusters.test_cluster")

    @admin.action(description=gettext_lazy("Test connection"), permissions=["test"])
    def try_connection(self, request: HttpRequest, queryset: QuerySet[Cluster]) -> None:
        for cluster in queryset:
            result = connection_test.run_and_record(cluster.config)
            level = messages.SUCCESS if result.ok else messages.ERROR
            synced = _(" Its machines are synced now.") if result.ok and cluster.is_active else ""
            messages.add_message(request, level, f"{cluster.name}: {result.told}{synced}")
            for warning in result.warnings:
                messages.warning(request, f"{cluster.name}: {warning}")

    # Each is one transaction that begins with locking the rows: who is second finds that it was done already.

    @admin.action(description=gettext_lazy("Activate"), permissions=["change"])
    @transaction.atomic
    def activate(self, request: HttpRequest, queryset: Any) -> None:
        for cluster in queryset.filter(is_active=False).locked():
            cluster.activate()
            self.log_change(request, cluster, "Activated.")
            messages.success(request, _("%(name)s is active.") % {"name": cluster.name})

    @admin.action(description=gettext_lazy("Deactivate"), permissions=["change"])
    @transaction.atomic
    def deactivate(self, request: HttpRequest, queryset: Any) -> None:
        for cluster in queryset.filter(is_active=True).locked():
            was_default = cluster.deactivate()
            self.log_change(request, cluster, "Deactivated.")
            messages.success(
                request, _("%(name)s is now deactivated. Nobody can use its machines.") % {"name": cluster.name}
            )
            show_end(request, cluster, was_default=was_default)

    @admin.action(description=gettext_lazy("Delete selected %(verbose_name_plural)s"), permissions=["delete"])
    def delete_selected(self, request: HttpRequest, queryset: Any) -> Any:
        try:
            with transaction.atomic():
                return delete_selected(self, request, queryset.locked())
        except (ProtectedError, IntegrityError):
            messages.error(request, PROTECTED)
            return None

    @admin.action(description=gettext_lazy("Make default"), permissions=["change"])
    def make_default(self, request: HttpRequest, queryset: QuerySet[Cluster]) -> None:
        if len(chosen := list(queryset[:2])) != 1:
            messages.error(request, _("Choose exactly one cluster. Only one can be the default."))
            return
        try:
            with transaction.atomic():
                if chosen[0].make_default():
                    self.log_change(request, chosen[0], "Made the default.")
        except NotActive as error:
            messages.error(request, str(error))
        else:
            messages.success(request, _("%(name)s is the default cluster.") % {"name": chosen[0].name})
