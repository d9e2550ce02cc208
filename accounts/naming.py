"""Names of models and fields in every language, also those that Django makes of the names of classes and attributes."""

from collections.abc import Iterable

from django.db.models import Model
from django.utils import translation
from django.utils.translation import gettext_lazy


def translate(models: Iterable[type[Model]]) -> None:
    """Called once, when the models are ready. Migrations see nothing of it. The words are in `labportal.words`."""
    with translation.override(None):
        for model in models:
            known = model._meta
            plural = str(known.verbose_name_plural)
            known.verbose_name, known.verbose_name_plural = gettext_lazy(str(known.verbose_name)), gettext_lazy(plural)
            for field in (*known.local_fields, *known.local_many_to_many):
                field.verbose_name = gettext_lazy(str(field.verbose_name))
