from pathlib import Path
from typing import Any

from django.core import checks
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.urls import reverse

from labportal import backups
from vms import automation


class Command(BaseCommand):
    help = "Restore a backup. Stop the web server and the workers first. Everybody must log in again afterwards."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--replace", action="store_true", help="delete the current content of the database")
        parser.add_argument(
            "--unverified", action="store_true", help="even if the backup was made with another key or changed since"
        )

    def handle(self, *, file: Path, replace: bool, unverified: bool, **options: Any) -> None:
        try:
            manifest = backups.put_back(file.absolute(), replace=replace, unverified=unverified)
        except backups.BackupError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(
            f"Restored: {manifest.database} of {manifest.made_at}, written by version {manifest.version}."
        )
        self._tell_what_is_wrong()
        call_command("migrate", verbosity=0)
        automation.hold(automation.Reason.RESTORED)
        self.stdout.write(
            "The database is up to date. Next: bin/serve. Until an administrator confirms it on the page "
            f"{reverse('vms-automation')}, the portal starts, stops, makes and removes no machines."
        )

    def _tell_what_is_wrong(self) -> None:
        """Above all a wrong key, and a database of a newer version."""
        found = [message for message in checks.run_checks(databases=["default"]) if message.level >= checks.ERROR]
        if found:
            told = "\n".join(f"{message.msg} {message.hint or ''}".strip() for message in found)
            raise CommandError(f"The database is restored, but cannot be used yet:\n{told}")
