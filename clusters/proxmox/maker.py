"""Making and removing machines: by a token that does nothing else, and for `vms.provisioning` alone."""

from collections.abc import Mapping
from urllib.parse import quote

from clusters.proxmox import results
from clusters.proxmox.calls import MAX_PAGE, Calls, guest_path, page, task_path
from clusters.proxmox.errors import BadParameter
from clusters.proxmox.results import parse_upid
from clusters.proxmox.results.coercion import node_part, pool_part, snapshot_part, storage_part, vmid_part

# What the API shows in the place of a password. Written back, it would become the password.
MASKED = "**********"


class Maker(Calls):
    """Every method is one request. A change is sent once, and raises `OutcomeUnknown` when its answer is lost.

    Of the errors, `StorageBusy` and `IdTaken` left nothing behind. Methods that return a UPID have only begun a task:
    what `task_error` makes of its exit status is one of the same errors. All guests are QEMU machines.
    """

    # Making

    def clone(
        self,
        node: str,
        template_vmid: int,
        *,
        newid: int,
        name: str,
        description: str,
        pool: str,
        full: bool,
        storage: str = "",
        target: str = "",
    ) -> str:
        """Begin a clone; returns its task's UPID, which names the template. `node` is the template's.

        Until the task ends the machine is in no pool. `storage` is for full clones, `target` another node for
        templates on shared storage.
        """
        values: dict[str, str | int] = {
            "newid": vmid_part(newid),
            "name": name,
            "description": description,
            "pool": pool_part(pool),
            "full": int(full),
        }
        values |= {"storage": storage} if storage else {}
        values |= {"target": node_part(target)} if target and target != node else {}
        return self._begin("post", *_path(node, template_vmid), "clone", node=node, **values)

    def configure(self, node: str, vmid: int, *, digest: str = "", **keys: str | int | bool) -> None:
        """Write these keys of the configuration, at once; `delete` names those that go.

        `sshkeys` are lines as in authorized_keys. With a digest, `ChecksumMismatch` when somebody changed the
        configuration since it was read.
        """
        if keys.get("cipassword") == MASKED:
            raise BadParameter({"cipassword": "is what a configuration shows, not a password"})
        values = {key: int(value) if isinstance(value, bool) else value for key, value in keys.items()}
        if "sshkeys" in values:
            values["sshkeys"] = quote(str(values["sshkeys"]), safe="")
        if digest:
            values["digest"] = digest
        password = str(values.get("cipassword", ""))
        with self._session.telling(*filter(None, [password])):
            self._call("put", *_path(node, vmid), "config", node=node, **values)

    def start(self, node: str, vmid: int) -> str:
        """Returns the task's UPID."""
        return self._begin("post", *_path(node, vmid), "status", "start", node=node)

    def shutdown(self, node: str, vmid: int) -> str:
        """Returns the task's UPID."""
        return self._begin("post", *_path(node, vmid), "status", "shutdown", node=node)

    def stop(self, node: str, vmid: int) -> str:
        """Returns the task's UPID. A machine that is stopped stays so."""
        return self._begin("post", *_path(node, vmid), "status", "stop", node=node)

    def snapshot(self, node: str, vmid: int, name: str) -> str:
        """Without memory; returns the task's UPID."""
        return self._begin("post", *_path(node, vmid), "snapshot", node=node, snapname=snapshot_part(name))

    def destroy(self, node: str, vmid: int) -> str:
        """Returns the task's UPID. Disks that the configuration does not name stay, and so do other uses of the VMID.

        `StillRunning` for a machine that is not stopped, `Protected` for one whose protection is on.
        """
        kept = {"purge": 0, "destroy-unreferenced-disks": 0}
        return self._begin("delete", *_path(node, vmid), node=node, **kept)

    # Looking

    def config(self, node: str, vmid: int) -> results.GuestConfig:
        """As stored at this moment: the one identity of a machine (mark, SMBIOS UUID), unlike the lists."""
        return results.guest_config(self._get(*_path(node, vmid), "config", node=node))

    def guest_status(self, node: str, vmid: int) -> results.GuestStatus:
        return results.guest_status(self._get(*_path(node, vmid), "status", "current", node=node))

    def addresses(self, node: str, vmid: int) -> tuple[results.Interface, ...]:
        """By the machine's own account. `Refused` while its agent does not answer, after up to three seconds."""
        return results.interfaces(self._get(*_path(node, vmid), "agent", "network-get-interfaces", node=node))

    def snapshots(self, node: str, vmid: int) -> results.Snapshots:
        return results.snapshots(self._get(*_path(node, vmid), "snapshot", node=node))

    def feature(self, node: str, vmid: int, name: str) -> results.Feature:
        """Whether the storages of this machine can do it: `clone` (linked), `copy` or `snapshot`."""
        return results.feature(self._get(*_path(node, vmid), "feature", node=node, feature=name))

    def cloudinit_pending(self, node: str, vmid: int) -> tuple[str, ...]:
        """The keys of cloud-init that the next start applies."""
        return results.cloudinit_pending(self._get(*_path(node, vmid), "cloudinit", node=node))

    def cloudinit_has_clear_password(self, node: str, vmid: int) -> bool:
        """Whether the configuration keeps a password in clear text, which every clone would have, too."""
        return results.has_clear_password(self._get(*_path(node, vmid), "cloudinit", "dump", node=node, type="user"))

    def task(self, upid: str) -> results.TaskStatus:
        return results.task_status(self._get(*task_path(upid), "status", node=parse_upid(upid).node))

    def task_first_line(self, upid: str) -> str:
        """Of a clone: `creating a clone of VM TEMPLATE with ID NEW`. Empty while there is none."""
        found = self._get(*task_path(upid), "log", node=parse_upid(upid).node, **page(0, 1))
        return next(iter(results.task_log(found)), "")

    def node_tasks(self, node: str, *, since: int, kind: str = "") -> tuple[results.Task, ...]:
        """The node's tasks of this token since then (seconds since 1970), running and ended, the newest first.

        At most a thousand. `kind` is one of Proxmox VE's, like `qmclone`.
        """
        query: dict[str, str | int] = {"since": since, "source": "all", **page(0, MAX_PAGE)}
        query |= {"typefilter": kind} if kind else {}
        return results.tasks(self._get("nodes", node_part(node), "tasks", node=node, **query))

    def storages(self, node: str) -> tuple[results.StorageStatus, ...]:
        """The storages of the node that this token may use, with their room in bytes."""
        return results.storages(self._get("nodes", node_part(node), "storage", node=node))

    def disk_owners(self, node: str, storage: str) -> frozenset[int]:
        """The VMIDs of the disks on a storage, also of those that no guest has any more.

        Only disks that this token may see: without Datastore.Allocate, those of guests that it may change. `Refused`
        while a full clone writes there.
        """
        listed = self._get("nodes", node_part(node), "storage", storage_part(storage), "content", node=node,
                           content="images")  # fmt: skip
        return results.disk_owners(listed)

    def node_status(self, node: str) -> results.NodeStatus:
        """Needs Sys.Audit on the node."""
        return results.node_status(self._get("nodes", node_part(node), "status", node=node))

    def resources(self) -> results.Resources:
        """All that this token may see, up to ten seconds old; a machine that is being cloned is not among it."""
        return results.resources(self._get("cluster", "resources"))

    def pool_members(self, name: str) -> results.PoolMembers:
        """The members of a pool, also those in no list of this token. Proxmox VE 8 and newer."""
        return results.pool_members(self._get("pools", poolid=pool_part(name)), name)

    def permission_flags(self) -> Mapping[str, dict[str, bool]]:
        """The privileges of this token by path, each with whether deeper paths inherit it."""
        return results.permission_flags(self._get("access", "permissions"))

    def roles(self) -> Mapping[str, frozenset[str]]:
        """The privileges of all roles, by name. Everybody may read them."""
        return results.roles(self._get("access", "roles"))

    @property
    def token_id(self) -> str:
        return self._session.config.token_id

    def is_free(self, vmid: int) -> bool:
        """Whether nothing on the cluster has this VMID, visible or not."""
        try:
            self._get("cluster", "nextid", vmid=vmid_part(vmid))
        except BadParameter as error:
            if "vmid" not in error.errors:
                raise
            return False
        return True

    def version(self) -> results.Version:
        return results.version(self._get("version"))


def _path(node: str, vmid: int) -> tuple[str, ...]:
    return guest_path(node, "qemu", vmid)
