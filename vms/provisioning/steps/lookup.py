"""Finds out what became of a call whose answer was lost, or whose worker died. These calls only read."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from clusters import proxmox
from vms.models import MadeMachine
from vms.provisioning.engine.hand import Call

# How far the clocks of the portal and of a node may differ.
CLOCK_SKEW = timedelta(minutes=2)


@dataclass(frozen=True)
class Found:
    """`is_there`: the VMID has a configuration; `is_ours`: with this machine's mark. `upid` is of the own task."""

    is_there: bool = False
    is_ours: bool = False
    lock: str = ""
    upid: str = ""


def clone(made: MadeMachine) -> Call:
    """Whether the clone was begun: by the mark in the configuration of the new VMID, or else by the log of a task."""
    nodes = tuple(dict.fromkeys((made.template_node, made.node)))
    first_line = f"creating a clone of VM {made.template_vmid} with ID {made.vmid}"
    since = _since(made.sent_at)
    return partial(_clone, nodes=nodes, vmid=made.vmid, mark=str(made.mark), first_line=first_line, since=since)


def configuration(made: MadeMachine) -> Call:
    """What is there under the VMID after a clone failed, without looking for its task."""
    nodes = tuple(dict.fromkeys((made.template_node, made.node)))
    return partial(_configuration, nodes=nodes, vmid=made.vmid, mark=str(made.mark))


def task(made: MadeMachine, *types: str) -> Call:
    """The UPID of the machine's own task of one of these types, begun since it was sent; or an empty text."""
    return partial(_task, node=made.node, vmid=made.vmid, types=types, since=_since(made.sent_at))


def _since(sent_at: datetime | None) -> int:
    return int((sent_at - CLOCK_SKEW).timestamp()) if sent_at else 0


def _configuration(maker: proxmox.Maker, *, nodes: tuple[str, ...], vmid: int, mark: str) -> Found:
    for node in nodes:
        try:
            config = maker.config(node, vmid)
        except (proxmox.NotFound, proxmox.PermissionMissing):
            continue
        return Found(is_there=True, is_ours=config.mark == mark, lock=config.lock)
    return Found()


def _clone(maker: proxmox.Maker, *, nodes: tuple[str, ...], vmid: int, mark: str, first_line: str, since: int) -> Found:
    found = _configuration(maker, nodes=nodes, vmid=vmid, mark=mark)
    if found.is_ours and not found.lock:
        return found
    clones = maker.node_tasks(nodes[0], since=since, kind="qmclone")
    upid = next((one.upid for one in clones if maker.task_first_line(one.upid).startswith(first_line)), "")
    return Found(found.is_there, found.is_ours, found.lock, upid)


def _task(maker: proxmox.Maker, *, node: str, vmid: int, types: tuple[str, ...], since: int) -> str:
    rows = maker.node_tasks(node, since=since)
    mine = (row.upid for row in rows if row.type in types and proxmox.parse_upid(row.upid).guest_id == str(vmid))
    return next(mine, "")
