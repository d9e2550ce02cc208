"""Making and ending invites."""

from django.db import transaction
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from accounts import audit
from accounts.models import User
from classes.enrolment import waiting_list
from classes.models import Invite, LabClass
from classes.models.invites import token_hash


@sensitive_variables()
def renew(lab_class: LabClass, invite: Invite, *, by: User) -> tuple[str, str]:
    """Save a new invite and end those before it. Returns its token and code, which are kept nowhere."""
    with transaction.atomic():
        held = waiting_list.hold(lab_class)
        for old in Invite.objects.filter(lab_class=held, revoked_at=None, is_old_link=False):
            revoke(old)
        invite.lab_class, invite.created_by = held, by
        token, code = invite.draw()
        invite.save()
    return token, code


def revoke(invite: Invite) -> bool:
    """End it at once; false when it was ended before."""
    with transaction.atomic():
        if not invite.revoke():
            return False
        audit.record_many([(invite, {"revoked_at": (None, timezone.now().isoformat(timespec="seconds"))})])
    return True


@sensitive_variables()
def honour(lab_class: LabClass, token: str, *, by: User) -> Invite:
    """Let a link of the legacy portal join this class, for people on its list alone: such links can be guessed."""
    return Invite.objects.create(
        lab_class=lab_class, token_hash=token_hash(token), restricted_to_roster=True, is_old_link=True, created_by=by,
        max_uses=5000, expires_at=timezone.now() + Invite.OLD_LASTS,
    )  # fmt: skip
