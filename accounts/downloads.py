"""Downloads a list of the admin as a table, with the filters and the search that are on."""

from datetime import datetime
from typing import Any, TypeVar

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import label_for_field, lookup_field
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _

from accounts import spreadsheet

M = TypeVar("M", bound=Model)

MOST_ROWS = 50_000


class Downloadable(admin.ModelAdmin[M]):
    """`download_columns` are named as in `list_display`."""

    download_columns: tuple[str, ...] = ()
    change_list_template = "admin/downloadable_list.html"

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_download"
        return [path("download/", self.admin_site.admin_view(self.download), name=name), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        query = request.GET.copy()
        query.pop("p", None)
        extra = {"download_query": f"?{query.urlencode()}" if query else ""}
        return super().changelist_view(request, {**extra, **(extra_context or {})})

    def download(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            found = self.get_changelist_instance(request).queryset
        except IncorrectLookupParameters:
            return redirect(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
        header = [label_for_field(name, self.model, self) for name in self.download_columns]
        rows = [[self._cell(name, row) for name in self.download_columns] for row in found[: MOST_ROWS + 1]]
        if len(rows) > MOST_ROWS:
            rows[MOST_ROWS:] = [
                [
                    _("Only the first %(most)s rows are listed. Filter the list to get the others.")
                    % {"most": f"{MOST_ROWS:,}"}
                ]
            ]
        return spreadsheet.download(f"{slugify(str(self.opts.verbose_name_plural))}.csv", header, rows)

    def _cell(self, name: str, row: M) -> object:
        field, _, value = lookup_field(name, row, self)
        if isinstance(value, datetime):
            return timezone.localtime(value).isoformat(sep=" ", timespec="seconds")
        if field is not None and getattr(field, "flatchoices", None):
            return dict(field.flatchoices).get(value, value)
        return value
