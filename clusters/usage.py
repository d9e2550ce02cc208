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


# Each tells what people lose with the cluster; each ends what keeps it from being deleted, and returns how much.
_losses: list[Callable[[Cluster], Iterable[str]]] = []
_endings: list[Callable[[Cluster], int]] = []


def register_end(*, losses: Callable[[Cluster], Iterable[str]], end: Callable[[Cluster], int]) -> None:
    if losses not in _losses:
        _losses.append(losses)
        _endings.append(end)


def losses(cluster: Cluster) -> str:
    """Sentences about the people who can't use the cluster any more; empty when it hits nobody."""
    return " ".join(text for source in _losses for text in source(cluster))


def end(cluster: Cluster) -> int:
    """End all use of the cluster, in the transaction that deletes it. Returns how many assignments ended."""
    return sum(ending(cluster) for ending in _endings)


def in_words(cluster: Cluster) -> str:
    found = [use for source in SOURCES for use in source(cluster)]
    lines = ((use.url, use.name, use.how_much) for use in found)
    return format_html_join("", '<a href="{}">{}</a>: {}<br>', lines) or _("no class")
