"""People whom a directory knows, for those who may add them before they ever signed in."""

from dataclasses import dataclass
from importlib import import_module

from django.utils import timezone

from accounts.models import SignInIdentity, User
from accounts.models.sources import Directory
from accounts.sentences import say
from accounts.sign_in import entering, health, testing
from accounts.sign_in.entering import Refused
from accounts.sign_in.facts import OutsidePerson
from accounts.sign_in.outages import SourceDown

LEAST, MOST = 3, 20  # letters of a search, and people of its answer


@dataclass(frozen=True)
class Found:
    """`account` is the user name here of somebody who has one."""

    directory: Directory
    username: str
    name: str
    account: str = ""


def directories() -> list[Directory]:
    return list(Directory.objects.filter(is_active=True))


def is_possible() -> bool:
    return bool(Directory.objects.filter(is_active=True).exists())


def search(text: str) -> list[Found]:
    """By a part of the name, in all active directories; nobody who is closed there. Raises `SourceDown`."""
    wanted = text.strip()
    if len(wanted) < LEAST:
        return []
    found: list[Found] = []
    for directory in directories():
        people = [one for one in _search(directory, wanted) if one.subject and not one.closed]
        known = SignInIdentity.objects.filter(source=directory, subject__in=[one.subject for one in people])
        accounts = dict(known.values_list("subject", "user__username"))
        found += [
            Found(directory, one.username, f"{one.first_name} {one.last_name}".strip(), accounts.get(one.subject, ""))
            for one in people
        ]
    return sorted(found, key=lambda one: (one.name.lower(), one.username))[:MOST]


def _search(directory: Directory, text: str) -> list[OutsidePerson]:
    if not health.packages_are_installed():
        raise SourceDown(directory, say("sign-in-packages-needed"))
    people: list[OutsidePerson] = import_module(testing.MODULES[Directory.KIND]).search(directory, text, most=MOST)
    return people


def expect(directory_pk: int, username: str) -> User:
    """The account of exactly this person, made if there is none yet. Raises `Refused` and `SourceDown`."""
    directory = Directory.objects.filter(pk=directory_pk, is_active=True).first()
    person = testing.find(directory, username) if directory else None
    if directory is None or person is None:
        raise Refused("unknown-there", name=username[:100])
    return entering.expect(directory, person, now=timezone.now())
