"""Creating and revoking invites."""

from django.db import transaction
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from accounts import audit
from accounts.models import User
from classes.enrolment import waiting_list
from classes.models import Invite, LabClass
from classes.models.invites import token_hash


@sensitive_variables()
def create(lab_class: LabClass, invite: Invite, *, by: User) -> tuple[str, str]:
    """Save a new invite and revoke those before it. Returns its token and code, which are stored nowhere."""
    with transaction.atomic():
        locked = waiting_list.lock(lab_class)
        for old in Invite.objects.filter(lab_class=locked, revoked_at=None, is_old_link=False):
            revoke(old)
        invite.lab_class, invite.created_by = locked, by
        token, code = invite.draw()
        invite.save()
    return token, code


def revoke(invite: Invite) -> bool:
    """Revoke it; false when it was revoked before."""
    with transaction.atomic():
        if not invite.revoke():
            return False
        audit.record_many([(invite, {"revoked_at": (None, timezone.now().isoformat(timespec="seconds"))})])
    return True


@sensitive_variables()
def accept_legacy_link(lab_class: LabClass, token: str, *, by: User) -> Invite:
    """Accept a join link of the legacy portal. Such links can be guessed, so only people on the roster can join."""
    return Invite.objects.create(
        lab_class=lab_class, token_hash=token_hash(token), restricted_to_roster=True, is_old_link=True, created_by=by,
        max_uses=5000, expires_at=timezone.now() + Invite.OLD_LASTS,
    )  # fmt: skip
