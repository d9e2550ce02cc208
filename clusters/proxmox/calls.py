"""One call of the API: sent by a session, with its failure as one of the gateway's errors."""

from typing import Any
from urllib.parse import quote

from proxmoxer.core import ProxmoxResource, ResourceException

from clusters.proxmox import error_mapping, errors
from clusters.proxmox.results import parse_upid
from clusters.proxmox.results.coercion import kind_part, node_part, vmid_part
from clusters.proxmox.results.flat_rows import FlatSerializer
from clusters.proxmox.results.parsing import Serializer
from clusters.proxmox.session import Session

MAX_PAGE = 1000


class Calls:
    """What readers, clients and makers have in common. A change is sent once."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._api = ProxmoxResource(base_url=session.base_url, session=session, serializer=Serializer())
        self._flat = ProxmoxResource(base_url=session.base_url, session=session, serializer=FlatSerializer())
        self._is_over = False

    def close(self) -> None:
        """The session belongs to somebody else from now on."""
        self._is_over = True

    @property
    def endpoint(self) -> str:
        """The address that answered last, as host:port."""
        return str(self._session.endpoints.current.address)

    def _get(self, *path: str, node: str = "", **query: str | int) -> Any:
        return self._call("get", *path, node=node, **query)

    def _get_flat(self, *path: str) -> Any:
        """A list of rows of `FIELDS`, or of whatever else the answer has."""
        return self._call("get", *path, api=self._flat)

    def _begin(self, verb: str, *path: str, node: str, **values: str | int) -> str:
        """Begin a task; returns its UPID."""
        upid = self._call(verb, *path, node=node, **values)
        try:
            parse_upid(upid, sent=True)
        except errors.ProtocolError as error:
            raise errors.OutcomeUnknown(error) from None
        return str(upid)

    def _call(
        self, verb: str, *path: str, node: str = "", api: ProxmoxResource | None = None, **values: str | int
    ) -> Any:
        """`node` is the one that the cluster passes the call on to."""
        if self._is_over:
            raise RuntimeError("This connection was given back.")
        try:
            return getattr((api or self._api)(path), verb)(**values)
        except ResourceException as refusal:
            error = error_mapping.from_status(
                refusal.status_code, reason=refusal.content, errors_by_name=refusal.errors or {}, node=node
            )
        except errors.ProxmoxError as failure:
            error = errors.without_traceback(failure)
        raise error if verb == "get" or not error.sent else errors.OutcomeUnknown(error)


def guest_path(node: str, kind: str, vmid: int) -> tuple[str, ...]:
    return ("nodes", node_part(node), kind_part(kind), vmid_part(vmid))


def task_path(upid: str) -> tuple[str, ...]:
    return ("nodes", parse_upid(upid).node, "tasks", quote(upid, safe=""))


def page(start: int, limit: int) -> dict[str, int]:
    return {"start": max(0, start), "limit": max(1, min(limit, MAX_PAGE))}
