"""Who uses a cluster, by the account of the rooms above."""

from collections.abc import Callable, Iterable

from django.utils.html import format_html_join

from clusters.models import Cluster

# Each gives sentences about a cluster.
SOURCES: list[Callable[[Cluster], Iterable[str]]] = []


def register(source: Callable[[Cluster], Iterable[str]]) -> None:
    if source not in SOURCES:
        SOURCES.append(source)


def in_words(cluster: Cluster) -> str:
    lines = [line for source in SOURCES for line in source(cluster)]
    return format_html_join("", "{}<br>", ((line,) for line in lines)) or "no class"
