"""No more clusters than a file holds: by hand, by a script, by an import; and an export of so many comes back."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command

from clusters import importing
from clusters.config import MAX_CLUSTERS, ClusterFile, ClusterFileError, inspect
from clusters.importing import Options
from clusters.models import Adoption, Cluster, DeletedCluster
from tests.clusters.config_files import entry

pytestmark = pytest.mark.django_db


def cluster(number: int) -> Cluster:
    return Cluster(cluster_id=f"c{number}", name=f"C {number}", host="pve.test", user="portal@pve", password="secret")


def fill(number: int) -> None:
    Adoption.objects.create(canary=Adoption.CANARY)
    Cluster.objects.bulk_create(cluster(n) for n in range(number))


def file_of(*ids: str) -> ClusterFile:
    return inspect(json.dumps([entry(one) for one in ids]).encode(), source="f")


def test_the_last_cluster_finds_room_and_the_next_does_not() -> None:
    fill(MAX_CLUSTERS - 1)
    cluster(MAX_CLUSTERS).full_clean()
    cluster(MAX_CLUSTERS).save()
    for save in (cluster(MAX_CLUSTERS + 1).save, cluster(MAX_CLUSTERS + 1).full_clean):
        with pytest.raises(ValidationError, match="at most 200 clusters"):
            save()
    assert Cluster.objects.count() == MAX_CLUSTERS


def test_a_full_portal_can_be_changed() -> None:
    fill(MAX_CLUSTERS)
    present = Cluster.objects.get(cluster_id="c7")
    present.full_clean()
    present.save()


def test_the_form_says_it(client: Any, admin: Any) -> None:
    fill(MAX_CLUSTERS)
    client.force_login(admin)
    form = {"cluster_id": "new", "name": "New", "host": "pve.test", "port": "8006", "user": "a@pve", "password": "x"}
    answer = client.post("/admin/clusters/cluster/add/", form)
    assert (answer.status_code, "at most 200 clusters" in answer.content.decode()) == (200, True)


def test_an_import_names_those_without_room() -> None:
    fill(MAX_CLUSTERS - 1)
    plan = importing.plan(file_of("c1", "one", "two"), Options())
    assert plan.is_refused
    assert [(problem.entry, problem.expected) for problem in plan.problems] == [
        ("two", "is one too many: the portal can have at most 200 clusters")
    ]


def test_an_import_in_part_fills_what_room_there_is(tmp_path: Path) -> None:
    fill(MAX_CLUSTERS - 1)
    importing.import_content(
        json.dumps([entry("one"), entry("two")]).encode(), source="f", options=Options(partial=True)
    )
    assert Cluster.objects.count() == MAX_CLUSTERS
    assert Cluster.objects.filter(cluster_id="one").exists()


def test_what_stays_deleted_needs_no_room() -> None:
    fill(MAX_CLUSTERS - 1)
    DeletedCluster.objects.remember(["gone"])
    assert importing.plan(file_of("gone", "one"), Options()).problems == ()


@pytest.mark.parametrize("words", [[], ["--sealed"], ["--plaintext", "--no-input"]])
def test_an_export_of_a_full_portal_can_be_read_again(words: list[str]) -> None:
    fill(MAX_CLUSTERS)
    out = StringIO()
    call_command("export_clusters", *words, stdout=out)
    read = inspect(out.getvalue().encode(), source="f")
    assert len(read.configs) == (MAX_CLUSTERS if words else 0)
    assert bool(read.problems) is not bool(words)


@pytest.mark.parametrize("words", [[], ["--sealed"]])
def test_an_export_that_nobody_could_read_is_none(words: list[str]) -> None:
    fill(MAX_CLUSTERS + 1)  # an older version of the portal let them in
    with pytest.raises(CommandError, match="has more than 200 clusters"):
        call_command("export_clusters", *words, stdout=StringIO())


def test_a_file_holds_as_many() -> None:
    assert len(file_of(*[f"c{n}" for n in range(MAX_CLUSTERS)]).configs) == MAX_CLUSTERS
    with pytest.raises(ClusterFileError, match="has more than 200 clusters"):
        file_of(*[f"c{n}" for n in range(MAX_CLUSTERS + 1)])
