"""The database of a run, and other processes that work on it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connection

from clusters.config import ClusterConfig
from clusters.models import Cluster
from tests.bench.world import World


@contextmanager
def of_its_own() -> Iterator[None]:
    """A new one for each benchmark: what one leaves behind, another cannot always delete."""
    before = str(connection.settings_dict["NAME"])
    connection.settings_dict["TEST"]["NAME"] = f"{before}.test" if connection.vendor == "sqlite" else None
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        yield
    finally:
        connection.creation.destroy_test_db(before, verbosity=0)


def enter(world: World) -> list[ClusterConfig]:
    """Save the clusters of a world, and nothing else, as administrators would."""
    Cluster.objects.all().delete()
    for place in world.places:
        Cluster.objects.create(
            cluster_id=place.name, name=place.name, host=place.host, port=place.port, user="portal@pve",
            token_id=place.token_id, token_secret=place.token_secret, ca_certificate=place.ca_pem,
        )  # fmt: skip
    return [row.config for row in Cluster.objects.order_by("cluster_id")]


def url() -> str:
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return f"{os.environ['DATABASE_URL'].rsplit('/', 1)[0]}/{name}"


def environment() -> dict[str, str]:
    """Of a process of the product, with this one's keys."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.process_settings",
        "DATABASE_URL": url(),
        "SECRET_KEY": settings.SECRET_KEY,
    }
