"""Bring a clusters.json into the database: new entries in, existing and deleted ones left alone, all or nothing."""

from dataclasses import dataclass, replace
from pathlib import Path

from django.conf import settings
from django.db import IntegrityError, transaction

from clusters.config import ClusterConfig, read_file, settle_default
from clusters.models import Adoption, Cluster, DeletedCluster


@dataclass(frozen=True)
class Report:
    """Cluster IDs by what became of them, and what had to be decided."""

    created: tuple[str, ...] = ()
    existing: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


def find_file() -> Path:
    """The configured file, else where the predecessor kept its own. The configured one if none exists."""
    candidates = [Path(settings.CLUSTER_CONFIG_FILE), Path("clusters.json"), Path("app/clusters.json")]
    return next((path for path in candidates if path.exists()), candidates[0])


def import_file(path: Path, *, restore: bool = False) -> Report:
    """Import what is new. Raises `FileNotFoundError` or `ClusterFileError`, and then nothing was changed.

    `restore` also brings back what was deleted in the portal.
    """
    configs, notices = settle_default(read_file(path))
    try:
        report = _import(configs, restore=restore)
    except IntegrityError:  # somebody added one of them at the same moment; now it is there
        report = _import(configs, restore=restore)
    return replace(report, notices=(*notices, *report.notices))


def _import(configs: list[ClusterConfig], *, restore: bool) -> Report:
    with transaction.atomic():
        if configs:
            _wait_for_other_imports()
        # Locked in the order of make_default(), so that it waits for this and this for it.
        existing = set(Cluster.objects.select_for_update().order_by("pk").values_list("cluster_id", flat=True))
        buried = set() if restore else set(DeletedCluster.objects.values_list("cluster_id", flat=True))
        new = [c for c in configs if c.cluster_id not in existing | buried]
        new, kept = _yield_default(new)
        for config in new:
            _create(config)
    return Report(
        created=tuple(c.cluster_id for c in new),
        existing=tuple(c.cluster_id for c in configs if c.cluster_id in existing),
        deleted=tuple(c.cluster_id for c in configs if c.cluster_id in buried - existing),
        notices=tuple(kept),
    )


def _wait_for_other_imports() -> None:
    """Two at once would both find an entry to be new, or each wait for what the other has just added."""
    Adoption.objects.get_or_create(pk=Adoption.ONLY)
    Adoption.objects.select_for_update().get(pk=Adoption.ONLY)


def _yield_default(new: list[ClusterConfig]) -> tuple[list[ClusterConfig], list[str]]:
    """The default of the database wins over the one of the file."""
    present = Cluster.objects.default()
    wanted = next((config for config in new if config.is_default), None)
    if not present or not wanted:
        return new, []
    notice = f"{present.cluster_id} stays the default; the file's ({wanted.cluster_id}) does not replace it."
    return [replace(config, is_default=False) for config in new], [notice]


def _create(config: ClusterConfig) -> None:
    Cluster.objects.create(
        cluster_id=config.cluster_id,
        name=config.name,
        host=config.host,
        port=config.port,
        user=config.user,
        password=config.password,
        token_id=config.token_id,
        token_secret=config.token_secret,
        verify_ssl=config.verify_ssl,
        ca_certificate=config.ca_certificate,
        fingerprint=config.fingerprint,
        is_default=config.is_default,
        is_active=config.is_active,
    )
