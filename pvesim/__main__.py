"""Run a small seeded cluster until Ctrl-C."""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from pvesim.cluster import Cluster
from pvesim.control import Control, fault_list
from pvesim.power import Durations
from pvesim.releases import NEWEST, RELEASES
from pvesim.seed import fill, seed, seed_provisioning
from pvesim.simulator import Simulator

DESCRIPTION = """
Start a simulated Proxmox VE cluster on 127.0.0.1 and print how to reach it. One port per node, HTTPS with a
certificate of the cluster's own authority. Nothing is kept: every start is the same, but for the passwords.

accounts   admin@pve (Administrator), with the token admin@pve!portal (privsep 0)
           student@pve (PVEVMUser on /vms/101)
guests     100-104 in the pool labs, 110 a template there, 105-107 in staff, 200-201 on the last node;
           with --guests more of them, from 1000 on
           with --provisioning the templates 111 (on data) and 112 (on the storage shared), and the token
           prov@pve!class, which makes machines out of 111 in the pool prov

Passwords and secrets stay the same from start to start when the environment has PVESIM_PASSWORD,
PVESIM_TOKEN_SECRET (a UUID) and PVESIM_CONTROL_TOKEN.
"""
FAULTS = """
With --control-port, faults can be caused and undone while it runs. It prints the token which every request needs:

  export PVESIM_CONTROL_TOKEN=anything; python -m pvesim --control-port 8500 &
  AUTH="Authorization: Bearer $PVESIM_CONTROL_TOKEN"
  curl -H "$AUTH" -X POST "http://127.0.0.1:8500/faults/node-down?node=pve2&timeout=3"
  curl -H "$AUTH" -X POST http://127.0.0.1:8500/faults/malformed -d kind=html -d path_regex=/version -d times=1
  curl -H "$AUTH" -X DELETE http://127.0.0.1:8500/faults      undoes everything

It answers null when that was done, and otherwise says what was wrong.

faults and their parameters, optional ones in brackets; those which concern single answers also take times=,
method=, node=, executed= and reused=
"""


def main() -> int:
    options = _arguments()
    # A shell starts what it puts in the background deaf to Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    simulator = Simulator(seed=options.seed)
    cluster = simulator.add_cluster(
        options.name,
        nodes=node_names(options.nodes),
        standalone=options.standalone,
        first_port=options.port,
        statd_interval=options.statd_interval,
        unauthorized_delay=options.unauthorized_delay,
        agent_delay=3.0,
        console_delay=5.0,
        durations=Durations(abort=5.0, account_lock=10.0, cleanup_lock=options.cleanup_lock),
        release=options.release,
        shuffled=not options.keep_order,
    )
    seed(cluster, options.password, os.environ.get("PVESIM_TOKEN_SECRET"))
    if options.provisioning:
        seed_provisioning(cluster)
    fill(cluster, options.guests)
    with ExitStack() as running:
        running.enter_context(simulator)
        control = None
        if options.control_port is not None:
            token = os.environ.get("PVESIM_CONTROL_TOKEN")
            control = running.enter_context(Control(simulator, options.control_port, token))
        if options.ca_file:
            Path(options.ca_file).write_text(cluster.ca_pem)
        try:
            print(introduction(cluster, options.password, control), flush=True)
            threading.Event().wait()
        except KeyboardInterrupt:
            print("\nstopped", flush=True)
    return 0


def node_names(text: str) -> list[str]:
    """Names, or how many of them."""
    return [f"pve{number}" for number in range(1, int(text) + 1)] if text.isdecimal() else text.split(",")


def introduction(cluster: Cluster, password: str, control: Control | None = None) -> str:
    return "\n".join(_introduction(cluster, password, control))


def _introduction(cluster: Cluster, password: str, control: Control | None) -> Iterator[str]:
    token = cluster.token("admin@pve!portal")
    yield f"cluster {cluster.name}, Proxmox VE {cluster.release.name}, {len(cluster.guests)} guests"
    yield from (f"  {name:<8} {url}  {cluster.fingerprint(name)}" for name, url in cluster.urls.items())
    yield f"users    admin@pve, student@pve; password {password}"
    yield f"token    {token.full_id}={token.secret}"
    if maker := cluster.accounts.tokens.get("prov@pve!class"):
        yield f"maker    {maker.full_id}={maker.secret}"
    if control is not None:
        yield f"control  {control.url}/faults  Authorization: Bearer {control.token}"
    yield "stop     Ctrl-C"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m pvesim",
        description=DESCRIPTION,
        epilog=f"{FAULTS}\n{fault_list()}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    password = os.environ.get("PVESIM_PASSWORD") or secrets.token_urlsafe(9)
    add("--name", default="lab-a", help="name of the cluster (default: %(default)s)")
    add("--nodes", default="pve1,pve2", help="names of the nodes, or their number (default: %(default)s)")
    add("--guests", type=int, default=0, metavar="COUNT", help="fill up to so many guests")
    add("--provisioning", action="store_true", help="with templates, a pool and a token to make machines")
    add("--release", default=NEWEST, choices=tuple(RELEASES), help="what it passes for (default: %(default)s)")
    add("--standalone", action="store_true", help="a node without a cluster; needs --nodes with one name")
    add("--port", type=int, default=0, help="port of the first node, the others follow (default: free ones)")
    add("--password", default=password, help="of both users (default: a new one)")
    add("--statd-interval", type=float, default=10.0, help="seconds by which /cluster/resources lags (10)")
    add("--unauthorized-delay", type=float, default=3.0, help="seconds which every 401 takes (3)")
    add("--cleanup-lock", type=float, default=0.0, help="seconds which a start right after a stop locks (0; real: 30)")
    add("--control-port", type=int, help="let faults be caused on this port, 0 for a free one; see below")
    add("--ca-file", help="write the certificate of the authority to this file")
    add("--keep-order", action="store_true", help="keys and rows in the same order at each call, unlike a real server")
    add("--seed", type=int, default=1, help="of the random numbers (1)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
