import signal
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand

from vms.worker import Worker


class Command(BaseCommand):
    help = "Keep machines up to date and carry out what people request. Run at least one, anywhere."

    def get_check_kwargs(self, options: dict[str, Any]) -> Any:
        """Also what only the database can tell, such as a wrong key."""
        return super().get_check_kwargs(options) | {"databases": ["default"]}

    def handle(self, **options: Any) -> None:
        worker = Worker()

        def stop(number: int, frame: FrameType | None) -> None:
            worker.stopping.set()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        self.stdout.write("The worker runs. Ctrl-C finishes what is under way and stops.")
        worker.run()
