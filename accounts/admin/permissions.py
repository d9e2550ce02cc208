"""Permissions as people read them: by what they are about, in the person's language, without names of apps."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db.models import Q, QuerySet
from django.forms.models import ModelChoiceIterator
from django.utils.translation import gettext as _
from django.utils.translation import pgettext_lazy

ACTIONS = {
    "add": pgettext_lazy("permission", "add"),
    "change": pgettext_lazy("permission", "change"),
    "delete": pgettext_lazy("permission", "delete"),
    "view": pgettext_lazy("permission", "view"),
}
OF_EACH_MODEL = r"^(add|change|delete|view)_"


def offered() -> QuerySet[Permission]:
    """Permissions that mean something: of models with pages, custom ones, and any that is held."""
    pages = [kind.pk for kind in ContentType.objects.get_for_models(*admin.site._registry).values()]
    held = Q(group__isnull=False) | Q(user__isnull=False)
    wanted = Permission.objects.filter(Q(content_type__in=pages) | ~Q(codename__regex=OF_EACH_MODEL) | held)
    return Permission.objects.filter(pk__in=wanted.order_by().values("pk")).select_related("content_type")


class ByWhatTheyAreAbout(ModelChoiceIterator):  # type: ignore[type-arg]  # has none when it runs
    """One line for each kind of thing, sorted by its name."""

    def __iter__(self) -> Iterator[Any]:
        named = sorted((about(permission), permission.pk, permission) for permission in self.queryset)
        for name, rows in groupby(named, key=lambda row: row[0]):
            yield name, [self.choice(permission) for *_, permission in rows]


class PermissionsField(forms.ModelMultipleChoiceField[Permission]):
    """Boxes, in one line for each kind of thing."""

    widget = forms.CheckboxSelectMultiple
    iterator = ByWhatTheyAreAbout

    def __init__(self, queryset: Any, **kwargs: Any) -> None:
        super().__init__(offered(), **{**kwargs, "widget": self.widget(attrs={"class": "permissions"})})

    def label_from_instance(self, obj: Any) -> str:
        return allowed(obj)


def about(permission: Permission) -> str:
    """Like “Machines · operation”: the part of the administration, and the kind of thing."""
    kind = permission.content_type
    model = kind.model_class()
    if model is None:  # of an app that is not installed any more
        return f"{kind.app_label} · {kind.model}"
    return f"{model._meta.app_config.verbose_name} · {model._meta.verbose_name}"


def allowed(permission: Permission) -> str:
    """Like “change”. Those that are no model's four say their own name."""
    action = permission.codename.removesuffix(f"_{permission.content_type.model}")
    return str(ACTIONS[action]) if action in ACTIONS else _(permission.name)
