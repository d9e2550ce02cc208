import sys
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from accounts import audit
from accounts.database_errors import PlainCommand
from clusters import keys
from clusters.management.commands.import_clusters import system_user


class Command(PlainCommand):
    help = (
        "Encrypt every credential with the first key of FIELD_ENCRYPTION_KEY. The order: put the new key in front, "
        "restart all processes, run this, remove the old key, restart. --check counts what each key reads; exit code 1 "
        "while something still needs an older key."
    )
    requires_system_checks = []  # the checks complain about what this repairs

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="count, change nothing")

    def handle(self, *, check: bool, **options: Any) -> None:
        if not check:
            try:
                with audit.acting_as(f"cli:{system_user()}"):
                    changed = keys.rotate()
            except keys.RotationRefused as error:
                raise CommandError(f"{error} Nothing was changed.") from error
            self.stdout.write(f"{changed} credentials encrypted again with the newest key.")
        counts = keys.count()
        for key, number in sorted(counts.items()):
            name = (
                "no key: unreadable" if key == keys.UNREADABLE else f"key {key + 1}" + (" (newest)" if key == 0 else "")
            )
            self.stdout.write(f"  {number:4} {name}")
        if sum(counts.values()) != counts[0]:
            self.stdout.write("Older keys are still needed.")
            sys.exit(1)
        older = len(settings.FIELD_ENCRYPTION_KEY) > 1
        next_step = " Remove the others from FIELD_ENCRYPTION_KEY and restart." if older else ""
        self.stdout.write(f"Only the newest key is needed.{next_step}")
