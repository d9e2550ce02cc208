"""Pages of the admin about what the portal runs on."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django_tasks_db.admin import DBTaskResultAdmin
from django_tasks_db.models import DBTaskResult

admin.site.unregister(DBTaskResult)


@admin.register(DBTaskResult)
class BackgroundTaskAdmin(DBTaskResultAdmin):
    """Background tasks by what was done, not by an identifier; the queue's own columns are left out."""

    list_display = ("task_name", "status", "enqueued_at", "started_at", "finished_at", "queue_name")  # type: ignore[assignment]
    list_filter = ("status", "queue_name")  # type: ignore[assignment]
    list_per_page = 50
    show_full_result_count = False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (*self.list_display, "exception_class_path", "formatted_traceback")
