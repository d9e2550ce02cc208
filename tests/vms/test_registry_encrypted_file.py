"""The states of the database once more, after `export_clusters --sealed`: the sealed file is the only second source.

The cost of a resolution: bin/test tests/vms/test_registry_encrypted_file.py -s -n0 -k cost
"""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.encrypted_fields import SecretUnreadable
from clusters.models import Adoption, Cluster, DeletedCluster
from tests.vms.database_states import FALLBACKS, TROUBLES, Fault
from vms import registry
from vms.registry import Reason, Source

pytestmark = pytest.mark.usefixtures("own_database")

PASSWORD = "correct horse battery"


def save(cluster_id: str, **fields: Any) -> Cluster:
    values = {"name": cluster_id, "host": "pve.test", "user": "portal@pve", "password": PASSWORD}
    return Cluster.objects.create(cluster_id=cluster_id, **values | fields)


def ids() -> list[str]:
    return [config.cluster_id for config in registry.clusters()]


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test knows of another's fallback."""
    monkeypatch.setattr(registry, "_first_seen", {})


@pytest.fixture
def sealed_file(tmp_path: Path, settings: Any) -> Path:
    """What the export makes of three clusters, one of them switched off; the settings name no cluster."""
    settings.CLUSTER_CONFIG_FILE, settings.CLUSTERS = str(tmp_path / "clusters.json"), []
    save("alpha")
    save("zeta", is_default=True, token_id="portal@pve!labs", token_secret=PASSWORD)
    save("off", is_active=False)
    call_command("export_clusters", "--sealed", "--output", tmp_path / "clusters.json", stdout=StringIO())
    return tmp_path / "clusters.json"


def start_anew() -> None:
    """An installation with the same key and an empty database."""
    for model in (Cluster, DeletedCluster, Adoption):
        model.objects.all().delete()


@pytest.fixture(params=FALLBACKS, ids=lambda reason: reason.name)
def outage(request: pytest.FixtureRequest, sealed_file: Path) -> Any:
    if request.param is Reason.NOT_INITIALISED:
        start_anew()
    with FALLBACKS[request.param]():
        yield request.param


def test_the_file_is_the_source(outage):
    assert (registry.state().source, registry.state().reason) == (Source.FILE, outage)
    assert registry.state().notices == ()


def test_what_was_active_is_there_default_first_and_nothing_switched_off_is_revived(outage):
    assert ids() == ["zeta", "alpha"]


def test_the_secrets_of_the_file_can_be_used(outage):
    assert registry.default().password.reveal() == PASSWORD
    assert (registry.default().token_id, registry.default().token_secret.reveal()) == ("portal@pve!labs", PASSWORD)


def test_the_default_stays_the_default(outage):
    assert registry.default().cluster_id == "zeta"


def test_under_another_key_the_clusters_are_there_and_their_secrets_are_not(outage, monkeypatch):
    monkeypatch.setattr("encrypted_model_fields.fields.CRYPTER", Fernet(Fernet.generate_key()))
    assert ids() == ["zeta", "alpha"]
    with pytest.raises(SecretUnreadable):
        registry.default().password.reveal()


def test_old_scripts_get_the_passwords(outage):
    assert [found["password"] for found in registry.load_clusters_from_db()] == [PASSWORD] * 2


def test_a_cluster_switched_off_and_exported_again_is_not_revived(sealed_file):
    Cluster.objects.get(cluster_id="alpha").deactivate()
    call_command("export_clusters", "--sealed", "--output", sealed_file, stdout=StringIO())
    with FALLBACKS[Reason.NO_TABLE]():
        assert ids() == ["zeta"]


def test_all_switched_off_and_exported_means_no_cluster_in_an_outage(sealed_file):
    for cluster in Cluster.objects.all():
        cluster.deactivate()
    call_command("export_clusters", "--sealed", "--output", sealed_file, stdout=StringIO())
    with FALLBACKS[Reason.NO_TABLE]():
        assert (registry.state().source, ids()) == (Source.FILE, [])


def test_a_damaged_file_is_told_and_is_no_source(outage, sealed_file):
    sealed_file.write_text(sealed_file.read_text().replace("gAAAA", "gBBBB"))
    assert (registry.state().source, ids()) == (Source.SETTINGS, [])
    assert "password: should be a text or" in registry.state().notices[0]


def test_a_missing_file_leaves_no_cluster(outage, sealed_file):
    sealed_file.unlink()
    assert (registry.state().source, ids()) == (Source.SETTINGS, [])


# While the database answers, or fails otherwise, the file is not asked.


def test_active_rows_come_from_the_database(sealed_file):
    sealed_file.write_text(json.dumps([]))
    assert (registry.state().source, ids()) == (Source.DATABASE, ["zeta", "alpha"])


def test_rows_that_are_all_inactive_mean_no_cluster(sealed_file):
    for cluster in Cluster.objects.all():
        cluster.deactivate()
    assert (registry.state().source, ids()) == (Source.DATABASE, [])


def test_rows_that_are_all_deleted_mean_no_cluster(sealed_file):
    Cluster.objects.all().delete()
    assert (registry.state().source, ids()) == (Source.DATABASE, [])


@pytest.mark.parametrize("fault", TROUBLES)
def test_an_error_of_a_database_that_is_there_is_raised(sealed_file, fault: Fault):
    with fault.enter(), pytest.raises(fault.error):
        registry.state()


# And back.


def test_the_sealed_file_comes_into_an_empty_database(sealed_file):
    start_anew()
    call_command("import_clusters", stdout=StringIO())
    assert (registry.state().source, ids()) == (Source.DATABASE, ["zeta", "alpha"])
    assert not Cluster.objects.get(cluster_id="off").is_active


# What it costs.


def test_the_cost_of_a_resolution_is_one_query_then_none_and_no_decryption(sealed_file, monkeypatch):
    decrypted: list[str] = []
    monkeypatch.setattr("encrypted_model_fields.fields.decrypt_str", decrypted.append)
    with registry.resolved_once():
        with CaptureQueriesContext(connection) as cold:
            registry.clusters()
        with CaptureQueriesContext(connection) as warm:
            assert (registry.state().source, registry.get("alpha").name) == (Source.DATABASE, "alpha")
    print(f"\n{len(cold)} query cold, {len(warm)} within the same request, {len(decrypted)} decryptions")
    assert (len(cold), len(warm), len(decrypted)) == (1, 0, 0)
