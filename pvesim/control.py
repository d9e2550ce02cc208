"""Faults by HTTP, for whoever runs the simulator as a process of its own. Its port has nothing of the API.

    POST   /faults/NAME?cluster=NAME&parameter=value   cause a fault; without `cluster`, in the first one
    DELETE /faults                                     undo all faults of all clusters
    GET    /faults                                     what there is

Every request needs the header `Authorization: Bearer TOKEN`.
"""

from __future__ import annotations

import inspect
import json
import secrets
import textwrap
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from hmac import compare_digest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, urlsplit

from pvesim.faults import FaultInjector
from pvesim.faults.malformed import MALFORMED, TEXTS
from pvesim.simulator import Simulator

HOST = "127.0.0.1"
# How often, in seconds, it looks whether it is to stop.
POLL_INTERVAL = 0.05
# They take what cannot be written in a query, or are no faults.
NOT_BY_HTTP = frozenset("after clear remove take undo".split())
SCOPE = {"times": "int", "method": "str", "node": "str", "executed": "bool", "reused": "bool"}
READERS: Mapping[str, Callable[[str], object]] = {
    "int": int,
    "float": float,
    "bool": lambda text: text in ("1", "true"),
    "Mapping[str, str] | None": json.loads,
}


class Control:
    """Use it as a context manager, or call `start()` and `stop()`."""

    def __init__(self, simulator: Simulator, port: int = 0, token: str | None = None) -> None:
        self.simulator = simulator
        self.token = token or secrets.token_urlsafe(18)
        handler = type("Handler", (_Handler,), {"control": self})
        self._server = ThreadingHTTPServer((HOST, port), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(POLL_INTERVAL,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._server.server_port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def is_allowed(self, authorization: str) -> bool:
        return compare_digest(authorization.encode(), f"Bearer {self.token}".encode())

    def cause(self, name: str, given: Mapping[str, str]) -> None:
        """A ValueError says what was wrong with the request."""
        clusters = self.simulator.clusters
        wanted = given.get("cluster") or next(iter(clusters))
        if wanted not in clusters:
            raise ValueError(f"no cluster '{wanted}'; there are {', '.join(clusters)}")
        if name not in dict(fault_names()):
            raise ValueError(f"no fault '{name}'; GET /faults lists them")
        method = getattr(clusters[wanted].faults, name.replace("-", "_"))
        try:
            method(**_arguments(method, {key: value for key, value in given.items() if key != "cluster"}))
        except TypeError as problem:
            raise ValueError(f"{name} takes {_usage(method)}") from problem
        except KeyError as problem:
            raise ValueError(f"{name}: there is no {problem}") from problem

    def undo(self) -> None:
        for cluster in self.simulator.clusters.values():
            cluster.faults.undo()


def fault_names() -> Iterator[tuple[str, Callable[..., object]]]:
    for name, method in inspect.getmembers(FaultInjector, inspect.isfunction):
        if not name.startswith("_") and name not in NOT_BY_HTTP:
            yield name.replace("_", "-"), method


def fault_list() -> str:
    """Names, parameters, and of what kinds they can be."""
    lines = [f"  {name:<34} {_usage(method)}" for name, method in fault_names()]
    return "\n".join([*lines, "", _kinds("malformed", MALFORMED), _kinds("hostile", TEXTS)])


def _kinds(name: str, table: Iterable[str]) -> str:
    text = f"kinds of {name}: {', '.join(table)}"
    return textwrap.fill(text, 110, subsequent_indent="  ", break_on_hyphens=False)


def _usage(method: Callable[..., object]) -> str:
    parameters = [
        name if parameter.default is parameter.empty else f"[{name}]"
        for name, parameter in inspect.signature(method).parameters.items()
        if name != "self" and parameter.kind is not parameter.VAR_KEYWORD
    ]
    return " ".join(parameters) or "-"


def _arguments(method: Callable[..., object], given: Mapping[str, str]) -> dict[str, object]:
    parameters = inspect.signature(method).parameters
    kinds = {name: str(parameter.annotation) for name, parameter in parameters.items()}
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        kinds = {**SCOPE, **kinds}
    return {name: READERS.get(kinds.get(name, "str"), str)(value) for name, value in given.items()}


class _Handler(BaseHTTPRequestHandler):
    control: Control

    def do_GET(self) -> None:
        self._answer(200 if self.path == "/faults" else 404, fault_list().splitlines())

    def do_POST(self) -> None:
        parts = urlsplit(self.path)
        form = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        given = dict(parse_qsl(parts.query) + parse_qsl(form))
        if not parts.path.startswith("/faults/"):
            self._answer(404, None)
        else:
            self._answer(*self._cause(parts.path.removeprefix("/faults/"), given))

    def do_DELETE(self) -> None:
        if self.path == "/faults" and self._is_allowed():
            self.control.undo()
        self._answer(200 if self.path == "/faults" else 404, None)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is that of the base class
        """Say nothing."""

    def _cause(self, name: str, given: Mapping[str, str]) -> tuple[int, object]:
        try:
            if self._is_allowed():
                self.control.cause(name, given)
        except ValueError as problem:
            return 400, str(problem)
        return 200, None

    def _is_allowed(self) -> bool:
        return self.control.is_allowed(self.headers.get("Authorization", ""))

    def _answer(self, status: int, content: object) -> None:
        if not self._is_allowed():
            status, content = 401, "the token is missing or wrong"
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
