import getpass
import json
import os
import shlex
import sys
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import CommandError, CommandParser
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from accounts import audit
from accounts.database_errors import PlainCommand
from clusters import importing
from clusters.config import ClusterFile, ClusterFileError, inspect, read_bytes
from clusters.importing import ClusterPlan, ClusterReason, Options

PARTLY = 3


class Command(PlainCommand):
    help = (
        "Import clusters.json into the database. Existing and deleted clusters stay as they are, the file is kept, "
        "and the command can be run repeatedly. Missing migrations are applied first. Exit codes: 0 done "
        "(also when there was nothing to do), 1 refused and nothing changed, 2 wrong usage, 3 with --partial some "
        "entries were left out."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "file", nargs="?", type=Path, help="default: CLUSTER_CONFIG_FILE, clusters.json, app/clusters.json"
        )
        parser.add_argument("--dry-run", action="store_true", help="print the plan and change nothing")
        parser.add_argument("--partial", action="store_true", help="import the valid entries and list the others")
        parser.add_argument("--restore", action="store_true", help="also bring back clusters deleted in the portal")
        parser.add_argument("--update", action="store_true", help="also apply differences to existing clusters")
        parser.add_argument(
            "--update-secrets", action="store_true",
            help="with --update: also where addresses, user, trust or the credential differ",
        )  # fmt: skip
        parser.add_argument(
            "--json", action="store_true", help="print the plan as JSON, with an outcome for each entry"
        )

    def handle(self, *, file: Path | None, dry_run: bool, **options: Any) -> None:
        path = file or importing.find_file()
        wanted = Options(**{name: options[name] for name in ("partial", "restore", "update", "update_secrets")})
        if wanted.update_secrets and not wanted.update:
            raise CommandError("--update-secrets needs --update.", returncode=2)
        try:
            content = read_bytes(path)
            read = inspect(content, source=str(path))
            self._migrate(dry_run=dry_run)
            plan = importing.plan(read, wanted) if dry_run else self._import(content, path, wanted)
        except FileNotFoundError:
            raise CommandError(f"There is no file {path}. Name one: bin/manage import_clusters FILE") from None
        except ClusterFileError as error:
            raise CommandError(f"{error}\nNothing was imported. Correct the file and run the command again.") from None
        if options["json"]:
            self.stdout.write(json.dumps(plan.as_json(), indent=2, ensure_ascii=False))
        else:
            self._tell(plan, dry_run=dry_run)
        if plan.is_refused:
            raise CommandError("Nothing was imported. Correct the file, or see --partial and --update-secrets.")
        if not options["json"]:
            self._sum_up(plan, read, dry_run=dry_run)
        if plan.problems:
            sys.exit(PARTLY)

    def _migrate(self, *, dry_run: bool) -> None:
        executor = MigrationExecutor(connection)
        if not executor.migration_plan(executor.loader.graph.leaf_nodes()):
            return
        if dry_run:
            raise CommandError("The database lacks migrations, so nothing can be compared yet. Run: bin/manage migrate")
        self.stdout.write("Applying missing migrations.")
        call_command("migrate", interactive=False, verbosity=0)

    def _import(self, content: bytes, path: Path, options: Options) -> ClusterPlan:
        with audit.acting_as(f"cli:{system_user()}"):
            return importing.import_content(content, source=str(path), options=options)

    def _tell(self, plan: ClusterPlan, *, dry_run: bool) -> None:
        for notice in plan.notices:
            self.stdout.write(f"Notice: {notice}")
        rows = [row for row in plan.rows if dry_run or row.reason is not ClusterReason.INVALID]
        for line in importing.table(rows):
            self.stdout.write(line)
        for problem in () if dry_run else plan.problems:
            self.stderr.write(f"{plan.source}: {problem}")

    def _sum_up(self, plan: ClusterPlan, file: ClusterFile, *, dry_run: bool) -> None:
        self.stdout.write(_summary(plan, dry_run=dry_run))
        if file.has_plaintext and not dry_run and not plan.problems:
            self.stdout.write(_next_step(Path(plan.source).absolute()))


def _next_step(path: Path) -> str:
    lines = [
        "Next: look at the clusters under /admin/clusters/. Then remove the passwords from the file:",
        f"  bin/manage export_clusters --sealed --output {shlex.quote(str(path))}",
    ]
    if path != importing.find_file():
        lines.append(f"To use the file while the database is unavailable, put CLUSTER_CONFIG_FILE={path} into .env.")
    return "\n".join(lines)


def _summary(plan: ClusterPlan, *, dry_run: bool) -> str:
    created, updated = len(plan.of(ClusterReason.NEW)), len(plan.of(ClusterReason.UPDATED))
    skipped = len(plan.rows) - created - updated - len(plan.of(ClusterReason.INVALID))
    entries = {problem.entry for problem in plan.problems}
    left_out = f", {len(entries)} left out" if entries else ""
    would = "Would be: " if dry_run else ""
    after = "Nothing was changed." if dry_run else f"{plan.source} was kept."
    return f"{would}{created} created, {updated} updated, {skipped} skipped{left_out}. {after}"


def system_user() -> str:
    """The user who runs the command, for the audit trail."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
