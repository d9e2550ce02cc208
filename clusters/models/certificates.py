"""Certificates in a column: shown, exported and recorded in clear, so nothing else may get there."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models

from clusters.config import validate_no_key


class CertificatesField(models.TextField):  # type: ignore[type-arg]
    """Certificates as text. A private key among them is stored in no way: not by a form, a fixture or an update."""

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        if isinstance(value, str):
            try:
                validate_no_key(value)
            except ValidationError as error:
                raise ValidationError({self.name: error.messages}) from None
        return super().get_db_prep_save(value, connection)

    def deconstruct(self) -> Any:
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.TextField", args, kwargs
