"""Answers that are meant to do harm, or come from something that is no cluster."""

import gzip
import json
import zlib
from collections.abc import Iterator

import pytest
import requests

from clusters import proxmox
from clusters.config import ClusterConfig
from clusters.proxmox.answers import MAX_DEPTH
from clusters.proxmox.exchange import MAX_BODY
from pvesim.cluster import Cluster
from pvesim.simulator import Simulator

from .rawserver import VERSION, RawServer, StartRaw, ok

JSON = {"Content-Type": "application/json"}


def nested(levels: int) -> str:
    return '{"data":{"version":"9","release":"9","x":' + "[" * levels + "]" * levels + "}}"


@pytest.mark.parametrize(
    "body",
    [
        "", "null", "[]", "[1]", "{}", '"data"', '{"data"', '{"data":{}}', '{"data":[]}', '{"data":null}', '{"data":1}',
        '{"Data":{"version":"9"}}', '{"data":{"version":NaN}}', '{"data":{"version":["9"]}}', '{"data":{"version":""}}',
        b"\xff\xfe", b"\xef\xbb\xbf{}", '{"data":' + "1" * 5000 + "}", "<html>Log in to the network</html>",
    ],
)  # fmt: skip
def test_what_is_no_version(pve: proxmox.Client, lab: Cluster, body: str | bytes) -> None:
    lab.faults.reply("/version", body=body)
    with pytest.raises(proxmox.BadAnswer):
        pve.version()


@pytest.mark.parametrize("status", [200, 401, 403, 500])
def test_a_web_page_is_no_answer_whatever_its_status(pve: proxmox.Client, lab: Cluster, status: int) -> None:
    lab.faults.reply("/version", status=status, body="<html>", headers={"Content-Type": "text/HTML; charset=utf-8"})
    with pytest.raises(proxmox.BadAnswer, match="web page"):
        pve.version()


def test_nesting_has_a_limit(pve: proxmox.Client, lab: Cluster) -> None:
    lab.faults.reply("/version", body=nested(MAX_DEPTH - 2), times=1)
    lab.faults.reply("/version", body=nested(MAX_DEPTH - 1))
    assert pve.version().version == "9"
    with pytest.raises(proxmox.BadAnswer, match="nested"):
        pve.version()


@pytest.mark.parametrize("levels", [900, 10_000, 90_000])
def test_nesting_that_breaks_the_parser(pve: proxmox.Client, lab: Cluster, levels: int) -> None:
    lab.faults.reply("/version", body=nested(levels))
    with pytest.raises(proxmox.BadAnswer):
        pve.version()
    with pytest.raises(RecursionError):
        json.loads(nested(10_000))


def test_a_body_has_a_limit(pve: proxmox.Client, lab: Cluster) -> None:
    lab.faults.reply("/version", body=b" " * (MAX_BODY + 1))
    with pytest.raises(proxmox.BadAnswer, match="16 MiB"):
        pve.version()


def test_a_large_body_within_the_limit(pve: proxmox.Client, lab: Cluster) -> None:
    lab.faults.reply("/version", body=b'{"data":{"version":"9"}}' + b" " * (MAX_BODY - 24))
    assert pve.version().version == "9"


def bomb(size: int) -> bytes:
    squeeze = zlib.compressobj(9, wbits=31)
    return b"".join(squeeze.compress(b" " * 2**20) for _ in range(size // 2**20)) + squeeze.flush()


def test_a_gzip_bomb_is_cut_off(pve: proxmox.Client, lab: Cluster, ca_file: str) -> None:
    body = bomb(64 * 2**20)
    lab.faults.reply("/version", body=body, headers={**JSON, "Content-Encoding": "gzip"})
    with pytest.raises(proxmox.BadAnswer, match="16 MiB"):
        pve.version()
    with requests.get(f"{lab.url}/api2/json/version", verify=ca_file, timeout=5, stream=True) as plain:
        assert sum(map(len, plain.iter_content(2**20))) == 64 * 2**20


def test_gzip_is_read(pve: proxmox.Client, lab: Cluster) -> None:
    body = gzip.compress(b'{"data":{"version":"9","release":"9"}}')
    lab.faults.reply("/version", body=body, headers={**JSON, "Content-Encoding": "gzip"})
    assert pve.version().version == "9"


@pytest.mark.parametrize("body", [b"not gzip", gzip.compress(b'{"data":{"version":"9"}}')[:-12] + b"x" * 12])
def test_broken_gzip(pve: proxmox.Client, lab: Cluster, body: bytes) -> None:
    lab.faults.reply("/version", body=body, headers={**JSON, "Content-Encoding": "gzip"})
    with pytest.raises(proxmox.BadAnswer):
        pve.version()


@pytest.mark.parametrize(
    ("filler", "times"),
    [("{},", 150_000), ("[],", 150_000), ("1,", 1_100_000), ('"",', 1_100_000), ("1.5,", 1_100_000)],
)
def test_small_text_that_would_fill_the_memory(pve: proxmox.Client, lab: Cluster, filler: str, times: int) -> None:
    lab.faults.reply("/cluster/resources", body='{"data":[' + filler * times + "0]}")
    with pytest.raises(proxmox.BadAnswer, match="too many"):
        pve.resources()


def test_a_cut_body(pve: proxmox.Client, lab: Cluster) -> None:
    lab.faults.reply("/version", body='{"data":{}}', headers={**JSON, "Content-Length": "5000"})
    with pytest.raises(proxmox.Dropped):
        pve.version()


def test_a_large_cluster_is_read(pve: proxmox.Client, lab: Cluster) -> None:
    row = '{"id":"qemu/%d","type":"qemu","vmid":%d,"node":"pve1","name":"n","status":"running","tags":"a;b","maxmem":1}'
    body = '{"data":[' + ",".join(row % (vmid, vmid) for vmid in range(100, 10_100)) + "]}"
    lab.faults.reply("/cluster/resources", body=body)
    assert len(pve.resources().guests) == 10_000


@pytest.fixture
def trap(sim: Simulator) -> Iterator[Cluster]:
    """Another server, that a redirect leads to."""
    yield sim.add_cluster("trap")
    sim.remove_cluster("trap")


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
def test_a_redirect_is_not_followed(
    config: ClusterConfig, by_password: ClusterConfig, lab: Cluster, trap: Cluster, status: int
) -> None:
    lab.faults.reply(".", status=status, headers={"Location": f"{trap.url}/api2/json/access/ticket"})
    for one in (config, by_password):
        with proxmox.connect(one) as pve, pytest.raises(proxmox.ProxmoxError, match="redirect"):
            pve.power("pve1", "qemu", 101, proxmox.Power.STOP)
    assert trap.count() == 0


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_requests_itself_would_carry_a_password_along(lab: Cluster, trap: Cluster) -> None:
    lab.faults.reply(".", status=307, headers={"Location": f"{trap.url}/api2/json/access/ticket"})
    form = {"username": "x@pve", "password": "p"}
    requests.post(f"{lab.url}/api2/json/access/ticket", data=form, verify=False, timeout=5)
    assert trap.count(method="POST") == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"hello\r\n\r\n",
        b"\x15\x03\x03\x00\x02\x02\x28",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 " + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 100_000,
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
    ],
)
def test_what_is_no_http(raw: StartRaw, answer: bytes) -> None:
    def speak(server: RawServer, conn: object) -> None:
        server.read_head(conn)
        conn.sendall(answer)

    with proxmox.connect(raw(speak).config, deadline=2.0) as pve, pytest.raises((proxmox.BadAnswer, proxmox.Dropped)):
        pve.version()


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
