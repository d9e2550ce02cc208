"""What a simulated cluster says instead of its own list of resources."""

import json
from typing import Any

from tests.labs import Lab
from vms.models import VirtualMachine

LIST = "^/cluster/resources$"


def row(vmid: int, **facts: Any) -> dict[str, Any]:
    return {"type": "qemu", "vmid": vmid, "node": "pve1", "name": f"net-{vmid}", "status": "stopped", **facts}


def node(name: str, *, online: bool = True) -> dict[str, Any]:
    return {"type": "node", "node": name, "status": "online" if online else "offline"}


NODES = (node("pve1"), node("pve2"))


def answer(lab: Lab, *rows: dict[str, Any]) -> None:
    """From now on, the list is this."""
    lab.pve.faults.clear()
    lab.pve.faults.reply(LIST, body=json.dumps({"data": rows}))


def vmids(lab: Lab, **filters: Any) -> list[int]:
    return list(VirtualMachine.objects.filter(cluster=lab.row, **filters).values_list("vmid", flat=True))


def missing(lab: Lab) -> list[int]:
    return vmids(lab, missing_since__isnull=False)


def gone(lab: Lab) -> list[int]:
    return vmids(lab, gone_at__isnull=False)
