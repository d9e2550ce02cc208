"""A cluster in the admin: list, form and actions."""

from collections.abc import Collection
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.actions import delete_selected
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import telling
from clusters import connection_test, usage
from clusters.admin import certificate, connection_test_page, privileges
from clusters.admin.filters import HealthFilter, TrustFilter
from clusters.admin.importing import ImportPage
from clusters.config import Trust
from clusters.forms import STORED_AS, ClusterForm
from clusters.models import Cluster, DeletedCluster, NotActive
from clusters.templatetags.ages import age

CONNECTION = ("host", "port", "addresses", "learned_in_words", "verify_ssl", "ca_certificate", "fingerprint")

# What only a cluster that is there has.
LATER = {
    "default_in_words", "learned_in_words", "remove_password", "token_in_words", "remove_token",
    "read_token_in_words", "remove_read_token", "used_by", "health_in_words", "created_at", "updated_at",
}  # fmt: skip

PROTECTED = gettext_lazy(
    "Somebody was given one of its machines at the same moment. Nothing was deleted: end the assignments first."
)


@admin.register(Cluster)
class ClusterAdmin(admin.ModelAdmin[Cluster]):
    class Media:
        css: ClassVar[dict[str, tuple[str, ...]]] = {"all": ("portal/admin.css",)}

    form = ClusterForm
    list_display = ("name", "cluster_id", "address", "health_badge", "certificate", "use")
    list_filter = ("is_active", "is_default", HealthFilter, TrustFilter)
    list_select_related = ("health",)
    search_fields = ("name", "cluster_id", "host", "user")
    actions = ("try_connection", "activate", "deactivate", "make_default", "delete_selected")
    fieldsets = (
        (None, {"fields": ("cluster_id", "name", "is_active", "default_in_words", "is_restricted")}),
        (gettext_lazy("Connection"), {"fields": CONNECTION}),
        (
            gettext_lazy("Credential"),
            {
                "fields": ("user", "new_password", "remove_password", "token_in_words", "new_token", "remove_token"),
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
                    "Optional. With it the portal looks at the cluster, and uses the credential above only "
                    "to change something. The lines on the page “Add cluster” make one."
                ),
            },
        ),
        (gettext_lazy("Use"), {"fields": ("used_by",)}),
        (gettext_lazy("State"), {"fields": ("health_in_words", "created_at", "updated_at")}),
    )
    readonly_fields = (
        "default_in_words", "learned_in_words", "token_in_words", "read_token_in_words", "used_by", "health_in_words",
        "created_at", "updated_at",
    )  # fmt: skip

    def get_fieldsets(self, request: HttpRequest, obj: Cluster | None = None) -> Any:
        """A cluster that is being added has nothing yet that could be shown or removed."""
        if obj:
            stored = {
                "remove_password": obj.password and obj.token_secret,
                "remove_token": obj.token_secret,
                "remove_read_token": obj.read_token_secret,
            }
            return self._fieldsets_without([name for name, is_stored in stored.items() if not is_stored])
        return self._fieldsets_without(LATER)

    def _fieldsets_without(self, left_out: Collection[str]) -> Any:
        parts = (
            (name, {**part, "fields": [f for f in part["fields"] if f not in left_out]})
            for name, part in self.fieldsets
        )
        return [(name, part) for name, part in parts if part["fields"]]

    def get_queryset(self, request: HttpRequest) -> Any:
        found: Any = super().get_queryset(request).select_related("health")
        # Whoever saves or deletes has the row to himself: who is second sees what the first one did.
        return found.locked() if request.method == "POST" and connection.in_atomic_block else found

    def get_readonly_fields(self, request: HttpRequest, obj: Cluster | None = None) -> Any:
        return self.readonly_fields if obj is None else (*self.readonly_fields, "cluster_id")

    # Columns

    @admin.display(description=gettext_lazy("address"), ordering="host")
    def address(self, cluster: Cluster) -> str:
        return f"{cluster.host}:{cluster.port}"

    @admin.display(description=gettext_lazy("health"), ordering="health__failing_since")
    def health_badge(self, cluster: Cluster) -> SafeString:
        health = getattr(cluster, "health", None)
        tone = "unknown" if health is None else "ok" if health.ok else "failing"
        return format_html('<span class="health {}">{}</span>', tone, self.health_in_short(cluster))

    def health_in_short(self, cluster: Cluster) -> str:
        health = getattr(cluster, "health", None)
        if health is None:
            return _("not asked yet")
        return _("reachable") if health.ok else _("not reachable for %(age)s") % {"age": age(health.failing_since)}

    @admin.display(description=gettext_lazy("health"))
    def health_in_words(self, cluster: Cluster) -> str:
        health = getattr(cluster, "health", None)
        if health is None:
            return _("not asked yet")
        asked = _("Asked %(age)s ago.") % {"age": age(health.checked_at)}
        return f"{self.health_in_short(cluster)}. {telling.told(health.problem) or asked}"

    @admin.display(description=gettext_lazy("certificate"))
    def certificate(self, cluster: Cluster) -> SafeString | str:
        if cluster.trust is Trust.NONE:
            return format_html("<strong>{}</strong>", cluster.trust.label)
        return cluster.trust.label

    @admin.display(description=gettext_lazy("use"), ordering="is_active")
    def use(self, cluster: Cluster) -> str:
        if not cluster.is_active:
            return _("switched off")
        return _("active, default") if cluster.is_default else _("active")

    @admin.display(description=gettext_lazy("used by"))
    def used_by(self, cluster: Cluster) -> str:
        return usage.in_words(cluster)

    @admin.display(description=gettext_lazy("default"))
    def default_in_words(self, cluster: Cluster) -> str:
        return _("yes") if cluster.is_default else _("no; the list's action “Make default” changes it")

    @admin.display(description=gettext_lazy("learned addresses"))
    def learned_in_words(self, cluster: Cluster) -> str:
        """Of the page for a new cluster, too."""
        if cluster.trust is Trust.NONE:
            return _("none: only a cluster whose certificate is verified is believed where its nodes are")
        known = ", ".join(cluster.learned_addresses) or _("none yet")
        return _(
            "%(known)s. The portal asks the cluster for its nodes' addresses; they are tried after those above."
        ) % {"known": known}

    @admin.display(description=gettext_lazy("API token"))
    def token_in_words(self, cluster: Cluster) -> str:
        return cluster.token_id or _("none")

    @admin.display(description=gettext_lazy("read-only token"))
    def read_token_in_words(self, cluster: Cluster) -> str:
        return cluster.read_token_id or _("none")

    # Saving. Only what was changed is written: a stale form must not undo what somebody else decided meanwhile.

    def save_model(self, request: HttpRequest, obj: Cluster, form: ClusterForm, change: bool) -> None:
        if not change:
            obj.save()
            return
        fields = {column for name in form.changed_data for column in STORED_AS.get(name, (name,))}
        if "is_active" in fields and not obj.is_active:
            obj.is_default = False
            fields.add("is_default")
        if fields:
            obj.save(update_fields=[*fields, "updated_at"])
        if obj.trust is Trust.NONE:
            messages.warning(
                request,
                _("The certificate of %(name)s is not verified. Enter its CA certificate.") % {"name": obj.name},
            )

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """A form that changed nothing leaves nothing in the history."""
        return super().log_change(request, obj, message) if message else None

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        """The page looks for what protects the cluster; somebody may be given one of its machines after that."""
        try:
            return super().delete_view(request, object_id, extra_context)
        except (ProtectedError, IntegrityError):
            messages.error(request, PROTECTED)
            return redirect("admin:clusters_cluster_changelist")

    def delete_model(self, request: HttpRequest, obj: Cluster) -> None:
        obj.delete()
        DeletedCluster.objects.remember([obj.cluster_id], by=request.user.get_username())

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Cluster]) -> None:
        gone = [cluster.cluster_id for cluster in queryset]
        queryset.delete()
        DeletedCluster.objects.remember(gone, by=request.user.get_username())

    # Pages

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
        obj = kwargs.get("obj")
        if obj is None or self.has_change_permission(request, obj):
            end, where = ("", [obj.pk]) if obj else ("_new", [])
            context["test_url"] = reverse(f"admin:clusters_cluster_test{end}", args=where)
            context["certificate_url"] = reverse(f"admin:clusters_cluster_certificate{end}", args=where)
        if obj and self.has_test_permission(request):
            context["privileges_url"] = reverse("admin:clusters_cluster_privileges", args=[obj.pk])
        context["setup"] = privileges.setup() if obj is None else None
        return super().render_change_form(request, context, *args, **kwargs)

    # Actions

    def has_test_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("clusters.test_cluster")

    @admin.action(description=gettext_lazy("Test connection"), permissions=["test"])
    def try_connection(self, request: HttpRequest, queryset: QuerySet[Cluster]) -> None:
        for cluster in queryset:
            result = connection_test.run_and_record(cluster.config)
            level = messages.SUCCESS if result.ok else messages.ERROR
            messages.add_message(request, level, f"{cluster.name}: {result.told}")
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
                request, _("%(name)s is not active any more. Nobody can use its machines.") % {"name": cluster.name}
            )
            if was_default:
                messages.warning(
                    request, _("%(name)s was the default. There is no default cluster now.") % {"name": cluster.name}
                )

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
            messages.error(request, _("Choose exactly one cluster: there is one default."))
            return
        try:
            with transaction.atomic():
                if chosen[0].make_default():
                    self.log_change(request, chosen[0], "Made the default.")
        except NotActive as error:
            messages.error(request, str(error))
        else:
            messages.success(request, _("%(name)s is the default cluster.") % {"name": chosen[0].name})
