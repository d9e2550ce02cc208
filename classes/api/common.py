"""What the calls about one class have in common: who may make them, plans, and errors of forms and plans."""

from collections.abc import Callable
from typing import Any, TypeVar

from django import forms
from django.shortcuts import get_object_or_404
from ninja import Schema
from pydantic import Field

from accounts import tokens
from accounts.api.auth import ApiRequest
from accounts.api.calls import Answer
from accounts.api.problems import Problem
from accounts.api.schemas import Line
from accounts.plans import Plan, PlanChanged
from accounts.spreadsheet import Unreadable
from classes import access
from classes.access import Right
from classes.models import LabClass

Result = TypeVar("Result")


class PlanOut(Schema):
    """What will happen, or has happened where `is_applied`: a row for each thing, with its outcome and reason."""

    heading: str = Field(examples=["2 people will be enrolled"])
    in_words: str
    counts: dict[str, int] = Field(description="Rows by outcome: created, changed, skipped, refused.")
    notices: list[str]
    may_be_carried_out: bool
    digest: str = Field(description="Send it as `expected` to apply exactly this plan.")
    is_applied: bool
    rows: list[dict[str, Any]]


class MachinesPlanOut(PlanOut):
    """A plan of machines: their names, VMIDs, nodes and people, with the totals of the cluster."""

    refusals: list[str]
    totals: list[dict[str, Any]]


class Planned(Schema):
    dry_run: bool = Field(False, description="Show the plan, and write nothing.")
    expected: Line | None = Field(
        None, max_length=64, description="`digest` of the plan that you saw: another plan is not applied (409)."
    )


def seen(request: ApiRequest, pk: int) -> LabClass:
    """A class that the owner of the token sees, and that the token is about; otherwise 404."""
    found: LabClass = get_object_or_404(tokens.narrowed(request.auth, access.visible_to(request.user)), pk=pk)
    return found


def run_by(request: ApiRequest, pk: int) -> LabClass:
    """The same, and the person runs it. 404 for who takes part in it only."""
    seen(request, pk)
    return access.class_or_404(request.user, pk, Right.RUN)


def plan_answer(plan: Plan[Any], *, dry_run: bool) -> Answer:
    """201 where the plan was applied. One in which nothing can be done is shown, and nothing is written."""
    is_applied = plan.may_be_carried_out and not dry_run
    return Answer(PlanOut(**plan.as_json(), is_applied=is_applied), 201 if is_applied else 200)


def planned(work: Callable[[], Result], *, field: str = "body") -> Result:
    """Do it. What cannot be read or has changed becomes the problem of a field."""
    try:
        return work()
    except Unreadable as error:
        raise Problem(422, str(error), field=f"{field}.{error.field}" if error.field else field) from None
    except PlanChanged as error:
        raise Problem(409, str(error), field="body.expected") from None


def cleaned(form: forms.BaseForm) -> dict[str, Any]:
    """Raises Django's `ValidationError`, which names the fields."""
    if not form.is_valid():
        raise forms.ValidationError(dict(form.errors.as_data().items()))
    return form.cleaned_data
