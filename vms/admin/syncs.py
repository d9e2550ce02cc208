"""Syncs and nodes in the admin."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from vms.admin.common import GoesWithItsCluster
from vms.admin.filters import NodePresenceFilter, NoticeFilter
from vms.models import ClusterSync, Node, SyncRun


@admin.register(ClusterSync)
class ClusterSyncAdmin(GoesWithItsCluster, admin.ModelAdmin[ClusterSync]):
    """The interval, the deadline and the limits of a cluster are set here; the rest is read-only."""

    list_display = ("cluster", "synced_at", "seconds_between", "milliseconds", "failures", "quorum", "message")
    list_filter = (NoticeFilter, "quorate")
    list_select_related = ("cluster",)
    search_fields = ("cluster__cluster_id", "cluster__name")
    fields = (
        "cluster", "interval", "deadline", "node_limit", "cluster_limit", "synced_at", "asked_at", "due_at",
        "milliseconds", "failures", "quorate", "message", "believe_down_to",
    )  # fmt: skip
    readonly_fields = (
        "cluster", "synced_at", "asked_at", "due_at", "milliseconds", "failures", "quorate", "message",
        "believe_down_to",
    )  # fmt: skip
    actions = ("sync_now", "accept_last_answer")

    def has_change_permission(self, request: HttpRequest, obj: ClusterSync | None = None) -> bool:
        return request.user.has_perm("vms.change_clustersync")

    @admin.display(description=gettext_lazy("quorum"), ordering="quorate")
    def quorum(self, sync: ClusterSync) -> str:
        return {True: _("yes"), False: _("no"), None: _("unknown")}[sync.quorate]

    @admin.display(description=gettext_lazy("every"))
    def seconds_between(self, sync: ClusterSync) -> str:
        return f"{int(sync.every.total_seconds())} s"

    @admin.display(description=gettext_lazy("notice"), ordering="notice")
    def message(self, sync: ClusterSync) -> str:
        return sync.rendered_notice

    @admin.action(description=gettext_lazy("Sync now"), permissions=["change"])
    def sync_now(self, request: HttpRequest, queryset: QuerySet[ClusterSync]) -> None:
        for sync in queryset:
            ClusterSync.request_sync(sync.cluster_id)
        text = ngettext("%(n)d cluster will be synced next.", "%(n)d clusters will be synced next.", len(queryset))
        messages.success(request, text % {"n": len(queryset)})

    @admin.action(description=gettext_lazy("Accept the last answer"), permissions=["change"])
    def accept_last_answer(self, request: HttpRequest, queryset: QuerySet[ClusterSync]) -> None:
        """Machines that the next answer lacks are taken for missing, unless it lists even fewer machines."""
        for sync in queryset.select_related("cluster"):
            seen = sync.accept_last_answer()
            if seen is None:
                messages.info(
                    request,
                    _("%(cluster)s: the last answer was accepted already. Nothing was changed.")
                    % {"cluster": sync.cluster},
                )
                continue
            self.log_change(request, sync, f"Believed an answer of {seen} machines.")
            text = ngettext(
                "%(cluster)s: the next answer is accepted if it lists at least %(n)d machine.",
                "%(cluster)s: the next answer is accepted if it lists at least %(n)d machines.",
                seen,
            )
            messages.success(request, text % {"cluster": sync.cluster, "n": seen})


@admin.register(SyncRun)
class SyncRunAdmin(GoesWithItsCluster, admin.ModelAdmin[SyncRun]):
    list_display = (
        "last_at", "cluster", "outcome", "runs", "milliseconds", "seen", "created", "changed", "missing", "gone",
        "message",
    )  # fmt: skip
    list_filter = ("cluster", "outcome", "last_at")
    list_select_related = ("cluster",)
    list_per_page = 50
    show_full_result_count = False

    @admin.display(description=gettext_lazy("problem"), ordering="problem")
    def message(self, run: SyncRun) -> str:
        return run.rendered_problem


@admin.register(Node)
class NodeAdmin(GoesWithItsCluster, admin.ModelAdmin[Node]):
    list_display = ("name", "cluster", "online", "since", "missing_since")
    list_filter = ("cluster", "online", NodePresenceFilter)
    list_select_related = ("cluster",)
    search_fields = ("name",)
    list_per_page = 50
    show_full_result_count = False
