"""Text that a page can show: the one rule for forms, tables, imports and JSON."""

import re
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext as _

# Control characters, halves of surrogate pairs and code points that are no characters. White space is for texts.
_NEVER = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
_IN_A_TEXT = re.compile(f"[{_NEVER}]")
_IN_A_LINE = re.compile(f"[{_NEVER}\t\n\r\x85\u2028\u2029]")


def first_unprintable(text: str, *, one_line: bool = False) -> int | None:
    """The position of the first character that no page can show. None where all can be shown."""
    found = (_IN_A_LINE if one_line else _IN_A_TEXT).search(text)
    return found.start() if found else None


def name_of(character: str) -> str:
    """For example U+0007."""
    return f"U+{ord(character):04X}"


def validate_printable(text: str, *, one_line: bool = False) -> None:
    """Raises `ValidationError` with the line and the code of the character."""
    at = first_unprintable(text, one_line=one_line)
    if at is None:
        return
    line = text.count("\n", 0, at) + 1
    if "\n" in text and not one_line:
        problem = _("Line %(line)s contains the control character %(code)s, which no page can show. Remove it.")
    else:
        problem = _("This contains the control character %(code)s, which no page can show. Remove it.")
    raise ValidationError(problem % {"line": line, "code": name_of(text[at])}, code="unprintable")


def validate_printable_line(text: str) -> None:
    validate_printable(text, one_line=True)


class PrintableTexts:
    """For models whose texts people read: no form and no import saves one that no page can show.

    It stands before the model's other base. `_meta` and `clean_fields` are Django's.
    """

    _meta: Any

    def clean_fields(self, exclude: Any = None) -> None:
        errors: dict[str, Any] = {}
        try:
            super().clean_fields(exclude=exclude)  # type: ignore[misc]
        except ValidationError as error:
            errors = error.update_error_dict(errors)
        for field in self._meta.concrete_fields:
            if isinstance(field, models.CharField | models.TextField) and field.name not in {*(exclude or ()), *errors}:
                self._validate_text(field, errors)
        if errors:
            raise ValidationError(errors)

    def _validate_text(self, field: Any, errors: dict[str, Any]) -> None:
        value = self.__dict__.get(field.attname)
        try:
            if isinstance(value, str):
                validate_printable(value, one_line=not isinstance(field, models.TextField))
        except ValidationError as error:
            errors[field.name] = error.error_list
