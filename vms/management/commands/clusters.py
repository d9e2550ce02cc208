from typing import Any

from django.core.management.base import CommandError, CommandParser

from accounts.database_errors import PlainCommand
from clusters import importing, proxmox
from clusters.config import ClusterConfig
from vms import registry


class Command(PlainCommand):
    help = (
        "List the active clusters and where they come from, or test the connection of one (without an ID: the default)."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True)
        commands.add_parser("list", help="list the clusters and their source")
        commands.add_parser("test", help="ask a cluster for its version").add_argument("cluster_id", nargs="?")

    def handle(self, *, command: str, cluster_id: str | None = None, **options: Any) -> None:
        with registry.resolved_once():
            self._write_source()
            if command == "list":
                self._list()
            else:
                self._test(cluster_id)

    def _write_source(self) -> None:
        state = registry.state()
        where = f": {importing.find_file()}" if state.source is registry.Source.FILE else ""
        self.stdout.write(f"Source: {state.source}" + (f" ({state.reason}){where}" if state.is_fallback else ""))
        for notice in state.notices:
            self.stderr.write(f"Notice: {notice}")

    def _list(self) -> None:
        for config in registry.clusters():
            mark = "  (default)" if config.is_default else ""
            self.stdout.write(f"{config.cluster_id:20} {config.name:30} {config.host}:{config.port}{mark}")
        if not registry.clusters():
            self.stdout.write("No active cluster.")

    def _test(self, cluster_id: str | None) -> None:
        config = self._cluster(cluster_id)
        try:
            found = proxmox.diagnose(config)
        except proxmox.ProxmoxError as error:
            raise CommandError(f"{config.name}: {error.plain}") from error
        nodes = "1 node" if len(found.nodes) == 1 else f"{len(found.nodes)} nodes"
        self.stdout.write(
            f"{config.name}: Proxmox VE {found.version}, {nodes}, {found.seconds * 1000:.0f} ms, "
            f"certificate: {config.trust}"
        )

    def _cluster(self, cluster_id: str | None) -> ClusterConfig:
        if cluster_id:
            try:
                return registry.get(cluster_id)
            except registry.UnknownCluster:
                raise CommandError(
                    f"There is no active cluster “{cluster_id}”. See: bin/manage clusters list"
                ) from None
        if default := registry.default():
            return default
        raise CommandError("There is no default cluster. Name one: bin/manage clusters test ID")
