import getpass
import os
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from clusters import audit, importing
from clusters.config import ClusterFileError


class Command(BaseCommand):
    help = (
        "Import clusters.json into the database. Existing clusters stay as they are, the file is kept, and the "
        "command may be run as often as one likes. Missing migrations are applied first. Exit code 1: nothing changed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "file",
            nargs="?",
            type=Path,
            help="default: CLUSTER_CONFIG_FILE, clusters.json, app/clusters.json",
        )
        parser.add_argument("--restore", action="store_true", help="also bring back clusters deleted in the portal")

    def handle(self, *, file: Path | None, restore: bool, **options: Any) -> None:
        path = file or importing.find_file()
        self._migrate()
        try:
            with audit.acting_as(f"cli:{_system_user()}"):
                report = importing.import_file(path, restore=restore)
        except FileNotFoundError:
            raise CommandError(f"There is no file {path}. Name one: manage.py import_clusters FILE") from None
        except ClusterFileError as error:
            raise CommandError(f"{error}\nNothing was imported. Correct the file and run the command again.") from None
        self._tell(path, report)

    def _migrate(self) -> None:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            self.stdout.write("Applying missing migrations.")
            call_command("migrate", interactive=False, verbosity=0)

    def _tell(self, path: Path, report: importing.Report) -> None:
        for notice in report.notices:
            self.stdout.write(f"Notice: {notice}")
        for cluster_id in report.created:
            self.stdout.write(f"  created   {cluster_id}")
        for cluster_id in report.existing:
            self.stdout.write(f"  existing  {cluster_id}")
        for cluster_id in report.deleted:
            self.stdout.write(f"  deleted   {cluster_id} (was deleted in the portal; --restore brings it back)")
        skipped = len(report.existing) + len(report.deleted)
        self.stdout.write(f"{len(report.created)} created, {skipped} skipped. {path} was kept.")
        if report.created:
            self.stdout.write(
                "Next: look at the clusters under /admin/clusters/, then move the file to a safe place: "
                "it holds passwords in the clear."
            )


def _system_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
