"""What people are told of a cluster, in the admin."""

from django.contrib import admin

from clusters.models import ClusterNotice


@admin.register(ClusterNotice)
class ClusterNoticeAdmin(admin.ModelAdmin[ClusterNotice]):
    list_display = ("text", "cluster", "shown_from", "shown_until")
    list_filter = ("cluster",)
    list_select_related = ("cluster",)
    search_fields = ("text", "cluster__name", "cluster__cluster_id")
    show_full_result_count = False
