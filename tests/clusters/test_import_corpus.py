"""Every file of the corpus, and what an import says of it.

The figure: bin/test tests/clusters/test_import_corpus.py -s -n0
"""

from datetime import UTC, datetime

import pytest
from django.db import transaction

from clusters import importing
from clusters.config import ClusterFileError
from clusters.importing import ClusterReason
from clusters.models import Cluster, DeletedCluster
from tests.clusters.config_files import CORE, MARKER, fixed_key, raw_rows
from tests.clusters.import_corpus import BROKEN, CORPUS, WRONG, Case

__all__ = ["fixed_key"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fixed_key", "portal")]

every_file = pytest.mark.parametrize("file", CORPUS, ids=[case.name for case in CORPUS])


@pytest.fixture
def portal() -> None:
    for cluster_id in "here", "moved":
        Cluster.objects.create(
            cluster_id=cluster_id, name=f"Cluster {cluster_id}", host="pve.test", user="portal@pve", password=MARKER,
            is_default=cluster_id == "here",
        )  # fmt: skip
    DeletedCluster.objects.create(cluster_id="gone", deleted_by="lena", deleted_at=datetime(2026, 3, 1, tzinfo=UTC))


def said(file: Case) -> list[str]:
    """Notices, the table's lines and what is wrong, each without the white space of its column."""
    try:
        plan = importing.import_content(file.content, source="f", options=file.options)
    except ClusterFileError as error:
        return [str(problem) for problem in error.problems]
    lines = importing.table(row for row in plan.rows if row.reason is not ClusterReason.INVALID)
    notices = [f"Notice: {notice}" for notice in plan.notices]
    return [" ".join(line.split()) for line in [*notices, *lines, *map(str, plan.problems)]]


@every_file
def test_what_is_said_of_it_is_what_was_expected(file: Case):
    assert said(file) == list(file.expected)


@every_file
def test_its_password_is_not_repeated(file: Case):
    assert CORE not in repr(said(file))


@pytest.mark.parametrize("file", [*BROKEN, *WRONG], ids=lambda file: file.name)
def test_a_wrong_file_leaves_the_portal_as_it_was(file: Case):
    before = raw_rows()
    said(file)
    assert raw_rows() == before


def test_the_corpus_has_eighty_files_of_different_names_or_more():
    names = {file.name for file in CORPUS}
    as_expected = sum(said_apart(file) == list(file.expected) for file in CORPUS)
    print(f"\n{len(names)} files, {as_expected} as expected")
    assert len(names) == len(CORPUS) == as_expected
    assert len(names) >= 80


def said_apart(file: Case) -> list[str]:
    with transaction.atomic():
        lines = said(file)
        transaction.set_rollback(True)
    return lines
