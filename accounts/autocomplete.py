"""Autocomplete in the admin: people and machines are found by a part of their name, with and without JavaScript."""

from typing import Any, TypeVar

from django import forms
from django.contrib.admin import ModelAdmin
from django.contrib.admin.options import BaseModelAdmin
from django.contrib.admin.widgets import AutocompleteSelect, AutocompleteSelectMultiple
from django.core.exceptions import ValidationError
from django.db import models
from django.http import HttpRequest
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from accounts.typed_choices import DIGITS, Typed, TypedSearch, look_up

M = TypeVar("M", bound=models.Model)

TYPED = {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false", "class": "vTextField"}


def _primary_keys(value: Any) -> list[str]:
    return [one for one in map(str, value or ()) if one.isdecimal() and len(one) <= DIGITS]


class _WithTextField:
    """A list whose rows JavaScript fetches. Without JavaScript a text field beside it takes names.

    `value_from_datadict` gives what the list sends, or a `Typed` where something was typed.
    """

    field: Any
    choices: Any
    allow_multiple_selected: bool

    def __init__(self, field: Any, admin_site: Any, *, request: HttpRequest, using: str | None = None) -> None:
        super().__init__(field, admin_site, using=using)  # type: ignore[call-arg]  # the list's
        self.search = TypedSearch(field, admin_site, request)
        self._sent = self._understood = Typed("")

    def optgroups(self, name: str, value: Any, attr: Any = None) -> Any:
        """Django 5.2 looks up what was sent before it is known to be a number, and fails where it is none."""
        return super().optgroups(name, _primary_keys(value), attr)  # type: ignore[misc]

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        chosen = self.sent(data, files, name)
        text = data.get(f"{name}__typed", "")
        if not text.strip():
            return chosen
        sent = Typed(chosen, text, data.get(f"{name}__offered", ""))
        if sent != self._sent:  # a form asks several times
            self._sent, self._understood = sent, look_up(sent, self.search, capfirst(self.field.verbose_name))
        return self._understood

    def sent(self, data: Any, files: Any, name: str) -> Any:
        """What is chosen in the list."""
        return super().value_from_datadict(data, files, name)  # type: ignore[misc]

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        typed = value if isinstance(value, Typed) else Typed(value)
        context: dict[str, Any] = super().get_context(name, typed.chosen, attrs)  # type: ignore[misc]
        widget = context["widget"]
        rows = widget["optgroups"][0][1]
        there = {str(row["value"]) for row in rows}
        if typed.matches and not self.allow_multiple_selected and "" not in there:
            rows.insert(0, self.create_option(name, "", "", False, 0))  # type: ignore[attr-defined]  # else a browser chooses
        for pk, label in typed.matches.items():
            if pk not in there:
                rows.append(self.create_option(name, pk, label, False, len(rows)))  # type: ignore[attr-defined]
        many = self.allow_multiple_selected
        text = _("%(field)s: type names or numbers, one per line") if many else _("%(field)s: type a name or number")
        widget["typed_label"] = text % {"field": capfirst(self.field.verbose_name)}
        told = {key: value for key, value in widget["attrs"].items() if key.startswith("aria-")}
        shown = {**TYPED, **told, "id": f"{widget['attrs'].get('id', name)}__typed"}
        text_field = forms.Textarea({"rows": 3}) if many else forms.TextInput()
        widget["typed"] = text_field.get_context(f"{name}__typed", typed.text, shown)["widget"]
        widget["offered"] = forms.HiddenInput().get_context(f"{name}__offered", typed.offered, {})["widget"]
        return context


class CheckedSelect(_WithTextField, AutocompleteSelect):
    template_name = "accounts/autocomplete.html"


class CheckedSelectMultiple(_WithTextField, AutocompleteSelectMultiple):
    template_name = "accounts/autocomplete.html"

    def build_attrs(self, base_attrs: Any, extra_attrs: Any = None) -> dict[str, Any]:
        """Each one is removed by itself: a cross for all of them is no item of their list."""
        return {**super().build_attrs(base_attrs, extra_attrs), "data-allow-clear": "false"}

    def sent(self, data: Any, files: Any, name: str) -> Any:
        """An ID too long for a number of the database is shortened to one that does not exist."""
        sent = super().sent(data, files, name)
        return [one if len(one) <= DIGITS else f"{one[:DIGITS]}…" for one in sent or ()]


class _TypedField:
    """A field that understands `Typed`."""

    def clean(self, value: Any) -> Any:
        if isinstance(value, Typed):
            if value.problems:
                raise ValidationError([*value.problems])
            value = value.chosen
        return super().clean(value)  # type: ignore[misc]

    def has_changed(self, initial: Any, data: Any) -> bool:
        if isinstance(data, Typed):
            if data.problems:
                return True
            data = data.chosen
        return bool(super().has_changed(initial, data))  # type: ignore[misc]


class OneTyped(_TypedField, forms.ModelChoiceField[Any]):
    pass


class ManyTyped(_TypedField, forms.ModelMultipleChoiceField[Any]):
    pass


class CheckedFields(BaseModelAdmin[M]):
    """`autocomplete_fields` of an admin page or an inline that need no JavaScript and answer nonsense in words."""

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in self.get_autocomplete_fields(request):
            widget = CheckedSelect(db_field, self.admin_site, request=request, using=kwargs.get("using"))
            kwargs = {"form_class": OneTyped, "widget": widget, **kwargs}
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in self.get_autocomplete_fields(request):
            widget = CheckedSelectMultiple(db_field, self.admin_site, request=request, using=kwargs.get("using"))
            kwargs = {"form_class": ManyTyped, "widget": widget, **kwargs}
        return super().formfield_for_manytomany(db_field, request, **kwargs)


class CheckedAutocomplete(CheckedFields[M], ModelAdmin[M]):
    pass
