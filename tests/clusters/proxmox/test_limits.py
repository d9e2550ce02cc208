"""Where the limits are, and that what keeps to them is read."""

import gzip
import json
import socket

import pytest

from clusters import proxmox
from clusters.proxmox.answers import MAX_DEPTH
from clusters.proxmox.exchange import MAX_BODY
from pvesim.cluster import Cluster

from .hostile import nested
from .rawserver import VERSION, RawServer, StartRaw, ok
from .watching import watched

JSON = {"Content-Type": "application/json"}


def test_nesting_has_a_limit(pve: proxmox.Client, lab: Cluster) -> None:
    lab.faults.reply("/version", body=nested(MAX_DEPTH - 2), times=1)
    lab.faults.reply("/version", body=nested(MAX_DEPTH - 1))
    assert pve.version().version == "9"
    with pytest.raises(proxmox.ProtocolError, match="nested"):
        pve.version()


def test_a_body_has_a_limit(pve: proxmox.Client, lab: Cluster) -> None:
    lab.faults.reply("/version", body=b" " * (MAX_BODY + 1))
    with pytest.raises(proxmox.ProtocolError, match="8 MiB"):
        pve.version()


def test_a_large_body_within_the_limit(pve: proxmox.Client, lab: Cluster) -> None:
    lab.faults.reply("/version", body=b'{"data":{"version":"9"}}' + b" " * (MAX_BODY - 24))
    assert pve.version().version == "9"


def test_gzip_is_read(pve: proxmox.Client, lab: Cluster) -> None:
    body = gzip.compress(b'{"data":{"version":"9","release":"9"}}')
    lab.faults.reply("/version", body=body, headers={**JSON, "Content-Encoding": "gzip"})
    assert pve.version().version == "9"


def read_list(raw: StartRaw, body: bytes) -> tuple[proxmox.Resources | None, float]:
    """What is made of it, and how many MiB that took."""
    answer = ok(body)

    def speak(server: RawServer, conn: socket.socket) -> None:
        server.read_head(conn)
        conn.sendall(answer)

    with proxmox.connect(raw(speak).config, deadline=10.0) as pve, watched() as seen:
        try:
            found = pve.resources()
        except proxmox.ProtocolError:
            found = None
    return found, seen.mib


def test_a_large_cluster_is_read(raw: StartRaw) -> None:
    row = (
        '{"id":"qemu/%d","type":"qemu","vmid":%d,"node":"pve%d","name":"course-machine-%d","status":"running",'
        '"template":0,"uptime":86400,"cpu":0.0312334455667788,"maxcpu":4,"mem":2147483648,"maxmem":4294967296,'
        '"memhost":2361393152,"disk":0,"maxdisk":34359738368,"netin":1234567890,"netout":4567890123,'
        '"diskread":7890123456,"diskwrite":10111213145,"pool":"course-%d","tags":"course-a;web;spring","hastate":"x"}'
    )
    rows = (row % (vmid, vmid, vmid % 32, vmid, vmid % 200) for vmid in range(100, 10_100))
    body = f'{{"data":[{",".join(rows)}]}}'.encode()
    found, mib = read_list(raw, body)
    assert len(body) > 4_000_000
    assert found
    assert len(found.guests) == 10_000
    assert mib < 64


FILLERS = {
    "numbers": b"1.5,",
    "texts": b'"x",',
    "rows": b"{},",
    "lists": b"[],",
    "numbers in lists": b"[1.5],",
    "guests": b'{"type":"qemu","vmid":100,"node":"n"},',
    "names": b'{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6},',
    "other letters": '"é日",'.encode(),
}


@pytest.mark.parametrize("filler", FILLERS)
@pytest.mark.parametrize("bomb", [b"", "\U0001f4a3".encode()], ids=["", "with an emoji"])
def test_no_answer_takes_more_memory_than_allowed(raw: StartRaw, filler: str, bomb: bytes) -> None:
    """Neither the largest that there can be, nor the smaller ones, of which some are read."""
    for share in (1, 2, 4):
        times = MAX_BODY // len(FILLERS[filler]) // share - 20
        _, mib = read_list(raw, b'{"data":[' + FILLERS[filler] * times + b'"' + bomb + b'"]}')
        assert mib < 64


def test_what_is_http(raw: StartRaw) -> None:
    def speak(server: RawServer, conn: object) -> None:
        server.read_head(conn)
        conn.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" + VERSION + ok(b"more"))

    with proxmox.connect(raw(speak).config, deadline=2.0) as pve:
        assert pve.version().release == "9.2"


EVIL = [
    "../x",
    "..",
    ".",
    "a/b",
    "a%2fb",
    "a?b",
    "a#b",
    "a b",
    "a;b",
    "a\nb",
    "<script>",
    "a\x00",
    "é",
    "-a",
    "_",
    "a" * 64,
]


@pytest.mark.parametrize("name", EVIL)
def test_a_node_of_an_evil_name_is_rejected(pve: proxmox.Client, lab: Cluster, name: str) -> None:
    rows = [
        {"type": "qemu", "vmid": 100, "node": name},
        {"type": "node", "node": name},
        {"type": "node", "node": "pve1"},
    ]
    lab.faults.reply("/cluster/resources", body=json.dumps({"data": rows}))
    answer = pve.resources()
    assert (answer.guests, len(answer.nodes), answer.rejected) == ((), 1, 2)
