"""Makes migrations only for changes of a model that the database sees.

Django also makes one for each new help text, verbose name, message, validator or default, and that migration imports
the function by the name that it has today. A released migration runs for ever, whatever is renamed or moved later.
"""

from copy import copy
from typing import Any

from django.db.migrations.autodetector import MigrationAutodetector
from django.db.models import BaseConstraint, Field

# Of a field, besides what Django itself knows to be in no database. A changed `db_default` is in it.
UNSEEN_OF_FIELDS = {*Field.non_db_attrs, "default"} - {"db_column"}

UNSEEN_OF_MODELS = {"verbose_name", "verbose_name_plural", "default_related_name"}


class SchemaAutodetector(MigrationAutodetector):
    """For `makemigrations`, and for `migrate`, which tells of changes that have no migration."""

    def __init__(self, from_state: Any, to_state: Any, questioner: Any = None) -> None:
        super().__init__(_without_words(from_state), _without_words(to_state), questioner)

    def deep_deconstruct(self, obj: Any) -> Any:
        whole = super().deep_deconstruct(obj)
        if not isinstance(obj, Field):
            return whole
        path, args, kwargs = whole
        return path, args, {key: value for key, value in kwargs.items() if key not in UNSEEN_OF_FIELDS}


def _without_words(state: Any) -> Any:
    state = state.clone()
    for model in state.models.values():
        model.options = {key: value for key, value in model.options.items() if key not in UNSEEN_OF_MODELS}
        if "constraints" in model.options:
            model.options["constraints"] = [_without_message(one) for one in model.options["constraints"]]
    return state


def _without_message(constraint: BaseConstraint) -> BaseConstraint:
    bare = copy(constraint)
    bare.violation_error_message = bare.default_violation_error_message
    return bare
