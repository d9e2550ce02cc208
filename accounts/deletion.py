"""Lists the objects that a deletion includes, on the admin's confirmation page: only those with names."""

from typing import Any, TypeVar

from django.apps import apps
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils.text import capfirst

M = TypeVar("M", bound=Model)


class ReadableDeletion(admin.ModelAdmin[M]):
    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Without Django's own tables of many-to-many fields (“Class-user relationship: … object (1)”)."""
        shown, counted, lacking, protected = super().get_deleted_objects(objs, request)
        between = [model._meta for model in apps.get_models(include_auto_created=True) if model._meta.auto_created]
        names = {str(known.verbose_name_plural) for known in between}
        begins = tuple(f"{capfirst(str(known.verbose_name))}: " for known in between)
        counted = {name: count for name, count in counted.items() if str(name) not in names}
        return _without(shown, begins), counted, lacking, protected


def _without(lines: list[Any], begins: tuple[str, ...]) -> list[Any]:
    """Removes lines with these beginnings from a list of lists, as `unordered_list` shows it."""
    kept = [line for line in lines if not (isinstance(line, str) and line.startswith(begins))]
    kept = [_without(line, begins) if isinstance(line, list) else line for line in kept]
    return [line for line in kept if line != []]
