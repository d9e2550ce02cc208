"""What somebody would become: the account, the roles, the classes. Nobody is signed in, and nothing is written."""

from dataclasses import dataclass, field

from django.contrib.auth.models import Group

from accounts.models import OutsideRole, SignInIdentity, SignInSource, User
from accounts.sentences import say
from accounts.sign_in import entering, hooks, names
from accounts.sign_in.facts import OutsidePerson
from accounts.stored_messages import Message


@dataclass(frozen=True)
class Foreseen:
    """`refusal` is what the person would be told; otherwise `account` says which account they get."""

    person: OutsidePerson
    account: Message
    refusal: Message | None
    user: User | None = None
    gets: tuple[str, ...] = ()  # names of roles
    keeps: tuple[str, ...] = ()
    loses: tuple[str, ...] = ()
    groups_are_complete: bool = True
    further: tuple[str, ...] = field(default=())  # of apps above: classes

    @property
    def group_names(self) -> list[str]:
        return sorted(self.person.groups or ())


def foresee(source: SignInSource, person: OutsidePerson) -> Foreseen:
    """As `entering.enter` would decide now, if the source were active."""
    identity = SignInIdentity.objects.select_related("user").filter(source=source, subject=person.subject).first()
    decision = entering.decide(source, person)
    user = identity.user if identity else None
    refused = entering.why_not(source, person, identity, decision)
    refusal = refused.sentence if refused else None
    account = _account(source, person, user, refused=refused is not None)
    gets, keeps, loses = _roles(source, user, decision.roles)
    further = [text for foresee in hooks.foreseers for text in foresee(source, person)] if decision.is_complete else []
    return Foreseen(
        person, account, refusal, user, gets, keeps, loses,
        groups_are_complete=person.groups is not None, further=tuple(() if refused else further),
    )  # fmt: skip


def _account(source: SignInSource, person: OutsidePerson, user: User | None, *, refused: bool) -> Message:
    if user:
        return say("sign-in-preview-joined", name=user.get_username())
    if refused:
        return say("sign-in-preview-none")
    return say("sign-in-preview-new", name=names.account_name(source, person) or "")


def _roles(
    source: SignInSource, user: User | None, roles: frozenset[int] | None
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Names of roles that come, stay and go."""
    has = {group.pk: group.name for group in user.groups.all()} if user else {}
    if roles is None:
        return (), _sorted(has.values()), ()
    named = dict(Group.objects.filter(pk__in=roles).values_list("pk", "name"))
    loses = set()
    if user:
        rows = OutsideRole.objects.filter(user=user).values_list("group_id", "source_id", "also_by_hand")
        elsewhere = {group for group, by, hand in rows if by != source.pk or hand}
        loses = {group for group, by, _hand in rows if by == source.pk} - elsewhere - roles
    gets = [name for key, name in named.items() if key not in has]
    keeps = [name for key, name in has.items() if key not in loses]
    return _sorted(gets), _sorted(keeps), _sorted(has[key] for key in loses if key in has)


def _sorted(texts: object) -> tuple[str, ...]:
    return tuple(sorted(texts))  # type: ignore[call-overload]
