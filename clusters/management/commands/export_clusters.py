from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from accounts.database_errors import PlainCommand
from accounts.encrypted_fields import SecretUnreadable
from clusters import exporting
from clusters.config import ClusterFileError, inspect
from clusters.exporting import Secrecy
from clusters.models import Cluster


class Command(PlainCommand):
    help = (
        "Write all clusters in the format of clusters.json, without secrets unless asked for. An encrypted file "
        "can be imported, and used as the second source, by an installation that has the same FIELD_ENCRYPTION_KEY."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--sealed", action="store_true", help="with secrets, encrypted with FIELD_ENCRYPTION_KEY")
        how.add_argument("--plaintext", action="store_true", help="with unencrypted secrets; asks for confirmation")
        parser.add_argument("--output", type=Path, help="write to this file (mode 0600) instead of the terminal")
        parser.add_argument("--no-input", action="store_true", help="do not ask for confirmation")

    def handle(self, *, sealed: bool, plaintext: bool, output: Path | None, no_input: bool, **options: Any) -> None:
        secrecy = Secrecy.SEALED if sealed else Secrecy.PLAINTEXT if plaintext else Secrecy.LEFT_OUT
        if plaintext and not no_input:
            self._confirm()
        clusters = list(Cluster.objects.order_by("cluster_id"))
        try:
            text = exporting.document(clusters, secrecy)
            # What nobody could read back is no second source. Without secrets, entries lack what an import needs.
            read = inspect(text.encode(), source="The clusters")
            if secrecy is not Secrecy.LEFT_OUT:
                read.strictly()
        except SecretUnreadable as error:
            raise CommandError(str(error)) from error
        except ClusterFileError as error:
            raise CommandError(f"{error}\nNothing was written. Correct the cluster under /admin/clusters/.") from error
        if output is None:
            self.stdout.write(text, ending="")
            return
        try:
            exporting.write(output, text)
        except OSError as error:
            raise CommandError(f"{output} cannot be written ({error.strerror}).") from error
        self.stdout.write(f"{len(clusters)} clusters written to {output}, secrets {secrecy}.")

    def _confirm(self) -> None:
        self.stderr.write("The output will contain the passwords of all clusters, readable by anybody.")
        if input("Type “plaintext” to continue: ").strip() != "plaintext":
            raise CommandError("Nothing was written.")
