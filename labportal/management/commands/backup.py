from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from labportal import backups


class Command(BaseCommand):
    help = (
        "Write the whole database to one file while the portal keeps running. The file does not contain "
        "FIELD_ENCRYPTION_KEY and SECRET_KEY: keep a copy of them elsewhere."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        name = f"lab-portal-{timezone.now():%Y%m%d-%H%M%S}.tar.gz"
        parser.add_argument("file", nargs="?", type=Path, default=Path(name), help=f"default: {name}")

    def handle(self, *, file: Path, **options: Any) -> None:
        try:
            manifest = backups.make(file.absolute(), version=settings.VERSION)
        except backups.BackupError as error:
            raise CommandError(str(error)) from None
        size = file.stat().st_size / 1024
        self.stdout.write(f"{file}: {manifest.database}, {size:,.0f} KiB. Its credentials can be read only with")
        self.stdout.write("FIELD_ENCRYPTION_KEY. Keep a copy of the key, apart from the backups.")
