"""*My classes*, and the archive of classes that have ended."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.http import AuthenticatedHttpRequest, login_required
from accounts.models import User
from classes import access
from classes.models import LabClass
from vms.access.lookups import unfit_managers


@require_GET
@login_required
def class_list(request: AuthenticatedHttpRequest) -> HttpResponse:
    user = request.user
    context = _listed(user, LabClass.objects.filter(ended_at=None))
    ended = access.visible_to(user).exclude(ended_at=None).count()
    unfit = unfit_managers().select_related("machineset__lab_class") if access.is_administrator(user) else ()
    more = {
        "ended": ended,
        "unfit": unfit,
        "may_create": access.may_create(user),
        "runs_all": access.is_administrator(user),
    }
    return render(request, "classes/class_list.html", context | more)


@require_GET
@login_required
def archive(request: AuthenticatedHttpRequest) -> HttpResponse:
    """Classes that have ended, with their people and lessons."""
    return render(request, "classes/archive.html", _listed(request.user, LabClass.objects.ended()))


def _listed(user: User, classes: QuerySet[LabClass]) -> dict[str, Any]:
    taught: Any = classes & LabClass.objects.taught_by(user)
    taken: Any = classes & LabClass.objects.joined_by(user)
    others = classes.exclude(pk__in=taught.values("pk")) if access.sees_all(user) else classes.none()
    return {
        "taught": taught.with_next_lesson().select_related("owner"),
        "taken": taken.with_next_lesson().select_related("owner"),
        "others": others.select_related("owner"),
    }
