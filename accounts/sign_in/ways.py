"""The ways to log in that the login page offers beside the portal's own password."""

from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import reverse

from accounts.compiled_queries import CompiledList
from accounts.models import SignInSource

MOST_SHOWN = 10


_SHOWN: "CompiledList[SignInSource]" = CompiledList(
    lambda: SignInSource.objects.filter(is_active=True).only("kind", "name", "label", "position")[:MOST_SHOWN]
)


@dataclass(frozen=True)
class Ways:
    """`links` are pairs of label and address; `directories` are labels of those whose passwords the form takes."""

    links: list[tuple[str, str]]
    directories: list[str]


def ways(next_page: str) -> Ways:
    """In one query. `next_page` is the page of the portal that was asked for."""
    links, directories = [], []
    query = f"?{urlencode({'next': next_page})}" if next_page else ""
    for source in _SHOWN.all():
        if source.kind == SignInSource.Kind.DIRECTORY:
            directories.append(source.label)
        else:
            links.append((source.label, reverse("sign-in", args=[source.name]) + query))
    return Ways(links, directories)
