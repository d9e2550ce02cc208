"""Issues of clusters: an alert once they have lasted, and a notification once when they are over."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import override_settings
from django.utils import timezone

from clusters import proxmox
from clusters.models import Cluster, ClusterHealth, LoginState
from tests.labs import Lab, ago, queries, writes
from tests.own_database import run_in_threads
from vms.models import Alert, AlertMessage, ClusterSync, CredentialEnd
from vms.monitoring import alerts, credential_expiry

TO = {"ALERT_MAIL_TO": ["boss@school.test"]}
SOON = timedelta(seconds=30)
LONG = timedelta(minutes=5)


@pytest.fixture(autouse=True)
def told(settings: Any) -> None:
    settings.ALERT_MAIL_TO = TO["ALERT_MAIL_TO"]
    settings.PORTAL_URL = "https://portal.school.test"


class Watch:
    """Reviews as a worker would, with a clock of its own."""

    def __init__(self) -> None:
        self.now: datetime = timezone.now()

    def after(self, span: timedelta = LONG) -> list[str]:
        """The subjects of the mails that came, of reviews now and after this span."""
        before = len(mail.outbox)
        alerts.review(now=self.now)
        self.now += span
        alerts.review(now=self.now)
        return [letter.subject for letter in mail.outbox[before:]]


@pytest.fixture
def watch() -> Watch:
    """Its clock runs ahead of the reads, so they are made rare: none is late within hours."""
    ClusterSync.objects.update(interval=3600)
    return Watch()


def fall_silent(cluster_id: str = "building-a", *, failures: int = 2) -> None:
    ClusterHealth.failed(cluster_id, "The cluster did not respond in time.", kind="TimedOut", at=ago(minutes=2))
    ClusterSync.objects.filter(cluster_id=cluster_id).update(failures=failures)


def answer(cluster_id: str = "building-a") -> None:
    ClusterHealth.succeeded(cluster_id)
    ClusterSync.objects.filter(cluster_id=cluster_id).update(failures=0, synced_at=timezone.now())


# A cluster that does not answer


@pytest.mark.django_db
def test_a_cluster_that_answers_is_no_trouble(building_a: Lab, watch: Watch):
    assert watch.after() == []
    assert not Alert.objects.exists()


@pytest.mark.django_db
def test_a_silent_cluster_is_told_once(building_a: Lab, watch: Watch):
    fall_silent()
    assert watch.after() == ["[Lab Portal] Building A is not responding"]
    assert watch.after() == []


@pytest.mark.django_db
def test_the_mail_says_what_since_when_and_where(building_a: Lab, watch: Watch):
    fall_silent()
    watch.after()
    letter = mail.outbox[0]
    assert letter.to == TO["ALERT_MAIL_TO"]
    for part in ("did not respond in time", "Since: ", "UTC", "https://portal.school.test/clusters/"):
        assert part in letter.body


@pytest.mark.django_db
def test_without_an_address_of_the_portal_the_mail_has_no_link(building_a: Lab, watch: Watch, settings: Any):
    settings.PORTAL_URL = ""
    fall_silent()
    watch.after()
    assert "http" not in mail.outbox[0].body


@pytest.mark.django_db
def test_a_short_silence_is_not_told(building_a: Lab, watch: Watch):
    fall_silent()
    assert watch.after(SOON) == []
    answer()
    assert watch.after() == []
    assert not Alert.objects.exists()


@pytest.mark.django_db
def test_a_single_failure_is_not_told(building_a: Lab, watch: Watch):
    fall_silent(failures=1)
    assert watch.after() == []


@pytest.mark.django_db
def test_a_recovery_is_told_once(building_a: Lab, watch: Watch):
    fall_silent()
    watch.after()
    answer()
    assert watch.after() == ["[Lab Portal] Building A is responding again"]
    assert watch.after() == []
    assert not Alert.objects.unfinished().exists()


@pytest.mark.django_db
def test_a_cluster_that_comes_and_goes_says_nothing_new(building_a: Lab, watch: Watch):
    fall_silent()
    watch.after()
    for _ in range(5):
        answer()
        assert watch.after(SOON) == []
        fall_silent()
        assert watch.after(SOON) == []
    assert len(mail.outbox) == 1


@pytest.mark.django_db
def test_the_next_silence_is_told_again(building_a: Lab, watch: Watch):
    for _ in range(2):
        fall_silent()
        watch.after()
        answer()
        watch.after()
    assert [letter.subject.split("A ", 1)[1] for letter in mail.outbox] == [
        "is not responding",
        "is responding again",
    ] * 2


@pytest.mark.django_db
def test_a_cluster_that_was_switched_off_did_not_recover(building_a: Lab, watch: Watch):
    fall_silent()
    watch.after()
    building_a.row.deactivate()
    assert watch.after() == []
    assert not Alert.objects.unfinished().exists()


@pytest.mark.django_db
def test_of_two_clusters_only_one_is_down(building_a: Lab, building_b: Lab, watch: Watch):
    fall_silent("building-b")
    assert watch.after() == ["[Lab Portal] Building B is not responding"]


# Other troubles, as they really come about


def read(lab: Lab, times: int = 2) -> None:
    for _ in range(times):
        failed = bool(lab.sync().problem)
        sync = ClusterSync.objects.get(cluster=lab.row)
        ClusterSync.objects.filter(cluster=lab.row).update(failures=sync.failures + 1 if failed else 0)


@pytest.mark.django_db
def test_a_closed_port(building_a: Lab, watch: Watch):
    Cluster.objects.update(port=1)
    read(building_a)
    assert watch.after() == ["[Lab Portal] Building A is not responding"]


@pytest.mark.django_db
def test_another_certificate_is_that_and_no_silence(building_a: Lab, watch: Watch):
    building_a.pve.renew_certificate("pve1")
    proxmox.forget("building-a")  # a kept connection goes on
    read(building_a)
    assert watch.after() == ["[Lab Portal] The certificate of Building A is not trusted"]
    Cluster.objects.update(fingerprint=building_a.pve.fingerprint())
    read(building_a)
    assert watch.after() == ["[Lab Portal] The certificate of Building A is trusted again"]


@pytest.mark.django_db
def test_a_rejected_credential_is_that_and_no_silence(building_a: Lab, watch: Watch):
    building_a.pve.remove_token(building_a.row.token_id)
    read(building_a)
    assert watch.after() == ["[Lab Portal] Building A rejects the portal's credential"]


@pytest.mark.django_db
def test_a_rejected_read_only_token(building_a: Lab, watch: Watch):
    version = Cluster.objects.get().credential_version
    LoginState.objects.update_or_create(cluster=building_a.row, defaults={"rejected_read_version": version})
    assert watch.after() == ["[Lab Portal] Building A rejects the portal's read-only token"]


@pytest.mark.django_db
def test_a_certificate_is_not_trusted_again_because_the_cluster_is_off(building_a: Lab, watch: Watch):
    ClusterHealth.failed("building-a", "Another certificate.", kind="CertificateRejected")
    watch.after()
    fall_silent()
    assert watch.after() == ["[Lab Portal] Building A is not responding"]


@pytest.mark.django_db
def test_machines_that_are_out_of_date(building_a: Lab, watch: Watch):
    Cluster.objects.update(updated_at=ago(hours=1))
    ClusterSync.objects.update(synced_at=ago(minutes=6), interval=15, notice="The cluster listed no machines at all.")
    assert watch.after() == ["[Lab Portal] The machines of Building A are out of date"]
    assert "no machines at all" in mail.outbox[0].body


@pytest.mark.django_db
@pytest.mark.parametrize(("interval", "age"), [(15, 4), (60, 9)])
def test_machines_that_are_not_out_of_date_yet(building_a: Lab, interval: int, age: int):
    Cluster.objects.update(updated_at=ago(hours=1))
    ClusterSync.objects.update(synced_at=ago(minutes=age), interval=interval)
    alerts.review()
    assert not Alert.objects.exists()


@pytest.mark.django_db
def test_a_silent_cluster_is_not_out_of_date_besides(building_a: Lab, watch: Watch):
    Cluster.objects.update(updated_at=ago(hours=1))
    ClusterSync.objects.update(synced_at=ago(hours=1), interval=15)
    fall_silent()
    assert len(watch.after()) == 1


# Tokens that end


def limited(lab: Lab, *, days: float) -> None:
    lab.pve.accounts.tokens[lab.row.token_id].expire = int((timezone.now() + timedelta(days=days)).timestamp())


@pytest.mark.django_db
def test_a_token_that_ends_soon_is_told(building_a: Lab, watch: Watch):
    limited(building_a, days=13)
    assert credential_expiry.update_due() == 1
    assert watch.after() == ["[Lab Portal] The portal's credential for Building A expires soon"]
    assert "API token portal@pve!labs expires on" in mail.outbox[0].body
    assert watch.after(timedelta(days=3)) == []


@pytest.mark.django_db
def test_a_token_that_ends_late_is_not_told(building_a: Lab, watch: Watch):
    limited(building_a, days=15)
    credential_expiry.update_due()
    assert watch.after() == []


@pytest.mark.django_db
def test_the_read_only_token_ends_by_itself(building_a: Lab, watch: Watch):
    expire = int((timezone.now() + timedelta(days=3)).timestamp())
    token = building_a.pve.add_token("portal@pve", "look", privsep=False, expire=expire)
    building_a.row.read_token_id, building_a.row.read_token_secret = token.full_id, token.secret
    building_a.row.save()
    credential_expiry.update_due()
    watch.after()
    assert "read-only token portal@pve!look expires on" in mail.outbox[0].body


@pytest.mark.django_db
def test_a_new_token_ends_the_trouble(building_a: Lab, watch: Watch):
    limited(building_a, days=2)
    credential_expiry.update_due()
    watch.after()
    token = building_a.pve.add_token("portal@pve", "new", privsep=False)
    building_a.row.token_id, building_a.row.token_secret = token.full_id, token.secret
    building_a.row.save()
    assert watch.after() == []
    credential_expiry.update_due()
    assert watch.after() == ["[Lab Portal] The portal's credential for Building A was renewed"]


@pytest.mark.django_db
def test_a_cluster_is_asked_about_its_token_once_in_six_hours(building_a: Lab):
    assert [credential_expiry.update_due(), credential_expiry.update_due()] == [1, 0]
    CredentialEnd.objects.update(asked_at=ago(hours=7))
    assert credential_expiry.update_due() == 1


@pytest.mark.django_db
def test_a_cluster_that_may_not_say_is_not_asked_again_at_once(building_a: Lab):
    building_a.pve.add_user("few@pve", password="x", acl={"/vms": "PVEAuditor"})
    token = building_a.pve.add_token("few@pve", "t", privsep=False)
    building_a.row.user, building_a.row.token_id, building_a.row.token_secret = "few@pve", token.full_id, token.secret
    building_a.row.save()
    asked = building_a.pve.count("GET", "/access/users")
    credential_expiry.update_due()
    credential_expiry.update_due()
    assert building_a.pve.count("GET", "/access/users") == asked + 1
    assert "not allowed" in CredentialEnd.objects.get().problem


@pytest.mark.django_db
def test_a_silent_cluster_is_not_asked_about_its_token(building_a: Lab):
    fall_silent()
    assert credential_expiry.update_due() == 0
    assert building_a.pve.count() == 0


# What it costs, and who does it


@pytest.mark.django_db
def test_a_review_writes_nothing_when_nothing_changed(building_a: Lab, building_b: Lab, watch: Watch):
    fall_silent()
    watch.after()
    with queries() as made:
        alerts.review(now=watch.now)
    assert writes(made) == []


@pytest.mark.django_db
def test_a_review_asks_as_much_whatever_there_is(building_a: Lab, building_b: Lab, watch: Watch):
    watch.after()
    with queries() as of_two:
        alerts.review(now=watch.now)
    building_b.row.deactivate()
    with queries() as of_one:
        alerts.review(now=watch.now)
    assert len(of_one) == len(of_two)


@pytest.mark.usefixtures("own_database")
def test_workers_that_review_at_the_same_moment_send_one_mail(building_a: Lab, monkeypatch: pytest.MonkeyPatch):
    sent: list[str] = []
    monkeypatch.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", counting(sent))
    fall_silent()
    now = timezone.now()
    for moment in (now, now + LONG, now + LONG):
        assert run_in_threads(*[lambda at=moment: alerts.review(now=at)] * 4) == []
    assert sent == ["[Lab Portal] Building A is not responding"]
    assert Alert.objects.count() == AlertMessage.objects.filter(state="sent").count() == 1


def counting(sent: list[str]) -> Callable[..., int]:
    def send_messages(self: Any, letters: Any) -> int:
        found = [letter.subject for letter in letters]
        sent.extend(found)
        return len(found)

    return send_messages


@pytest.mark.django_db
def test_nobody_is_told_where_nobody_is_named(building_a: Lab, watch: Watch):
    fall_silent()
    with override_settings(ALERT_MAIL_TO=[]):
        assert watch.after() == []
    assert Alert.objects.open().count() == 1
    assert not AlertMessage.objects.exists()


@pytest.mark.django_db
def test_old_alerts_are_dropped(building_a: Lab, watch: Watch):
    fall_silent()
    watch.after()
    answer()
    watch.after()
    Alert.objects.update(closed_at=ago(days=91))
    assert alerts.prune()
    assert not Alert.objects.exists()
