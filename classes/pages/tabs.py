"""The tabs of a class, for those who run it."""

from typing import Any

from accounts.http import AuthenticatedHttpRequest
from classes import access
from classes.access import Right
from classes.enrolment import releasing
from classes.models import LabClass


def tab_context(request: AuthenticatedHttpRequest, lab_class: LabClass, tab: str, **more: Any) -> dict[str, Any]:
    """The template context that all tabs of a class share."""
    decides = access.may(request.user, lab_class, Right.OWN)
    undecided = releasing.undecided(lab_class).count()
    return {"lab_class": lab_class, "tab": tab, "decides": decides, "undecided": undecided, **more}
