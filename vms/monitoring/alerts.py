"""Tell administrators of a cluster's troubles: once when one has lasted, and once when it has been over as long."""

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from vms import registry
from vms.models import Alert
from vms.monitoring import health_checks, notifications
from vms.monitoring.health_checks import Trouble

logger = logging.getLogger(__name__)


def review(*, now: datetime | None = None) -> None:
    """Compare the facts with what was told, and send what is to be sent. Any number of workers may do it."""
    now = now or timezone.now()
    with registry.resolved_once():
        if registry.state().is_fallback:
            return  # the facts are not those of the clusters that are used
    everything = health_checks.gather()
    unfinished = {(alert.cluster_id, alert.kind): alert for alert in Alert.objects.unfinished()}
    for facts in everything:
        troubles = health_checks.of(facts, now)
        for kind in Alert.Kind:
            alert = unfinished.pop((facts.cluster.cluster_id, kind), None)
            _settle(facts.cluster.cluster_id, kind, alert, troubles, now)
    for alert in unfinished.values():
        _forget(alert, now)
    notifications.send_due(now)


def hold() -> timedelta:
    """How long a trouble, or its end, has to last before it is told. What comes and goes faster says nothing new."""
    return timedelta(seconds=settings.ALERT_HOLD)


def prune() -> int:
    """Drop alerts that were over long ago; returns how many rows went."""
    return int(Alert.objects.prune(before=timezone.now() - Alert.KEPT))


def _settle(
    cluster_id: str, kind: str, alert: Alert | None, troubles: dict[str, Trouble | None], now: datetime
) -> None:
    trouble = troubles.get(kind)
    if trouble and alert is None:
        _notice(cluster_id, kind, trouble, now)
    elif alert and alert.opened_at is None:
        _tell_or_drop(alert, trouble, now)
    elif alert and trouble and alert.quiet_since:
        Alert.objects.filter(pk=alert.pk).update(quiet_since=None)
    elif alert and kind in troubles and not trouble:
        _end(alert, now)


def _notice(cluster_id: str, kind: str, trouble: Trouble, now: datetime) -> None:
    try:
        with transaction.atomic():
            Alert.objects.create(
                cluster_id=cluster_id, kind=kind, text=trouble.text[:500], since=trouble.since, seen_at=now
            )
    except IntegrityError:
        # Another worker was faster, or the cluster was deleted meanwhile.
        logger.debug("%s: %s was noticed by another.", cluster_id, kind)


def _tell_or_drop(alert: Alert, trouble: Trouble | None, now: datetime) -> None:
    if trouble is None:
        Alert.objects.unfinished().filter(pk=alert.pk, opened_at=None).delete()
    elif now - alert.seen_at >= hold() and alert.open(
        now, text=trouble.text, since=trouble.since, channels=notifications.channels()
    ):
        logger.warning("%s: %s", alert.cluster_id, trouble.text)


def _end(alert: Alert, now: datetime) -> None:
    if alert.quiet_since is None:
        Alert.objects.open().filter(pk=alert.pk, quiet_since=None).update(quiet_since=now)
    elif now - alert.quiet_since >= hold() and alert.close(now, channels=notifications.channels()):
        logger.warning("%s: no longer: %s.", alert.cluster_id, alert.get_kind_display())


def _forget(alert: Alert, now: datetime) -> None:
    """The cluster was switched off: that is no recovery, so nobody is told."""
    if alert.opened_at is None:
        Alert.objects.unfinished().filter(pk=alert.pk, opened_at=None).delete()
    else:
        alert.close(now, channels=[])
