"""Where the limits are, and that what keeps to them is read."""

import gzip
import json
import socket

import pytest

from clusters import proxmox
from clusters.proxmox.results.parsing import MAX_DEPTH
from clusters.proxmox.transport import MAX_BODY
from pvesim.cluster import Cluster
from tests.waits import TIMEOUT

from .malformed_answers import nested
from .rawserver import VERSION, RawServer, StartRaw, ok
from .resource_usage import watched

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

    with proxmox.connect(raw(speak).config, deadline=TIMEOUT) as pve, watched() as seen:
        try:
            found = pve.resources()
        except proxmox.ProtocolError:
            found = None
    return found, seen.mib


ROW = (
    '{"id":"qemu/%d","type":"qemu","vmid":%d,"node":"pve%d","name":"course-machine-%d%s","status":"running",'
    '"template":0,"uptime":86400,"cpu":0.0312334455667788,"maxcpu":4,"mem":2147483648,"maxmem":4294967296,'
    '"memhost":2361393152,"disk":0,"maxdisk":34359738368,"netin":1234567890,"netout":4567890123,'
    '"diskread":7890123456,"diskwrite":10111213145,"pool":"course-%d","tags":"course-a;web;spring","hastate":"x"}'
)
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"


def large_list(guests: int, ending: str, every: int) -> bytes:
    """Of 450 bytes for each guest; the names of some of them end like this."""
    rows = (
        ROW % (vmid, vmid, vmid % 32, vmid, "" if vmid % every else ending, vmid % 200)
        for vmid in range(100, 100 + guests)
    )
    return f'{{"data":[{",".join(rows)}]}}'.encode()


ENDINGS = {
    "nothing": ("", 1),
    "an emoji in one": ("\U0001f4a3", 10_000),
    "an escaped emoji in one": (r"\ud83d\udca3", 10_000),
    "families in all": (FAMILY, 1),
    "a letter in one": ("\u65e5", 10_000),
    "something invisible in all": ("\u200b", 1),
}


@pytest.mark.parametrize("name", ENDINGS)
def test_a_large_cluster_is_read_whatever_its_letters(raw: StartRaw, name: str) -> None:
    ending, every = ENDINGS[name]
    body = large_list(10_000, ending, every)
    found, mib = read_list(raw, body)
    assert len(body) > 4_000_000
    assert found
    assert (len(found.guests), found.rejected) == (10_000, 0)
    assert mib < 64


def test_a_list_of_five_megabytes_with_an_emoji_is_read(raw: StartRaw) -> None:
    body = large_list(12_500, FAMILY, 10_000)
    found, mib = read_list(raw, body)
    assert len(body) > 5_000_000
    assert found
    assert len(found.guests) == 12_500
    assert mib < 64


def test_an_emoji_in_an_answer_of_usual_size_is_kept(pve: proxmox.Client, lab: Cluster) -> None:
    lab.guest(101).name = "web \U0001f4a3"
    assert "web \U0001f4a3" in {guest.name for guest in pve.resources().guests}


FILLERS = {
    "numbers": b"1.5,",
    "texts": b'"x",',
    "rows": b"{},",
    "lists": b"[],",
    "numbers in lists": b"[1.5],",
    "guests": b'{"type":"qemu","vmid":100,"node":"n"},',
    "names": b'{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6},',
    "other letters": '"é日",'.encode(),
    "emoji": '"\U0001f4a3",'.encode(),
}


BOMBS = {
    "nothing": b"",
    "an emoji": "\U0001f4a3".encode(),
    "many emoji": "x\U0001f4a3".encode() * 90_000,
    "too many emoji": "x\U0001f4a3".encode() * 110_000,
    "an escaped emoji": b"\\ud83d\\udca3",
    "half an emoji": b"\xf0",
}


@pytest.mark.parametrize("filler", FILLERS)
@pytest.mark.parametrize("bomb", ["nothing", "an emoji", "many emoji"])
def test_no_answer_takes_more_memory_than_allowed(raw: StartRaw, filler: str, bomb: str) -> None:
    """Neither the largest that there can be, nor the smaller ones, of which some are read."""
    for share in (1, 2, 4):
        times = (MAX_BODY - len(BOMBS[bomb])) // len(FILLERS[filler]) // share - 20
        _, mib = read_list(raw, b'{"data":[' + FILLERS[filler] * times + b'"' + BOMBS[bomb] + b'"]}')
        assert mib < 64


@pytest.mark.parametrize("letter", ["y", "\u00e9"])
@pytest.mark.parametrize("bomb", BOMBS)
def test_no_long_text_takes_more_memory_than_allowed(raw: StartRaw, letter: str, bomb: str) -> None:
    for share in (1, 2):
        times = (MAX_BODY - len(BOMBS[bomb])) // len(letter.encode()) // share - 20
        _, mib = read_list(raw, b'{"data":["' + letter.encode() * times + BOMBS[bomb] + b'"]}')
        assert mib < 64


def test_what_is_http(raw: StartRaw) -> None:
    def speak(server: RawServer, conn: object) -> None:
        server.read_head(conn)
        conn.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" + VERSION + ok(b"more"))

    with proxmox.connect(raw(speak).config, deadline=TIMEOUT) as pve:
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
