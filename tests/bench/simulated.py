"""The portal's worker and clusters of the simulator in one thread, on a clock that moves only when it is told to.

Nothing of the portal above the sockets is replaced: its requests are prepared as always, answered by the simulator's
API, and read as always. Jobs wait in a list instead of a table. A worker that is killed does not write, send or read
anything more from that moment on, not even what a `finally` would.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from unittest import mock

import requests
from django.db import connection
from django.utils import timezone
from django_tasks.base import Task

import pvesim
from clusters.proxmox import errors
from clusters.proxmox.transport import Body, Transport
from pvesim.api.dispatch import answer
from pvesim.cluster import Cluster
from pvesim.http import Message
from vms import automation, registry
from vms.inventory import last_read
from vms.worker import heartbeat, schedule

# What has a part in a timetable. The worker does nothing else here, so that a month takes minutes.
JOBS = {
    "start machines before lessons", "stop machines after lessons", "count hours of use", "measure starts of machines",
    "check timetables", "forget old stop notices", "look for idle machines",
}  # fmt: skip

PREPARED = ("params", "data", "auth", "headers")


class Killed(BaseException):
    """The worker is no more. No code of the portal catches it."""


@dataclass
class World:
    """One thread. `silent` are the clusters that no request reaches, `queue` the jobs that wait."""

    simulator: pvesim.Simulator
    clock: pvesim.ManualClock
    silent: set[str] = field(default_factory=set)
    queue: deque[Callable[[], object]] = field(default_factory=deque)
    fuse: int | None = None  # queries and requests until the worker is killed; below zero it is

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock.now(), UTC)

    def pass_to(self, moment: datetime) -> None:
        self.clock.advance(max(0.0, moment.timestamp() - self.clock.now()))
        for cluster in self.simulator.clusters.values():
            cluster.timeline.settle()

    def burn(self) -> None:
        if self.fuse is not None:
            self.fuse -= 1
            if self.fuse < 0:
                raise Killed


@dataclass
class Worker:
    """A process of the worker. `tick` is what it does at this moment."""

    world: World
    _beats: heartbeat.Heartbeat = field(init=False)

    def __post_init__(self) -> None:
        clock = automation.Clock(elapsed=self.world.clock.now)
        self._beats = heartbeat.Heartbeat("month", _clock=clock)

    def tick(self, *, dies_after: int | None = None) -> bool:
        """False: it was killed, after so many queries and requests."""
        self.world.fuse = dies_after
        try:
            with registry.resolved_once(), mock.patch.object(registry, "resolved_once", nullcontext):
                self._beats.tick()
                while self.world.queue:
                    self.world.queue.popleft()()
        except Killed:
            for name in self.world.simulator.clusters:
                last_read.forget(name)
            return False
        finally:
            self.world.fuse = None
        return True


@contextmanager
def world(begins: datetime) -> Iterator[World]:
    clock = pvesim.ManualClock(begins.timestamp())
    made = World(pvesim.Simulator(clock), clock)
    monotonic = SimpleNamespace(monotonic=clock.now)
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(timezone, "datetime", _datetime_of(made)))
        jobs = {name: schedule.PERIODIC_JOBS[name] for name in JOBS}
        stack.enter_context(mock.patch.dict(schedule.PERIODIC_JOBS, jobs, clear=True))
        stack.enter_context(mock.patch.object(heartbeat, "time", monotonic))
        stack.enter_context(mock.patch.object(Transport, "_answer", _answer_of(made)))
        stack.enter_context(mock.patch.object(Task, "enqueue", _enqueue_of(made)))
        stack.enter_context(connection.execute_wrapper(_burning(made)))
        yield made


def _datetime_of(made: World) -> type[datetime]:
    class Meta(type):
        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, datetime)

    class Simulated(datetime, metaclass=Meta):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return datetime.fromtimestamp(made.clock.now(), tz)

    return Simulated


def _enqueue_of(made: World) -> Callable[..., None]:
    def enqueue(task: Any, *args: Any) -> None:
        made.queue.append(lambda: task.func(*args))

    return enqueue


def _burning(made: World) -> Callable[..., Any]:
    def wrapper(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if not sql.startswith("ROLLBACK"):  # the database does this by itself
            made.burn()
        return execute(sql, params, many, context)

    return wrapper


def _answer_of(made: World) -> Callable[..., requests.Response]:
    def in_process(transport: Any, method: str, url: str, **kwargs: Any) -> requests.Response:
        made.burn()
        name = transport.config.cluster_id
        if name in made.silent:
            raise errors.TimedOut(sent=False)
        wanted = requests.Request(method, url, **{key: kwargs[key] for key in PREPARED if key in kwargs})
        response = _of(made.simulator.clusters[name], transport.prepare_request(wanted))
        made.burn()  # the answer may come to nobody
        return response

    return in_process


def _of(cluster: Cluster, request: requests.PreparedRequest) -> requests.Response:
    headers = {name.lower(): str(value) for name, value in request.headers.items()}
    body = request.body.encode() if isinstance(request.body, str) else request.body or b""
    message = Message(str(request.method), request.path_url, "1.1", headers, body)
    with cluster.timeline.lock:
        cluster.timeline.settle()
        found = answer(cluster, next(iter(cluster.nodes.values())), message)
    response = requests.Response()
    response.status_code, response.reason, response._content = found.status, found.reason, Body(found.body)
    response.headers["Content-Type"] = found.content_type or ""
    return response
