"""Run a small seeded cluster until Ctrl-C."""

from __future__ import annotations

import argparse
import secrets
import sys
import threading
from pathlib import Path

from pvesim.cluster import Cluster
from pvesim.guests import GIB
from pvesim.simulator import Simulator

DESCRIPTION = """
Start a simulated Proxmox VE cluster on 127.0.0.1 and print how to reach it. One port per node, HTTPS with a
certificate of the cluster's own authority. Nothing is kept: every start is the same, but for the passwords.

accounts   admin@pve (Administrator), with the token admin@pve!portal (privsep 0)
           student@pve (PVEVMUser on /vms/101)
guests     100-104 in the pool labs, 110 a template there, 105-107 in staff, 200-201 on the second node
"""


def main() -> int:
    options = _arguments()
    simulator = Simulator(seed=options.seed)
    cluster = simulator.add_cluster(
        options.name,
        nodes=options.nodes.split(","),
        standalone=options.standalone,
        first_port=options.port,
        statd_interval=options.statd_interval,
        unauthorized_delay=options.unauthorized_delay,
        agent_delay=3.0,
    )
    seed(cluster, options.password)
    with simulator:
        if options.ca_file:
            Path(options.ca_file).write_text(cluster.ca_pem)
        print(introduction(cluster, options.password), flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print("\nstopped")
    return 0


def seed(cluster: Cluster, password: str) -> None:
    """The accounts and guests which the description promises."""
    cluster.add_user("admin@pve", password, acl={"/": "Administrator"})
    cluster.add_token("admin@pve", "portal", privsep=False)
    cluster.add_user("student@pve", password, acl={"/vms/101": "PVEVMUser"})
    cluster.add_pool("labs", "class labs")
    cluster.add_pool("staff", "staff machines")
    cluster.add_guest(100, "lab-100", pool="labs", tags=["lab"], agent="alive")
    cluster.add_guest(101, "lab-101", status="running", pool="labs", tags=["lab", "web"], agent="dead", acpi=False)
    for vmid in (102, 103, 104):
        cluster.add_guest(vmid, f"lab-{vmid}", pool="labs", tags=["lab"])
    for vmid in (105, 106, 107):
        cluster.add_guest(vmid, f"staff-{vmid}", pool="staff", tags=["staff"], maxcpu=2, maxmem=4 * GIB)
    cluster.add_guest(110, "tmpl-base", pool="labs", tags=["template"], template=True, acpi=False)
    last = list(cluster.nodes)[-1]
    cluster.add_guest(200, "desk-200", node=last)
    cluster.add_guest(201, "box-201", node=last, kind="lxc", status="running")


def introduction(cluster: Cluster, password: str) -> str:
    token = cluster.token("admin@pve!portal")
    nodes = (f"  {name:<8} {url}  {cluster.fingerprint(name)}" for name, url in cluster.urls.items())
    return "\n".join(
        [
            f"cluster {cluster.name}",
            *nodes,
            f"users    admin@pve, student@pve; password {password}",
            f"token    {token.full_id}={token.secret}",
            "stop     Ctrl-C",
        ]
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m pvesim", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--name", default="lab-a", help="name of the cluster (default: %(default)s)")
    add("--nodes", default="pve1,pve2", help="names of the nodes (default: %(default)s)")
    add("--standalone", action="store_true", help="a node without a cluster; needs --nodes with one name")
    add("--port", type=int, default=0, help="port of the first node, the others follow (default: free ones)")
    add("--password", default=secrets.token_urlsafe(9), help="of both users (default: a new one)")
    add("--statd-interval", type=float, default=10.0, help="seconds by which /cluster/resources lags (10)")
    add("--unauthorized-delay", type=float, default=3.0, help="seconds which every 401 takes (3)")
    add("--ca-file", help="write the certificate of the authority to this file")
    add("--seed", type=int, default=1, help="of the random numbers (1)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
