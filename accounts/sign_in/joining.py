"""Joins an account with who somebody is at a source: never by an equal name or address, always by a person's word."""

from datetime import datetime

from django.db import IntegrityError, transaction

from accounts.models import ApiToken, SignInIdentity, SignInSource, User
from accounts.sign_in import entering, roles
from accounts.sign_in.entering import Refused
from accounts.sign_in.facts import OutsidePerson


def by_person(
    source: SignInSource, person: OutsidePerson, *, user: User, keep_password: bool, now: datetime
) -> SignInIdentity:
    """For somebody who has just proved both. The source's rules have to let them in. Raises `Refused`.

    Without `keep_password` the password here becomes unusable, by which all sessions end: the caller begins a new one.
    """
    if person.closed:
        raise Refused("closed", reason=person.closed.value)
    decision = entering.decide(source, person)
    if not decision.allowed:
        raise Refused(decision.code)
    return _join(source, person, user=user, keep_password=keep_password, now=now)


def by_administrator(
    source: SignInSource, person: OutsidePerson, *, user: User, keep_password: bool, now: datetime
) -> SignInIdentity:
    """On an administrator's word. Whether the rules let this person in is asked at each sign-in. Raises `Refused`.

    Of `person` the subject alone may be known, with groups None.
    """
    return _join(source, person, user=user, keep_password=keep_password, now=now)


def _join(
    source: SignInSource, person: OutsidePerson, *, user: User, keep_password: bool, now: datetime
) -> SignInIdentity:
    if not person.subject or len(person.subject) > entering.MAX_SUBJECT:
        raise Refused("no-subject")
    try:
        with transaction.atomic():
            return _joined(source, person, user, keep_password, now)
    except IntegrityError:  # somebody else was joined with it at the same moment
        raise Refused("joined-with-another") from None


def _joined(
    source: SignInSource, person: OutsidePerson, user: User, keep_password: bool, now: datetime
) -> SignInIdentity:
    locked = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    known = SignInIdentity.objects.filter(source=source, subject=person.subject).first()
    if known and known.user_id != locked.pk:
        raise Refused("joined-with-another")
    if known is None and locked.identities.filter(source=source).exists():
        raise Refused("joined-otherwise")
    identity = known or SignInIdentity(source=source, subject=person.subject, first_seen_at=now)
    identity.user = locked
    if known is None:
        identity.save(force_insert=True)
    if not keep_password:
        make_password_unusable(locked)
    entering.bring_up_to_date(identity, person, entering.decide(source, person), now=now)
    return identity


def make_password_unusable(user: User) -> None:
    """Sessions that began with it end by this, and nobody is asked to change it."""
    user.set_unusable_password()
    user.must_change_password = False
    user.save(update_fields=["password", "must_change_password"])


def separate(identity: SignInIdentity, *, by: User, now: datetime) -> None:
    """Undo a joining: the roles that came from there go, classes and machines stay as they are.

    Whoever signed in from there may have been somebody else: all sessions end that a password here did not begin, and
    all tokens of the API.
    """
    with transaction.atomic():
        user = User.objects.select_for_update(no_key=True).get(pk=identity.user_id)
        roles.apply(user, identity.source, frozenset(), now=now)
        identity.delete()
        if not user.has_usable_password():
            make_password_unusable(user)
        for token in ApiToken.objects.live(now).filter(owner=user):
            token.revoke(by=by.get_username())
