#!/bin/sh
# pvecontrol 0.8.0, proxmoxer 2.3.0. Seen on 30 November 2026.
#
# Proxmox VE lists a storage that nodes share once for each node, with `shared: 1` and the same size every time (GET
# /cluster/resources, https://pve.proxmox.com/pve-docs/api-viewer/#/cluster/resources). `pvecontrol storage list` folds these rows
# into one. "Disk" of `pvecontrol status` adds them all up, so that the same tool has two sizes for one cluster: here 10.5 and
# 40.5 TB, with four nodes. One would expect both to count a shared storage once. Whoever plans the machines of a class
# by `status` counts on room that isn't there. Work around it: add up the rows of `storage list --output json`. Lab Portal
# counts a shared storage once when it plans where machines go.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile \
    pvecontrol==0.8.0 proxmoxer==2.3.0 requests==2.34.2 responses==0.25.8

venv/bin/python - >out <<'PYTHON'
import re

import responses
from pvecontrol.models.cluster import PVECluster
from pvecontrol.models.storage import PVEStorage

API = "https://pve.example:8006/api2/json"
TB = 10**12
nodes = [f"pve{number}" for number in range(1, 5)]


def row(node, storage, *, shared, disk, size):
    return {
        "type": "storage", "id": f"storage/{node}/{storage}", "node": node, "storage": storage, "shared": shared,
        "disk": disk, "maxdisk": size, "plugintype": "nfs" if shared else "dir", "status": "available",
    }  # fmt: skip


resources = [{"type": "node", "id": f"node/{node}", "node": node, "status": "online"} for node in nodes]
resources += [row(node, "school", shared=1, disk=9 * TB, size=10 * TB) for node in nodes]
resources.append(row("pve1", "local", shared=0, disk=0, size=TB // 2))
with responses.RequestsMock() as answers:
    version = {"version": "9.2.11", "release": "9.2"}
    answers.get(f"{API}/version", json={"data": version})
    answers.get(f"{API}/cluster/status", json={"data": [{"type": "cluster", "name": "lab", "quorate": 1}]})
    answers.get(f"{API}/cluster/resources", json={"data": resources})
    answers.get(re.compile(f"{API}/nodes/pve\\d/version"), json={"data": version})
    cluster = PVECluster("lab", "pve.example", {}, 5, user="monitor@pve", token_name="t", token_value="x")
listed = [found["storage"] for found in PVEStorage.get_grouped_list(cluster)]
size, used = (sum(getattr(storage, name) for storage in listed) for name in ("maxdisk", "disk"))
print(f"storage list: {used / TB} of {size / TB} TB in {len(listed)} storages, {used / size:.0%}")
disk = cluster.metrics["disk"]
print(f"status: {disk['usage'] / TB} of {disk['total'] / TB} TB, {disk['percent']:.0f}%")
PYTHON
cat out
[ "$(cat out)" = "storage list: 9.0 of 10.5 TB in 2 storages, 86%
status: 36.0 of 40.5 TB, 89%" ] || { echo "CHANGED: a shared storage is counted once"; exit 1; }
