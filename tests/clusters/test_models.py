"""What a cluster does: the one default, secrets that are counted, tombstones, protected deletion, the audit trail."""

from datetime import timedelta

import pytest
from auditlog.models import LogEntry
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models.deletion import ProtectedError
from django.utils import timezone

from accounts.models import User
from clusters.models import Adoption, Cluster, ClusterHealth, DeletedCluster, NotActive
from tests.own_database import run_in_threads
from vms.models import Assignment, VirtualMachine

PASSWORD = "p4ssw0rd-of-the-test"


def save(cluster_id: str = "alpha", **fields: object) -> Cluster:
    values = {"name": cluster_id.title(), "host": "pve.test", "user": "portal@pve", "password": PASSWORD}
    return Cluster.objects.create(cluster_id=cluster_id, **values | fields)


def fresh(cluster: Cluster) -> Cluster:
    return Cluster.objects.get(pk=cluster.pk)


def defaults() -> list[str]:
    return list(Cluster.objects.filter(is_default=True).values_list("cluster_id", flat=True))


def trail() -> list[dict[str, list[str]]]:
    """The changes that the audit trail has of clusters, oldest first."""
    return [entry.changes for entry in LogEntry.objects.get_for_model(Cluster).order_by("pk")]


pytestmark = pytest.mark.django_db


# At most one default, and an active one.


def test_the_database_refuses_a_second_default():
    save(is_default=True)
    with pytest.raises(IntegrityError), transaction.atomic():
        save("beta", is_default=True)


def test_any_number_of_clusters_is_not_the_default():
    save()
    save("beta")
    assert Cluster.objects.default() is None


def test_the_database_refuses_an_inactive_default():
    with pytest.raises(IntegrityError), transaction.atomic():
        save(is_default=True, is_active=False)


@pytest.mark.parametrize("port", [0, 65536])
def test_the_database_refuses_an_impossible_port(port):
    with pytest.raises(IntegrityError), transaction.atomic():
        save(port=port)


def test_validation_tells_of_a_second_default_in_words():
    save(is_default=True)
    with pytest.raises(ValidationError, match="Make default"):
        Cluster(cluster_id="b", name="B", host="h", user="u@pve", is_default=True).full_clean()


def test_make_default_takes_the_mark_from_the_other():
    save(is_default=True)
    beta = save("beta")
    beta.make_default()
    assert beta.is_default
    assert defaults() == ["beta"]


def test_make_default_of_the_default_changes_nothing():
    alpha = save(is_default=True)
    before = fresh(alpha).updated_at
    alpha.make_default()
    assert (defaults(), fresh(alpha).updated_at) == (["alpha"], before)


def test_an_inactive_cluster_does_not_become_the_default():
    save(is_default=True)
    with pytest.raises(NotActive, match="Beta is not active"):
        save("beta", is_active=False).make_default()
    assert defaults() == ["alpha"]


def test_a_cluster_that_somebody_just_switched_off_does_not_become_the_default():
    stale = save()
    fresh(stale).deactivate()
    with pytest.raises(NotActive):
        stale.make_default()


def test_a_cluster_that_somebody_just_deleted_does_not_become_the_default():
    stale = save()
    fresh(stale).delete()
    with pytest.raises(NotActive):
        stale.make_default()


def test_deactivating_the_default_leaves_none_and_says_so():
    alpha = save(is_default=True)
    assert alpha.deactivate() is True
    assert (defaults(), fresh(alpha).is_active) == ([], False)


def test_deactivating_another_leaves_the_default_alone():
    save(is_default=True)
    assert save("beta").deactivate() is False
    assert defaults() == ["alpha"]


def test_activating_does_not_make_it_the_default_again():
    alpha = save(is_default=True)
    alpha.deactivate()
    alpha.activate()
    assert (defaults(), fresh(alpha).is_active) == ([], True)


def test_active_clusters_come_with_the_default_first_and_then_by_name():
    for name in "zeta", "mid", "alpha":
        save(name, is_default=name == "mid")
    save("off", is_active=False)
    assert [cluster.cluster_id for cluster in Cluster.objects.active()] == ["mid", "alpha", "zeta"]


def test_many_who_make_defaults_at_once_leave_exactly_one(own_database):
    clusters = [save(name, is_default=name == "c0") for name in ("c0", "c1", "c2", "c3")]
    counts: list[int] = []

    def insist(cluster: Cluster) -> None:
        for _ in range(10):
            cluster.make_default()
            counts.append(len(defaults()))

    assert run_in_threads(*[lambda cluster=cluster: insist(cluster) for cluster in clusters]) == []
    assert set(counts) == {1}
    assert len(counts) == 40


def test_making_default_and_switching_off_at_once_leaves_no_inactive_default(own_database):
    alpha, beta = save(is_default=True), save("beta")
    jobs = [lambda: fresh(beta).make_default(), lambda: fresh(beta).deactivate(), lambda: fresh(alpha).make_default()]
    assert [error for error in run_in_threads(*jobs) if not isinstance(error, NotActive)] == []
    assert len(defaults()) <= 1
    assert not fresh(beta).is_active


# Secrets are counted.


def test_the_first_secret_is_version_one():
    assert save().credential_version == 1
    assert save("none", password="").credential_version == 0


@pytest.mark.parametrize("name", ["password", "token_secret"])
def test_a_new_secret_is_a_new_version(name):
    cluster = fresh(save())
    setattr(cluster, name, "changed")
    cluster.save()
    assert fresh(cluster).credential_version == 2


def test_a_new_secret_that_is_saved_alone_is_counted_too():
    cluster = fresh(save())
    cluster.password = "changed"
    cluster.save(update_fields=["password"])
    assert fresh(cluster).credential_version == 2


def test_saving_something_else_counts_nothing():
    cluster = fresh(save())
    cluster.name = "Another"
    cluster.save()
    cluster.save()
    assert fresh(cluster).credential_version == 1


# The database is the source from the first cluster on.


def test_the_first_cluster_initialises_the_database():
    assert not Adoption.objects.exists()
    save()
    assert Adoption.objects.count() == 1


def test_nothing_undoes_the_initial_import():
    since = [save(), Adoption.objects.get().since][1]
    Cluster.objects.all().delete()
    assert Adoption.objects.get().since == since
    save("beta")
    assert Adoption.objects.get().since == since


# Tombstones.


def test_a_deleted_cluster_leaves_a_tombstone():
    save().delete()
    assert DeletedCluster.objects.get().cluster_id == "alpha"


def test_clusters_deleted_together_leave_a_tombstone_each():
    save()
    save("beta")
    Cluster.objects.all().delete()
    assert {str(tombstone) for tombstone in DeletedCluster.objects.all()} == {"alpha", "beta"}


def test_adding_a_cluster_again_removes_its_tombstone():
    save().delete()
    save()
    assert not DeletedCluster.objects.exists()


def test_deleting_twice_leaves_one_tombstone():
    save().delete()
    save().delete()
    assert DeletedCluster.objects.count() == 1


# Who holds a machine protects its cluster.


@pytest.fixture
def assignment() -> Assignment:
    machine = VirtualMachine.objects.create(cluster=save(), vmid=100, node="pve1", status="running")
    return Assignment.objects.create(vm=machine, user=User.objects.create(username="student"))


def test_a_live_assignment_refuses_the_deletion_of_its_cluster(assignment):
    with pytest.raises(ProtectedError) as error:
        assignment.vm.cluster.delete()
    assert error.value.protected_objects == {assignment}


def test_a_live_assignment_refuses_the_deletion_of_many_clusters(assignment):
    save("beta")
    with pytest.raises(ProtectedError):
        Cluster.objects.all().delete()
    assert Cluster.objects.count() == 2


def test_a_refused_deletion_leaves_no_tombstone(assignment):
    with pytest.raises(ProtectedError):
        assignment.vm.cluster.delete()
    assert not DeletedCluster.objects.exists()


def test_an_assignment_goes_with_its_cluster_once_its_machine_is_free(assignment):
    Assignment.objects.all().end()
    with pytest.raises(ProtectedError):
        assignment.vm.cluster.delete()
    Assignment.objects.update(released_at=timezone.now())
    assignment.vm.cluster.delete()
    assert not VirtualMachine.objects.exists()
    assert not Assignment.objects.exists()


def test_a_cluster_takes_its_machines_and_no_others(assignment):
    VirtualMachine.objects.create(cluster=save("beta"), vmid=100, node="pve1", status="running")
    Cluster.objects.get(cluster_id="beta").delete()
    assert VirtualMachine.objects.get() == assignment.vm


# Dictionaries for old scripts.


def test_the_safe_dictionary_has_ten_keys():
    assert list(fresh(save()).to_safe_dict()) == [
        "id", "name", "host", "port", "user", "verify_ssl", "is_default", "is_active", "created_at", "updated_at"
    ]  # fmt: skip


def test_the_full_dictionary_has_the_password_besides():
    cluster = fresh(save())
    assert cluster.to_dict() == {**cluster.to_safe_dict(), "password": PASSWORD}


def test_a_cluster_without_a_password_has_an_empty_one():
    assert fresh(save(password="")).to_dict()["password"] == ""


def test_the_safe_dictionary_holds_no_secret():
    assert PASSWORD not in str(save(token_id="p@pve!t1", token_secret=PASSWORD).to_safe_dict())


# The audit trail.


def test_creating_is_written_down_with_stars_for_the_secret():
    save()
    (changes,) = trail()
    assert changes["host"] == ["None", "pve.test"]
    assert changes["password"] == ["None", "***"]


def test_changing_is_written_down():
    cluster = save()
    cluster.host = "other.test"
    cluster.save()
    assert trail()[-1] == {"host": ["pve.test", "other.test"]}


def test_a_changed_secret_is_written_down_by_its_version():
    cluster = fresh(save())
    cluster.password = "another-secret"
    cluster.save()
    assert trail()[-1] == {"credential_version": ["1", "2"]}


def test_a_removed_secret_is_written_down():
    cluster = fresh(save())
    cluster.password = ""
    cluster.save()
    assert trail()[-1] == {"password": ["***", "None"]}


def test_making_default_is_written_down_for_both():
    save(is_default=True)
    beta = save("beta")
    beta.make_default()
    assert trail()[-2:] == [{"is_default": ["True", "False"]}, {"is_default": ["False", "True"]}]


def test_deleting_is_written_down():
    save().delete()
    assert LogEntry.objects.get_for_model(Cluster).first().action == LogEntry.Action.DELETE


def everything_written_down() -> str:
    return str(list(LogEntry.objects.values()))


def test_the_trail_never_has_a_secret():
    cluster = save(token_id="p@pve!t1", token_secret=PASSWORD)
    cluster.password = PASSWORD + "-changed"
    cluster.save()
    cluster.make_default()
    cluster.delete()
    assert "pve.test" in everything_written_down()
    assert PASSWORD not in everything_written_down()


def test_a_secret_in_the_trail_would_be_noticed():
    save(name=PASSWORD)
    assert PASSWORD in everything_written_down()


# Health.


def test_health_keeps_when_a_failure_began_and_when_it_last_went_well():
    cluster, (first, second, third) = save(), [timezone.now() + timedelta(minutes=n) for n in range(3)]
    ClusterHealth.succeeded("alpha", at=first, version="8.4")
    ClusterHealth.failed("alpha", "refused", at=second)
    ClusterHealth.failed("alpha", "still refused", at=third)
    health = fresh(cluster).health
    assert (health.last_ok_at, health.failing_since, health.checked_at) == (first, second, third)
    assert (health.ok, health.problem, health.version) == (False, "still refused", "8.4")


def test_a_success_ends_a_failure():
    cluster = save()
    ClusterHealth.failed("alpha", "refused", kind="ConnectionRefused")
    assert fresh(cluster).health.kind == "ConnectionRefused"
    ClusterHealth.succeeded("alpha")
    health = fresh(cluster).health
    assert (health.ok, health.failing_since, health.problem, health.kind) == (True, None, "", "")


def test_health_of_a_cluster_that_was_deleted_meanwhile_is_dropped():
    ClusterHealth.failed("gone", "refused")
    assert not ClusterHealth.objects.exists()


@pytest.mark.parametrize(
    ("field", "value", "is_kept"), [("host", "other.test", False), ("port", 8007, False), ("name", "B", True)]
)
def test_what_was_found_at_the_old_place_says_nothing_of_the_new_one(field: str, value: object, is_kept: bool):
    cluster = save()
    ClusterHealth.succeeded("alpha", version="8.4")
    setattr(cluster, field, value)
    cluster.save(update_fields={field})
    assert ClusterHealth.objects.exists() == is_kept
