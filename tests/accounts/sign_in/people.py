"""Sources, and people of whom they tell."""

from typing import Any

from django.contrib.auth.models import Group
from django.utils import timezone

from accounts.models import Directory, Provider, SignInRule, SignInSource, User
from accounts.sign_in import entering
from accounts.sign_in.facts import OutsidePerson

TEACHERS = "CN=Teachers,OU=Groups,DC=school,DC=example"
PUPILS = "CN=Pupils,OU=Groups,DC=school,DC=example"


def provider(name: str = "school", **values: Any) -> SignInSource:
    made: SignInSource = Provider.objects.create(
        **{"name": name, "label": "School", "is_active": True, "issuer": f"https://{name}.example"} | values
    )
    return made


def directory(name: str = "school-ad", **values: Any) -> SignInSource:
    made: SignInSource = Directory.objects.create(
        **{"name": name, "label": "School's directory", "is_active": True} | values
    )
    return made


def let_in(source: SignInSource, on: str = "everyone", value: str = "", claim: str = "") -> SignInRule:
    return SignInRule.objects.create(source=source, on=on, value=value, claim=claim)


def gives(source: SignInSource, role: str, value: str, on: str = "group", claim: str = "") -> SignInRule:
    group, _made = Group.objects.get_or_create(name=role)
    return SignInRule.objects.create(source=source, on=on, value=value, claim=claim, gives="role", role=group)


def person(name: str = "cora", groups: Any = (), **facts: Any) -> OutsidePerson:
    """`groups` None: the answer was not complete."""
    known = None if groups is None else frozenset(groups)
    return OutsidePerson(**{"subject": f"id-of-{name}", "username": name, "groups": known} | facts)


def enter(source: SignInSource, who: OutsidePerson) -> User:
    return entering.enter(source, who, now=timezone.now())


def refusal(source: SignInSource, who: OutsidePerson) -> str:
    """The code with which somebody is refused; empty for somebody who comes in."""
    try:
        enter(source, who)
    except entering.Refused as refused:
        return refused.code if str(refused.sentence) else "without words"
    return ""


def roles_of(user: User) -> set[str]:
    return set(Group.objects.filter(user=user).values_list("name", flat=True))
