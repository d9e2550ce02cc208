"""The calls that only read."""

import time
from collections.abc import Collection
from urllib.parse import quote

from clusters.proxmox import errors, results
from clusters.proxmox.calls import MAX_PAGE, Calls, guest_path, page, task_path
from clusters.proxmox.results import parse_upid
from clusters.proxmox.results.coercion import node_part, pool_part, vmid_part
from clusters.sentences import say

__all__ = ["MAX_PAGE", "Reader", "guest_path"]


class Reader(Calls):
    """Every verb is one request, if it does not say otherwise, and raises a `ProxmoxError` of whatever kind fits."""

    # The cluster

    def version(self) -> results.Version:
        return results.version(self._get("version"))

    def cluster_status(self) -> results.ClusterStatus:
        """Needs Sys.Audit on /."""
        return results.cluster_status(self._get("cluster", "status"))

    def cluster_options(self) -> results.ClusterOptions:
        """The options of the whole cluster. Without Sys.Audit on /, it tells few of them, and not its keyboard."""
        return results.cluster_options(self._get("cluster", "options"))

    def resources(self) -> results.Resources:
        """All guests that this account may see, and all nodes; up to ten seconds old."""
        return results.resources(self._get_flat("cluster", "resources"))

    def resources_since(self, known: results.Digest | None, *, again: Collection[int] = ()) -> results.Resources:
        """The resources without the guests that equal the digest, whose number is `unchanged`.

        Those with the VMIDs in `again` are there in any case. Without a digest, or when more differs than single
        guests, it is whole. Its `digest` is for the next time; one that is None leaves nothing to compare with.
        """
        data = self._get_flat("cluster", "resources")
        return results.resources_since(data, known, again=again, clock=time.monotonic())

    def node_status(self, node: str) -> results.NodeStatus:
        """Needs Sys.Audit on the node."""
        return results.node_status(self._get("nodes", node_part(node), "status", node=node))

    def ha_status(self) -> results.HaStatus:
        """Needs Sys.Audit on /."""
        return results.ha_status(self._get("cluster", "ha", "status", "current"))

    def pools(self) -> tuple[results.Pool, ...]:
        """The pools that this account may see."""
        return results.pools(self._get("pools"))

    def pool(self, name: str) -> results.PoolMembers:
        """A pool that this account may see, with its members: two requests, three before Proxmox VE 8.

        Asked for by name, the cluster tells everybody everything; which pools one may see is in the list alone.
        """
        if pool_part(name) not in {pool.name for pool in self.pools()}:
            raise errors.NotFound(say("no-pool"))
        try:
            found = self._get("pools", poolid=name)
        except errors.BadParameter as error:
            if "poolid" not in error.errors or "/" in name:
                raise
            found = self._get("pools", name)
        return results.pool_members(found, name)

    def permissions(self) -> dict[str, frozenset[str]]:
        """The privileges of this account, by path."""
        return results.permissions(self._get("access", "permissions"))

    def permission_flags(self) -> dict[str, dict[str, bool]]:
        """The permissions, each with whether deeper paths inherit it."""
        return results.permission_flags(self._get("access", "permissions"))

    def roles(self) -> dict[str, frozenset[str]]:
        """The privileges of all roles, by name. Everybody may read them."""
        return results.roles(self._get("access", "roles"))

    def account(self, userid: str) -> results.Account:
        """Until when a user and each token are valid. Needs Sys.Audit on /access/groups, also to ask for oneself."""
        return results.account(self._get("access", "users", quote(userid, safe="")))

    def next_id(self) -> int:
        """A number that is free now. It is not reserved, and whoever else asks gets the same one."""
        return results.next_id(self._get("cluster", "nextid"))

    # A guest

    def guest_status(self, node: str, kind: str, vmid: int) -> results.GuestStatus:
        """The state of a guest at this moment, asked of its node."""
        return results.guest_status(self._get(*guest_path(node, kind, vmid), "status", "current", node=node))

    def guest_config(self, node: str, kind: str, vmid: int, *, current: bool = False) -> results.GuestConfig:
        """As it will be at the next start, or with `current` as it is."""
        query = {"current": 1} if current else {}
        return results.guest_config(self._get(*guest_path(node, kind, vmid), "config", node=node, **query))

    def pending(self, node: str, kind: str, vmid: int) -> tuple[results.PendingChange, ...]:
        """The changes that the next start applies."""
        return results.pending(self._get(*guest_path(node, kind, vmid), "pending", node=node))

    def snapshots(self, node: str, kind: str, vmid: int) -> results.Snapshots:
        return results.snapshots(self._get(*guest_path(node, kind, vmid), "snapshot", node=node))

    def can_snapshot(self, node: str, kind: str, vmid: int) -> bool:
        """Whether the guest's disks can have snapshots, asked of its node."""
        path = (*guest_path(node, kind, vmid), "feature")
        return results.has_feature(self._get(*path, node=node, feature="snapshot"))

    def interfaces(self, node: str, kind: str, vmid: int) -> tuple[results.Interface, ...]:
        """The addresses of a running guest, by its own account.

        Of a machine, its agent is asked, which takes three seconds when it does not run, and then raises `Refused`.
        Containers of Proxmox VE before 8.1 cannot be asked: `Refused`.
        """
        asked = ("agent", "network-get-interfaces") if kind == "qemu" else ("interfaces",)
        return results.interfaces(self._get(*guest_path(node, kind, vmid), *asked, node=node))

    def load(self, node: str, kind: str, vmid: int) -> tuple[results.LoadSample, ...]:
        """How busy a guest was in the last hour, in averages of a minute. Needs VM.Audit on it."""
        path = (*guest_path(node, kind, vmid), "rrddata")
        return results.load(self._get(*path, node=node, timeframe="hour", cf="AVERAGE"))

    def users(self, node: str, vmid: int) -> tuple[str, ...]:
        """Who is logged in on a running machine, at its screen or from afar, by its agent's account.

        Takes three seconds when the agent does not run, and then raises `Refused`. Containers have no agent.
        """
        return results.users(self._get(*guest_path(node, "qemu", vmid), "agent", "get-users", node=node))

    def guest_tasks(self, node: str, vmid: int, *, start: int = 0, limit: int = 50) -> tuple[results.Task, ...]:
        """The tasks of this node for a guest, the newest first, as far as this account may see them."""
        lines = page(start, limit)
        found = self._get(
            "nodes", node_part(node), "tasks", node=node, vmid=int(vmid_part(vmid)), source="all", **lines
        )
        return results.tasks(found)

    def active_tasks(self, node: str) -> tuple[results.Task, ...]:
        """What runs on this node or ended a moment ago, as far as this account may see it: of 500 tasks at most."""
        return results.tasks(self._get("nodes", node_part(node), "tasks", node=node, source="active", limit=500))

    # A task

    def task_status(self, upid: str) -> results.TaskStatus:
        """To be asked by the token that began the task: another one of the same user may not."""
        return results.task_status(self._get(*task_path(upid), "status", node=parse_upid(upid).node))

    def task_log(self, upid: str, *, limit: int = 50) -> tuple[str, ...]:
        """The first lines of what the task wrote, at most 1000."""
        return self.task_log_page(upid, limit=limit).lines

    def task_log_page(self, upid: str, *, start: int = 0, limit: int = 50) -> results.LogPage:
        """At most 1000 lines from this one on, counted from 0."""
        lines = page(start, limit)
        found = self._get(*task_path(upid), "log", node=parse_upid(upid).node, **lines)
        return results.log_page(found, **lines)
