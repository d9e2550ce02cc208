import os
import signal
import threading
from argparse import ArgumentParser
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from vms.worker import Worker
from vms.worker.process import THREADS


class Command(BaseCommand):
    help = "Keep machines up to date and carry out what people request. Run at least one, anywhere."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--threads",
            type=int,
            default=THREADS["clusters"],
            choices=range(1, 101),
            metavar="N",
            help="how many clusters are synced at the same time (default: %(default)s); a third as many threads more "
            "carry out operations",
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
        worker = Worker(threads={"operations": max(1, threads // 3), "clusters": threads})

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
