import os
import signal
import threading
from argparse import ArgumentParser
from types import FrameType
from typing import Any

from django.core.checks import Tags
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from vms.worker import Worker
from vms.worker.process import THREADS

# Seconds that a job waits for SQLite's other writers, who get their turn in no order. A page gives up sooner, and says
# so to somebody who tries again; a job would have failed.
PATIENCE = 30.0


def wait_longer_for_writers() -> None:
    """In all connections that this process opens from now on."""
    if connection.vendor == "sqlite":
        options = connection.settings_dict["OPTIONS"]
        options["timeout"] = max(PATIENCE, options.get("timeout", 0.0))
        connection.close()


class Command(BaseCommand):
    # Not those of URLs, CSRF and the admin: a worker would import all pages for them, a third of its memory.
    requires_system_checks = [Tags.database, "portal"]
    help = "Keep machines up to date and carry out what people request. Run at least one, anywhere."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--threads",
            type=int,
            default=THREADS["clusters"],
            choices=range(1, 101),
            metavar="N",
            help="how many clusters are synced at the same time (default: %(default)s); a third as many threads more "
            "carry out operations, and a quarter as many read details of machines",
        )

    def get_check_kwargs(self, options: dict[str, Any]) -> Any:
        """Also run the checks that need the database, such as that of a wrong key."""
        return super().get_check_kwargs(options) | {"databases": ["default"]}

    def handle(self, *, threads: int, **options: Any) -> None:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            raise CommandError(
                "The database is not up to date. Run: bin/manage migrate "
                "(first back up a database in use: bin/manage backup)"
            )
        wait_longer_for_writers()
        sizes = {"operations": max(1, threads // 3), "clusters": threads, "details": max(1, threads // 4)}
        worker = Worker(threads=sizes)

        signals: list[int] = []

        def stop(number: int, frame: FrameType | None) -> None:
            if signals:
                os._exit(1)  # the second signal ends it at once
            signals.append(number)
            # In a thread, because the interrupted one may hold the event's lock.
            threading.Thread(target=worker.stopping.set).start()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        self.stdout.write("The worker is running. Ctrl-C finishes the work in progress and stops it.")
        if not worker.run():
            self.stderr.write("Some work did not finish in time. Another worker will continue it.")
            os._exit(0)  # the threads would be waited for
