"""Alerts about the issues of clusters: opened when one has lasted, closed when it has been over as long."""

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import stored_messages
from vms import registry
from vms.models import Alert
from vms.monitoring import health_checks, notifications
from vms.monitoring.health_checks import Issue

logger = logging.getLogger(__name__)


def review(*, now: datetime | None = None) -> None:
    """Compare the health checks with the alerts, and send notifications. Any number of workers may do it."""
    now = now or timezone.now()
    with registry.resolved_once():
        if registry.state().is_fallback:
            return  # the checks read the database, which is not the source of clusters
    every_cluster = health_checks.gather()
    unfinished = {(alert.cluster_id, alert.kind): alert for alert in Alert.objects.unfinished()}
    for facts in every_cluster:
        issues = health_checks.check(facts, now)
        for kind in Alert.Kind:
            alert = unfinished.pop((facts.cluster.cluster_id, kind), None)
            _update(facts.cluster.cluster_id, kind, alert, issues, now)
    for alert in unfinished.values():
        _forget(alert, now)
    notifications.send_due(now)


def debounce() -> timedelta:
    """The time that an issue, or its end, has to last before anybody is notified. A shorter one is noise."""
    return timedelta(seconds=settings.ALERT_HOLD)


def prune() -> int:
    """Delete old closed alerts. Returns how many rows."""
    return int(Alert.objects.prune(before=timezone.now() - Alert.KEPT))


def _update(cluster_id: str, kind: str, alert: Alert | None, issues: dict[str, Issue | None], now: datetime) -> None:
    issue = issues.get(kind)
    if issue and alert is None:
        _create(cluster_id, kind, issue, now)
    elif alert and alert.opened_at is None:
        _open_or_drop(alert, issue, now)
    elif alert and issue and alert.quiet_since:
        Alert.objects.filter(pk=alert.pk).update(quiet_since=None)
    elif alert and kind in issues and not issue:
        _close_debounced(alert, now)


def _create(cluster_id: str, kind: str, issue: Issue, now: datetime) -> None:
    try:
        with transaction.atomic():
            Alert.objects.create(
                cluster_id=cluster_id,
                kind=kind,
                since=issue.since,
                seen_at=now,
                **stored_messages.columns("text", issue.text, most=500),
            )
    except IntegrityError:
        # Another worker was faster, or the cluster was deleted meanwhile.
        logger.debug("%s: %s was recorded by another process.", cluster_id, kind)


def _open_or_drop(alert: Alert, issue: Issue | None, now: datetime) -> None:
    if issue is None:
        Alert.objects.unfinished().filter(pk=alert.pk, opened_at=None).delete()
    elif now - alert.seen_at >= debounce() and alert.open(
        now, text=issue.text, since=issue.since, channels=notifications.channels()
    ):
        logger.warning("%s: %s", alert.cluster_id, stored_messages.english(issue.text))


def _close_debounced(alert: Alert, now: datetime) -> None:
    if alert.quiet_since is None:
        Alert.objects.open().filter(pk=alert.pk, quiet_since=None).update(quiet_since=now)
    elif now - alert.quiet_since >= debounce() and alert.close(now, channels=notifications.channels()):
        logger.warning("%s: no longer: %s.", alert.cluster_id, alert.get_kind_display())


def _forget(alert: Alert, now: datetime) -> None:
    """Close the alert of a cluster that was switched off. That is no recovery, so nobody is notified."""
    if alert.opened_at is None:
        Alert.objects.unfinished().filter(pk=alert.pk, opened_at=None).delete()
    else:
        alert.close(now, channels=[])
