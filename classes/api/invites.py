"""The invites of a class in the API. What a new one says is told once, in the answer that made it."""

from datetime import datetime
from typing import Any

from django.forms import model_to_dict
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables
from ninja import Query, Router, Schema
from pydantic import AwareDatetime, Field

from accounts.api import calls
from accounts.api.auth import WRITE, ApiRequest
from accounts.api.calls import Answer
from accounts.api.paging import Page, Paging, page_of
from accounts.api.problems import Problem
from accounts.api.schemas import Id
from classes.api import common
from classes.enrolment import invites as inviting
from classes.forms import InviteForm
from classes.models import Invite

router = Router(tags=["invites"])

MOST_USES = 5000


class InviteIn(Schema):
    expires_at: AwareDatetime | None = Field(None, description="RFC 3339; without it, as the page proposes.")
    max_uses: int = Field(ge=1, le=MOST_USES, examples=[28])
    restricted_to_roster: bool = Field(False, description="Only people on the list can join with it.")


class InviteOut(Schema):
    id: int
    created_at: datetime
    expires_at: datetime
    max_uses: int
    uses: int
    restricted_to_roster: bool
    revoked_at: datetime | None
    is_usable: bool


class NewInvite(InviteOut):
    link: str | None = Field(description="Shown once: null when the answer is repeated.")
    code: str | None = Field(description="Shown once: null when the answer is repeated.")


@router.get("/classes/{int:id}/invites", response=Page[InviteOut])
def list_invites(request: ApiRequest, id: Id, page: Query[Paging]) -> Page[InviteOut]:  # noqa: A002
    """The invites of a class that you run, without their links and codes."""
    rows = Invite.objects.filter(lab_class=common.run_by(request, id))
    found, next_page = page_of(rows, page, by="-id")
    return Page[InviteOut](items=[InviteOut(**_facts(one)) for one in found], next=next_page)


@router.post("/classes/{int:id}/invites", response={201: NewInvite}, auth=WRITE)
@sensitive_variables()
def create_invite(request: ApiRequest, id: Id, body: InviteIn) -> Answer:  # noqa: A002
    """Create an invite, which revokes those before it."""
    lab_class = common.run_by(request, id)
    calls.never_repeat(request, "link", "code")
    if lab_class.is_over:
        raise Problem(409, _("The class has ended. Reopen it to create invites."))
    given = model_to_dict(Invite(), fields=InviteForm.Meta.fields) | body.model_dump(exclude_none=True)
    form = InviteForm(given)
    common.cleaned(form)
    invite = form.save(commit=False)
    token, code = inviting.create(lab_class, invite, by=request.user)
    link = request.build_absolute_uri(reverse("classes-join", args=[token]))
    return Answer(NewInvite(**_facts(invite), link=link, code=code), 201)


@router.delete("/classes/{int:id}/invites/{int:invite}", response={204: None}, auth=WRITE)
def revoke_invite(request: ApiRequest, id: Id, invite: Id) -> None:  # noqa: A002
    """Revoke an invite: nobody can join with it any more."""
    lab_class = common.run_by(request, id)
    inviting.revoke(get_object_or_404(Invite, pk=invite, lab_class=lab_class))


def _facts(one: Invite) -> dict[str, Any]:
    names = ("created_at", "expires_at", "max_uses", "uses", "restricted_to_roster", "revoked_at", "is_usable")
    return {"id": one.pk} | {name: getattr(one, name) for name in names}
