"""A cluster in the admin: its list, its form, and saving it."""

from collections.abc import Collection
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from clusters import usage
from clusters.admin import certificate, connection_test_page, privileges
from clusters.admin.actions import PROTECTED, ClusterActions, show_end
from clusters.admin.columns import ClusterColumns
from clusters.admin.filters import HealthFilter, TrustFilter
from clusters.admin.importing import ImportPage
from clusters.config import Trust
from clusters.forms import STORED_AS, ClusterForm
from clusters.models import SECRETS, TARGET, Cluster, DeletedCluster

CONNECTION = (
    ("host", "port"), "try_out", "fingerprint", "verify_ssl", "ca_certificate", "addresses", "learned_in_words",
)  # fmt: skip

CREDENTIAL = (
    "user", "new_password", "remove_password", "token_in_words", "new_token", "remove_token", "check_privileges",
)  # fmt: skip

# What only a cluster that is there has.
LATER = {
    "default_in_words", "learned_in_words", "remove_password", "token_in_words", "remove_token",
    "read_token_in_words", "remove_read_token", "check_privileges", "used_by", "health_in_words", "created_at",
    "updated_at",
}  # fmt: skip


@admin.register(Cluster)
class ClusterAdmin(ClusterColumns, ClusterActions):
    form = ClusterForm
    list_display = ("name", "cluster_id", "address", "health_badge", "certificate", "use")
    list_filter = ("is_active", "is_default", HealthFilter, TrustFilter)
    list_select_related = ("health",)
    search_fields = ("name", "cluster_id", "host", "user")
    fieldsets = (
        (None, {"fields": ("cluster_id", "name", "is_active", "default_in_words", "is_restricted")}),
        (gettext_lazy("Connection"), {"fields": CONNECTION}),
        (
            gettext_lazy("Credential"),
            {
                "fields": CREDENTIAL,
                "description": gettext_lazy(
                    "Stored encrypted and never shown again. If you change addresses, user or certificate settings, "
                    "enter the credential again. A token takes precedence over the password."
                ),
            },
        ),
        (
            gettext_lazy("Read-only token"),
            {
                "fields": ("read_token_in_words", "new_read_token", "remove_read_token"),
                "description": gettext_lazy(
                    "Optional. The portal then reads the cluster with this token and uses the credential above only "
                    "for changes. The commands on the page “Add cluster” create one."
                ),
            },
        ),
        (gettext_lazy("Use"), {"fields": ("used_by",)}),
        (gettext_lazy("State"), {"fields": ("health_in_words", "created_at", "updated_at")}),
    )
    readonly_fields = (
        "default_in_words", "try_out", "learned_in_words", "token_in_words", "check_privileges", "read_token_in_words",
        "used_by", "health_in_words", "created_at", "updated_at",
    )  # fmt: skip

    def get_fieldsets(self, request: HttpRequest, obj: Cluster | None = None) -> Any:
        """A cluster that is being added has nothing yet that could be shown or removed."""
        if obj is None:
            return self._fieldsets_without(LATER)
        is_shown = {
            "try_out": self.has_change_permission(request, obj),
            "check_privileges": self.has_test_permission(request),
            "remove_password": obj.password and obj.token_secret,
            "remove_token": obj.token_secret,
            "remove_read_token": obj.read_token_secret,
        }
        return self._fieldsets_without([name for name, shown in is_shown.items() if not shown])

    def _fieldsets_without(self, left_out: Collection[str]) -> Any:
        parts = (
            (name, {**part, "fields": [f for f in part["fields"] if f not in left_out]})
            for name, part in self.fieldsets
        )
        return [(name, part) for name, part in parts if part["fields"]]

    def get_queryset(self, request: HttpRequest) -> Any:
        found: Any = super().get_queryset(request).select_related("health")
        # Saving and deleting lock the row: the second administrator sees what the first one did.
        return found.locked() if request.method == "POST" and connection.in_atomic_block else found

    def get_readonly_fields(self, request: HttpRequest, obj: Cluster | None = None) -> Any:
        return self.readonly_fields if obj is None else (*self.readonly_fields, "cluster_id")

    # Saving. Only what was changed is written: a stale form must not undo what somebody else decided meanwhile.

    def save_model(self, request: HttpRequest, obj: Cluster, form: ClusterForm, change: bool) -> None:
        if not change:
            obj.save()
            return
        fields = {column for name in form.changed_data for column in STORED_AS.get(name, (name,))}
        if "is_active" in fields and not obj.is_active:
            show_end(request, obj, was_default=obj.is_default)
            obj.is_default = False
            fields.add("is_default")
        if fields:
            obj.save(update_fields=[*fields, "updated_at"])
            if obj.is_active and fields & {*TARGET, *SECRETS}:
                messages.info(request, _("The machines of %(name)s are synced now.") % {"name": obj.name})
        if obj.trust is Trust.NONE:
            messages.warning(
                request,
                _("The certificate of %(name)s is not verified. Enter its CA certificate.") % {"name": obj.name},
            )

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """A form that changed nothing leaves nothing in the history."""
        return super().log_change(request, obj, message) if message else None

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        """The page looks for what protects the cluster; somebody may be given one of its machines after that.

        With `end` it ends all assignments first, in the same transaction.
        """
        try:
            if request.method == "POST" and request.POST.get("end") == "yes":
                return self._end_and_delete(request, object_id)
            return super().delete_view(request, object_id, extra_context)
        except (ProtectedError, IntegrityError):
            messages.error(request, PROTECTED)
            return redirect("admin:clusters_cluster_changelist")

    @transaction.atomic
    def _end_and_delete(self, request: HttpRequest, object_id: str) -> Any:
        cluster = self.get_object(request, object_id)
        may_end = request.user.has_perm("vms.change_assignment") and self.has_delete_permission(request, cluster)
        if cluster is None or not may_end:
            raise PermissionDenied
        ended = usage.end(cluster)
        response = super().delete_view(request, object_id)
        if Cluster.objects.filter(pk=cluster.pk).exists():  # something else keeps it
            transaction.set_rollback(True)
        else:
            messages.info(
                request, ngettext("%(n)d assignment ended.", "%(n)d assignments ended.", ended) % {"n": ended}
            )
        return response

    def delete_model(self, request: HttpRequest, obj: Cluster) -> None:
        obj.delete()
        DeletedCluster.objects.remember([obj.cluster_id], by=request.user.get_username())

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Cluster]) -> None:
        gone = [cluster.cluster_id for cluster in queryset]
        queryset.delete()
        DeletedCluster.objects.remember(gone, by=request.user.get_username())

    # Pages

    def response_add(self, request: HttpRequest, obj: Cluster, post_url_continue: Any = None) -> HttpResponse:
        """Without the values in the URL by which *Use this certificate* filled the form."""
        response = super().response_add(request, obj, post_url_continue)
        if "_continue" in request.POST:
            return redirect("admin:clusters_cluster_change", obj.pk)
        return redirect("admin:clusters_cluster_add") if "_addanother" in request.POST else response

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("import/", wrap(self.import_view), name="clusters_cluster_import"),
            *connection_test_page.urls(self),
            *certificate.urls(self),
            *privileges.urls(self),
            *super().get_urls(),
        ]

    def import_view(self, request: HttpRequest) -> HttpResponse:
        return ImportPage(request, self).respond()

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        context["setup"] = privileges.setup() if kwargs.get("obj") is None else None
        return super().render_change_form(request, context, *args, **kwargs)

    def view_on_site(self, cluster: Cluster) -> str:
        """The cluster's state, in the portal."""
        return f"{reverse('vms-clusters')}#cluster-{cluster.pk}"
