"""One worker: a loop that takes jobs, a thread pool for each queue, and a thread for the heartbeat."""

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from vms.provisioning import running
from vms.worker import backends
from vms.worker.heartbeat import Heartbeat

logger = logging.getLogger(__name__)

# Jobs at once, by queue. A cluster that hangs occupies a thread until the gateway's deadline. The details of machines
# of 100 clusters are due at once: in the queue of the syncs they delayed a tenth of these by three seconds.
THREADS = {"operations": 8, "clusters": 24, "details": 6}

# Seconds until the next attempt to take a job: after one, after none, and while every thread is busy.
BUSY, IDLE, FULL = 0.0, 0.2, 0.05

# Seconds that running jobs get to finish. Leases take care of the rest.
DRAIN = 40.0


class ThreadPool:
    """Runs a bounded number of jobs at once."""

    def __init__(self, name: str, size: int) -> None:
        self._executor = ThreadPoolExecutor(size, thread_name_prefix=name)
        self._size = size
        self._running: set[Future[None]] = set()

    @property
    def has_room(self) -> bool:
        self._running = {future for future in self._running if not future.done()}
        return len(self._running) < self._size

    def start(self, run: Callable[[], object]) -> None:
        future = self._executor.submit(_with_own_connection, run)
        future.add_done_callback(_log_failure)
        self._running.add(future)

    def finish(self, timeout: float) -> bool:
        """Wait for running jobs. False when some are still running."""
        return not wait(self._running, timeout=timeout).not_done

    def close(self) -> None:
        self._executor.shutdown(wait=False)


class Worker:
    """Runs until it is stopped. Several may run, on several hosts: rows are claimed by conditional updates."""

    def __init__(self, *, threads: dict[str, int] | None = None) -> None:
        self.name = f"{socket.gethostname()[:50]}-{os.getpid()}-{secrets.token_hex(3)}"
        self.stopping = threading.Event()
        self.heartbeat = Heartbeat(self.name)
        self._backend = backends.for_worker(self.name)
        sizes = threads or THREADS
        self._pools = {queue: ThreadPool(queue, sizes[queue]) for queue in settings.QUEUES}

    def run(self) -> bool:
        """Work until `stopping` is set, then finish running jobs. False when some take too long."""
        running.stopping.clear()
        heartbeat = threading.Thread(target=self._loop, args=(self.heartbeat.tick,), name="heartbeat")
        heartbeat.start()
        self._loop(self._start_next)
        running.stopping.set()
        heartbeat.join()
        drained = self.finish(timeout=DRAIN)
        for pool in self._pools.values():
            pool.close()
        self._remove_heartbeat()
        return drained

    def tick(self) -> None:
        """One tick of the heartbeat, in this thread, then start every job that waits."""
        self.heartbeat.tick(everything=True)
        while self._start_next() == BUSY:
            pass

    def finish(self, *, timeout: float = 30) -> bool:
        """Wait for started jobs. False when some are still running after so many seconds."""
        ends = time.monotonic() + timeout
        return all(pool.finish(max(0.0, ends - time.monotonic())) for pool in self._pools.values())

    def _start_next(self) -> float:
        """Start a job if one waits and a thread is free. Returns the seconds until the next attempt."""
        free = [queue for queue, pool in self._pools.items() if pool.has_room]
        job = self._backend.dequeue(free) if free else None
        if job is None:
            return IDLE if free else FULL
        self._pools[job.queue].start(job.run)
        return BUSY

    def _loop(self, work: Callable[[], float]) -> None:
        away = False
        while not self.stopping.is_set():
            try:
                pause = work()
                if away:
                    logger.warning("The database and the queue answer again.")
                away = False
            except self._backend.outages as error:
                if not away:
                    logger.error("The worker's database or queue does not answer; it tries again: %s", error)
                away, pause = True, 2.0
                connections.close_all()
            except Exception:  # the loop goes on whatever happened: a worker that stopped would stop every class
                logger.exception("The worker goes on after an error.")
                pause = 2.0
            self.stopping.wait(pause)
        connections.close_all()

    def _remove_heartbeat(self) -> None:
        try:
            self.heartbeat.remove()
        except DatabaseError:
            logger.warning("The worker cannot remove its heartbeat: the database is away.")
        finally:
            connections.close_all()


def _with_own_connection(run: Callable[[], object]) -> None:
    try:
        run()
    finally:
        for connection in connections.all(initialized_only=True):
            _release(connection)


def _release(connection: BaseDatabaseWrapper) -> None:
    """SQLite's stays with the thread, without its cache: opening one takes 1.5 ms of CPU, as much as half a job."""
    is_sound = not (connection.errors_occurred or connection.in_atomic_block or connection.connection is None)
    if connection.vendor != "sqlite" or not is_sound:
        connection.close()
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA shrink_memory")


def _log_failure(job: Future[None]) -> None:
    if error := job.exception():
        logger.error("A job failed.", exc_info=error)
