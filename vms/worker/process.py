"""One worker: a loop that takes jobs, a pool of threads for each queue, and a thread that makes jobs."""

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

from django.db import Error as DatabaseError
from django.db import connections

from vms.worker import backends
from vms.worker.heartbeat import Beat

logger = logging.getLogger(__name__)

# Conversations with clusters at once. One that hangs occupies one of them until the gateway's deadline.
THREADS = {"operations": 8, "clusters": 24}

# Seconds until the next look for jobs: after one, after none, and while there is no room for any.
BUSY, IDLE, FULL = 0.0, 0.2, 0.05

# What runs gets so long to finish (seconds). Rows and their leases take care of the rest.
DRAIN = 40.0


class Pool:
    """A bounded number of jobs at once."""

    def __init__(self, name: str, size: int) -> None:
        self._executor = ThreadPoolExecutor(size, thread_name_prefix=name)
        self._size = size
        self._running: set[Future[None]] = set()

    @property
    def has_room(self) -> bool:
        self._running = {future for future in self._running if not future.done()}
        return len(self._running) < self._size

    def start(self, run: Callable[[], object]) -> None:
        self._running.add(self._executor.submit(_with_own_connection, run))

    def finish(self, timeout: float) -> bool:
        """Wait for what runs. False when some of it goes on."""
        return not wait(self._running, timeout=timeout).not_done

    def close(self) -> None:
        self._executor.shutdown(wait=False)


class Worker:
    """Runs until it is stopped. Several may run, on several hosts: rows are claimed by conditional updates."""

    def __init__(self, *, threads: dict[str, int] | None = None) -> None:
        self.name = f"{socket.gethostname()[:50]}-{os.getpid()}-{secrets.token_hex(3)}"
        self.stopping = threading.Event()
        self.beat = Beat(self.name)
        self._engine = backends.chosen(self.name)
        self._pools = {queue: Pool(queue, size) for queue, size in (threads or THREADS).items()}

    def run(self) -> bool:
        """Work until `stopping` is set; then finish what runs. False when some of it takes too long."""
        beating = threading.Thread(target=self._repeat, args=(self.beat.turn,), name="beat")
        beating.start()
        self._repeat(self._take)
        beating.join()
        drained = self.finish(timeout=DRAIN)
        for pool in self._pools.values():
            pool.close()
        self._say_goodbye()
        return drained

    def turn(self) -> None:
        """What is due now, once, in this thread: make jobs, and start those that there are."""
        self.beat.turn(everything=True)
        while self._take() == BUSY:
            pass

    def finish(self, *, timeout: float = 30) -> bool:
        """Wait for what was started."""
        ends = time.monotonic() + timeout
        return all(pool.finish(max(0.0, ends - time.monotonic())) for pool in self._pools.values())

    def _take(self) -> float:
        """Start a job if there is one, and room for it. Returns after how many seconds to look again."""
        free = [queue for queue, pool in self._pools.items() if pool.has_room]
        job = self._engine.take(free) if free else None
        if job is None:
            return IDLE if free else FULL
        self._pools[job.queue].start(job.run)
        return BUSY

    def _repeat(self, work: Callable[[], float]) -> None:
        away = False
        while not self.stopping.is_set():
            try:
                pause = work()
                if away:
                    logger.warning("The database and the engine answer again.")
                away = False
            except self._engine.outages as error:
                if not away:
                    logger.error("The worker's database or engine does not answer; it tries again: %s", error)
                away, pause = True, 2.0
                connections.close_all()
            except Exception:
                logger.exception("The worker stumbled and goes on.")
                pause = 2.0
            self.stopping.wait(pause)
        connections.close_all()

    def _say_goodbye(self) -> None:
        try:
            self.beat.end()
        except DatabaseError:
            logger.warning("The worker ends without a word: the database is away.")
        finally:
            connections.close_all()


def _with_own_connection(run: Callable[[], object]) -> None:
    try:
        run()
    except Exception:
        logger.exception("A job could not be carried out.")
    finally:
        connections.close_all()
