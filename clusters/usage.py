"""Usage of a cluster, as reported by the apps that use clusters."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.utils.html import format_html_join
from django.utils.translation import gettext as _

from clusters.models import Cluster


@dataclass(frozen=True)
class Use:
    """A user of the cluster, with the URL of their page, and the extent."""

    name: str
    url: str
    how_much: str


# Each tells who uses a cluster.
SOURCES: list[Callable[[Cluster], Iterable[Use]]] = []


def register(source: Callable[[Cluster], Iterable[Use]]) -> None:
    if source not in SOURCES:
        SOURCES.append(source)


def in_words(cluster: Cluster) -> str:
    found = [use for source in SOURCES for use in source(cluster)]
    lines = ((use.url, use.name, use.how_much) for use in found)
    return format_html_join("", '<a href="{}">{}</a>: {}<br>', lines) or _("no class")
