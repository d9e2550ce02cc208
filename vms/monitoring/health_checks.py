"""Health checks: the issues of each cluster, the same for pages, probes and notifications."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.formats import date_format

from clusters.models import SECRETS, Cluster, ClusterHealth, LoginState
from vms.models import Alert, ClusterSync, CredentialEnd
from vms.sentences import say

Kind = Alert.Kind

# The machines are stale when the last applied sync is older than so many intervals, and than this.
LATE_READS = 10
LATE_AFTER = timedelta(minutes=5)

# So many failed syncs in a row are an issue: a single one is not.
FAILURES = 2


@dataclass(frozen=True)
class Facts:
    """A cluster and what is known about it. None was never asked for."""

    cluster: Cluster
    health: ClusterHealth | None
    sync: ClusterSync | None
    login: LoginState | None
    end: CredentialEnd | None

    @property
    def answers(self) -> bool:
        return self.health is not None and self.health.ok

    @property
    def every(self) -> timedelta:
        return (self.sync or ClusterSync()).every

    @property
    def synced_at(self) -> datetime | None:
        return self.sync.synced_at if self.sync else None

    def late_since(self, now: datetime) -> datetime | None:
        """Since when the machines are stale, if the cluster answers."""
        # A cluster that was just added, changed or switched on gets its time, too.
        fresh = max(self.synced_at or self.cluster.created_at, self.cluster.updated_at)
        late = fresh + max(LATE_READS * self.every, LATE_AFTER)
        return late if self.answers and late <= now else None

    @property
    def rejected(self) -> bool:
        return self.login is not None and self.login.rejected_version == self.cluster.credential_version

    @property
    def read_token_rejected(self) -> bool:
        version = self.cluster.credential_version
        return self.login is not None and self.login.rejected_read_version == version

    @property
    def known_expiry(self) -> CredentialEnd | None:
        """The expiry of the current credentials, if it is known."""
        is_of_these = self.end is not None and self.end.credential_version == self.cluster.credential_version
        return self.end if is_of_these else None


def gather() -> list[Facts]:
    """The facts of all active clusters, the default first, in two queries. Secrets are not read."""
    rows = Cluster.objects.active().select_related("health", "sync", "credential_end").defer(*SECRETS)
    logins = {login.pk: login for login in LoginState.objects.filter(cluster__is_active=True)}
    return [
        Facts(
            cluster=row,
            health=getattr(row, "health", None),
            sync=getattr(row, "sync", None),
            login=logins.get(row.pk),
            end=getattr(row, "credential_end", None),
        )
        for row in rows
    ]


@dataclass(frozen=True)
class Issue:
    since: datetime
    text: str


def check(facts: Facts, now: datetime) -> dict[str, Issue | None]:
    """The issues of a cluster by kind; None for one that it certainly has not. A kind that is unknown is left out."""
    found: dict[str, Issue | None] = {}
    if facts.answers:
        found |= dict.fromkeys((Kind.DOWN, Kind.CERTIFICATE, Kind.CREDENTIAL, Kind.READ_TOKEN, Kind.STALE))
    elif facts.health and facts.health.failing_since:
        found |= _silence(facts.health, facts.sync)
    found |= _rejections(facts, now)
    if since := facts.late_since(now):
        found[Kind.STALE] = Issue(since, _stale_text(facts))
    if end := facts.known_expiry:
        found[Kind.EXPIRY] = _ending(facts, end, now)
    return found


def _silence(health: ClusterHealth, sync: ClusterSync | None) -> dict[str, Issue | None]:
    since = health.failing_since or health.checked_at
    if health.kind.startswith("Certificate"):
        return {Kind.CERTIFICATE: Issue(since, health.rendered_problem)}
    if health.kind == "LoginRejected" or not sync or sync.failures < FAILURES:
        return {}
    return {Kind.DOWN: Issue(since, health.rendered_problem)}


def _rejections(facts: Facts, now: datetime) -> dict[str, Issue]:
    health = facts.health
    since = health.failing_since if health and health.failing_since else now
    how = say("enter-valid-one")
    found = {}
    if facts.rejected:
        found[Kind.CREDENTIAL] = Issue(since, say("alert-credential", how=how))
    if facts.read_token_rejected:
        found[Kind.READ_TOKEN] = Issue(since, say("alert-read-token", how=how))
    return {str(kind): issue for kind, issue in found.items()}


def _stale_text(facts: Facts) -> str:
    why = (facts.sync.why_stale if facts.sync else "") or say("look-at-worker")
    return say("alert-stale", why=why)


def _ending(facts: Facts, end: CredentialEnd, now: datetime) -> Issue | None:
    soon = [(at, name) for at, name in _ends(facts.cluster, end) if at - now <= CredentialEnd.WARN_BEFORE]
    if not soon:
        return None
    told = [say("ends-on", name=name, day=at) for at, name in soon]
    first = min(at for at, _ in soon)
    return Issue(
        first - CredentialEnd.WARN_BEFORE,
        say("alert-expiry", told=told[0] if len(told) == 1 else say("both", one=told[0], other=told[1])),
    )


def _ends(cluster: Cluster, end: CredentialEnd) -> Iterable[tuple[datetime, str]]:
    if end.ends_at:
        yield (
            end.ends_at,
            say("of-api-token", token_id=cluster.token_id)
            if cluster.token_id
            else say("of-account", user=cluster.user),
        )
    if end.read_token_ends_at:
        yield (
            end.read_token_ends_at,
            say("of-named-read-only-token", read_token_id=cluster.read_token_id),
        )


def day(moment: datetime) -> str:
    return date_format(timezone.localtime(moment), "Y-m-d")
