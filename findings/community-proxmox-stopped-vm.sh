#!/bin/sh
# ansible 12.3.0 (community.proxmox 1.4.0, ansible-core 2.19.14), proxmoxer 2.3.0
#
# proxmox_vm_info with `network: true` asks the guest agent of every virtual machine. Proxmox VE answers 500 "VM 101 is not
# running" for one that is stopped, and the module then fails as a whole: one stopped machine hides all others. The same is
# true of a machine without an agent. One would expect this machine without `network`. Work around it: list the machines
# without `network`, and ask for one running machine at a time.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile \
    ansible==12.3.0 ansible-core==2.19.14 proxmoxer==2.3.0 requests==2.32.5 responses==0.25.8

venv/bin/python - >out <<'PYTHON'
import re

import proxmoxer
import responses
from ansible_collections.community.proxmox.plugins.modules.proxmox_vm_info import ProxmoxVmInfoAnsible


class Module:
    def fail_json(self, msg):
        raise SystemExit(msg)


def read(running):
    """What the module makes of VM 100, which runs and has an agent, and VM 101."""
    rows = [{"vmid": 100, "status": "running"}, {"vmid": 101, "status": "running" if running else "stopped"}]
    info = ProxmoxVmInfoAnsible.__new__(ProxmoxVmInfoAnsible)
    info.module = Module()
    info.proxmox_api = proxmoxer.ProxmoxAPI("pve.example", user="a@pve", token_name="t", token_value="x")
    agent = {"json": {"data": {"result": [{"name": "eth0"}]}}}
    off = {"json": {"data": None, "message": "VM 101 is not running\n"}, "status": 500}
    with responses.RequestsMock(assert_all_requests_are_fired=False) as answers:
        answers.get(re.compile(".*/qemu$"), json={"data": rows})
        answers.get(re.compile(".*/qemu/100/agent/network-get-interfaces"), **agent)
        answers.get(re.compile(".*/qemu/101/agent/network-get-interfaces"), **(agent if running else off))
        known = {row["vmid"]: {"vmid": row["vmid"], "node": "pve1", "type": "qemu"} for row in rows}
        return sorted(info.get_qemu_vms(known, config="none", network=True))


print("both run:", read(running=True))
try:
    print("101 is stopped:", read(running=False))
except SystemExit as failure:
    print("101 is stopped:", failure)
PYTHON
cat out
grep -q '^both run: \[100, 101\]$' out || { echo "CHANGED: machines that run are not read any more"; exit 1; }
grep -q '^101 is stopped: Failed to retrieve QEMU VMs information: 500' out || { echo "CHANGED: a stopped machine fails nothing any more"; exit 1; }
