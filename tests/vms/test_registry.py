"""What callers get from the registry, and what asking costs."""

import pytest
from cryptography.fernet import Fernet
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.encrypted_fields import SecretUnreadable
from clusters.models import Cluster
from tests.own_database import run_in_threads
from tests.vms.database_states import execute
from vms import registry

pytestmark = pytest.mark.usefixtures("own_database")

PASSWORD = "correct horse battery"


def save(cluster_id: str, **fields: object) -> Cluster:
    values = {"name": cluster_id.title(), "host": "pve.test", "user": "portal@pve", "password": PASSWORD}
    return Cluster.objects.create(cluster_id=cluster_id, **values | fields)


def queries() -> CaptureQueriesContext:
    return CaptureQueriesContext(connection)


def seal_with_another_key(cluster: Cluster) -> None:
    sealed = Fernet(Fernet.generate_key()).encrypt(PASSWORD.encode()).decode()
    execute("UPDATE clusters SET password = %s WHERE id = %s", sealed, cluster.pk)


def test_get_finds_an_active_cluster_by_its_id():
    save("alpha", port=8007)
    assert (registry.get("alpha").name, registry.get("alpha").port) == ("Alpha", 8007)


def test_get_does_not_know_an_inactive_cluster():
    save("off", is_active=False)
    with pytest.raises(registry.UnknownCluster):
        registry.get("off")


def test_get_does_not_know_what_nobody_entered():
    save("alpha")
    with pytest.raises(registry.UnknownCluster):
        registry.get("ALPHA")


def test_the_default_is_the_row_that_is_marked():
    save("alpha")
    save("beta", is_default=True)
    assert registry.default().cluster_id == "beta"


def test_without_a_marked_row_there_is_no_default():
    save("alpha")
    assert registry.default() is None


def test_one_query_answers_everything_within_a_resolution():
    save("alpha")
    with registry.resolved_once(), queries() as seen:
        assert (len(registry.clusters()), registry.get("alpha").name, registry.default()) == (1, "Alpha", None)
        assert registry.state().source == "database"
    assert len(seen) == 1


def test_an_empty_table_costs_one_query_more():
    save("alpha").delete()
    with registry.resolved_once(), queries() as seen:
        registry.clusters()
        registry.state()
    assert len(seen) == 2


def test_outside_of_a_resolution_every_question_is_asked_anew():
    save("alpha")
    with queries() as seen:
        registry.clusters()
        registry.clusters()
    assert len(seen) == 2


def test_the_next_resolution_sees_a_change():
    alpha = save("alpha")
    with registry.resolved_once():
        assert len(registry.clusters()) == 1
        alpha.deactivate()
        assert len(registry.clusters()) == 1
    with registry.resolved_once():
        assert registry.clusters() == ()


def test_another_thread_shares_no_resolution():
    save("alpha")
    seen: list[int] = []
    with registry.resolved_once():
        registry.clusters()
        save("beta")
        assert run_in_threads(lambda: seen.append(len(registry.clusters()))) == []
    assert seen == [2]


def test_an_error_is_not_remembered():
    save("alpha")
    with registry.resolved_once():
        execute("ALTER TABLE clusters RENAME COLUMN ca_certificate TO authority")
        with pytest.raises(Exception, match="ca_certificate"):
            registry.clusters()
        execute("ALTER TABLE clusters RENAME COLUMN authority TO ca_certificate")
        assert len(registry.clusters()) == 1


def test_resolving_decrypts_nothing():
    seal_with_another_key(save("alpha"))
    config = registry.get("alpha")
    assert config.host == "pve.test"
    with pytest.raises(SecretUnreadable):
        config.password.reveal()


def test_a_resolved_secret_can_be_revealed():
    save("alpha")
    assert registry.get("alpha").password.reveal() == PASSWORD


def test_a_resolved_cluster_does_not_show_its_secret():
    save("alpha", token_id="portal@pve!labs", token_secret=PASSWORD)
    assert PASSWORD not in repr(registry.clusters())
    assert PASSWORD not in str(registry.get("alpha"))


def test_old_scripts_get_dictionaries_with_passwords():
    save("alpha")
    save("off", is_active=False)
    (found,) = registry.load_clusters_from_db()
    assert (found["id"], found["name"], found["password"]) == ("alpha", "Alpha", PASSWORD)


def test_the_list_of_old_scripts_is_resolved_whenever_it_is_read():
    save("alpha")
    assert [cluster["password"] for cluster in registry.CLUSTERS] == [PASSWORD]
    save("beta")
    assert [cluster["id"] for cluster in registry.CLUSTERS] == ["alpha", "beta"]


def test_old_scripts_learn_of_an_unreadable_password_by_an_error():
    seal_with_another_key(save("alpha"))
    with pytest.raises(SecretUnreadable):
        registry.load_clusters_from_db()


def test_the_module_has_no_other_surprises():
    with pytest.raises(AttributeError, match="NOTHING"):
        _ = registry.NOTHING
