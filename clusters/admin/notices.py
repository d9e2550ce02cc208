"""Notices about clusters in the admin."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db import models

from clusters.models import ClusterNotice


@admin.register(ClusterNotice)
class ClusterNoticeAdmin(admin.ModelAdmin[ClusterNotice]):
    list_display = ("text", "cluster", "shown_from", "shown_until")
    list_filter = ("cluster",)
    list_select_related = ("cluster",)
    search_fields = ("text", "cluster__name", "cluster__cluster_id")
    show_full_result_count = False
    # One box for day and time, by the browser's own calendar: Django's two boxes have no labels.
    formfield_overrides: ClassVar[dict[Any, dict[str, Any]]] = {
        models.DateTimeField: {
            "form_class": forms.DateTimeField,
            "widget": forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        }
    }
