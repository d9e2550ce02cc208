"""Autocomplete in the admin: people and machines are found by a part of their name."""

from typing import Any, TypeVar

from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect, AutocompleteSelectMultiple
from django.db import models
from django.http import HttpRequest

M = TypeVar("M", bound=models.Model)

DIGITS = 18  # fewer than the largest number of a database has


def _primary_keys(value: Any) -> list[str]:
    return [one for one in map(str, value or ()) if one.isdecimal() and len(one) <= DIGITS]


class CheckedSelect(AutocompleteSelect):
    """Django 5.2 looks up what was sent before it is known to be a number, and fails where it is none."""

    def optgroups(self, name: str, value: Any, attr: Any = None) -> Any:
        return super().optgroups(name, _primary_keys(value), attr)


class CheckedSelectMultiple(AutocompleteSelectMultiple):
    """Like `CheckedSelect`; an ID too long for a number of the database is shortened to one that does not exist."""

    def build_attrs(self, base_attrs: Any, extra_attrs: Any = None) -> dict[str, Any]:
        """Each one is removed by itself: a cross for all of them is no item of their list."""
        return {**super().build_attrs(base_attrs, extra_attrs), "data-allow-clear": "false"}

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        sent = super().value_from_datadict(data, files, name)
        return [one if len(one) <= DIGITS else f"{one[:DIGITS]}…" for one in sent or ()]

    def optgroups(self, name: str, value: Any, attr: Any = None) -> Any:
        return super().optgroups(name, _primary_keys(value), attr)


class CheckedAutocomplete(admin.ModelAdmin[M]):
    """`autocomplete_fields` that answer to nonsense with a message at the field."""

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in self.get_autocomplete_fields(request):
            kwargs.setdefault("widget", CheckedSelect(db_field, self.admin_site, using=kwargs.get("using")))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in self.get_autocomplete_fields(request):
            kwargs.setdefault("widget", CheckedSelectMultiple(db_field, self.admin_site, using=kwargs.get("using")))
        return super().formfield_for_manytomany(db_field, request, **kwargs)
