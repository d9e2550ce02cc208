import http.client
import json
import socket
import ssl
import time
from urllib.parse import urlsplit

import pytest

from pvesim import Cluster
from tests.pvesim.conftest import Api
from tests.waits import TIMEOUT


def raw(lab: Cluster, request: bytes) -> tuple[int, dict[str, str], bytes]:
    context = ssl.create_default_context(cadata=lab.ca_pem)
    connection = http.client.HTTPSConnection(lab.host, lab.port, timeout=TIMEOUT, context=context)
    connection.connect()
    try:
        connection.sock.sendall(request)
        answer = http.client.HTTPResponse(connection.sock)
        answer.begin()
        return answer.status, dict(answer.headers), answer.read()
    finally:
        connection.close()


def test_data_comes_in_an_envelope(boss: Api) -> None:
    answer = boss.get("/version")
    assert set(answer.json()) == {"data"}
    assert answer.headers["Content-Type"] == "application/json;charset=UTF-8"
    assert answer.headers["Server"] == "pve-api-daemon/3.0"


def test_the_reason_phrase_carries_the_message(boss: Api) -> None:
    answer = boss.get("/nodes/pve1/qemu/999/config")
    assert answer.status_code == 500
    assert answer.reason == "Configuration file 'nodes/pve1/qemu-server/999.conf' does not exist"
    assert answer.json() == {"data": None, "message": f"{answer.reason}\n"}


def test_the_reason_phrase_is_raw_utf8(lab: Cluster, boss: Api) -> None:
    lab.faults.reply("^/version$", 500, "Größe unbekannt")
    reason = boss.get("/version").reason
    # urllib3 decodes what it can; http.client alone gives Latin-1.
    assert reason in ("Größe unbekannt", "Größe unbekannt".encode().decode("latin-1"))


def test_errors_close_the_connection(boss: Api) -> None:
    assert boss.get("/version").headers["Connection"] == "Keep-Alive"
    assert boss.get("/nope").headers["Connection"] == "close"


def test_a_connection_serves_many_requests(lab: Cluster, boss: Api) -> None:
    context = ssl.create_default_context(cadata=lab.ca_pem)
    connection = http.client.HTTPSConnection(lab.host, lab.port, timeout=TIMEOUT, context=context)
    ports = set()
    for _ in range(3):
        connection.request("GET", "/api2/json/version", headers={"Authorization": boss.header})
        connection.getresponse().read()
        ports.add(connection.sock.getsockname())
    connection.close()
    assert len(ports) == 1


def test_a_connection_serves_at_most_a_hundred_requests(boss: Api) -> None:
    seen = [boss.get("/version").headers["Connection"] for _ in range(101)]
    assert seen == ["Keep-Alive"] * 99 + ["close", "Keep-Alive"]


@pytest.mark.parametrize("verb", ["HEAD", "OPTIONS", "PATCH"])
def test_other_verbs_are_refused_without_a_body(boss: Api, verb: str) -> None:
    answer = boss.call(verb, "/version")
    assert (answer.status_code, answer.text) == (501, "")
    assert "Content-Type" not in answer.headers


def test_an_unknown_path_is_not_implemented(boss: Api) -> None:
    answer = boss.get("/nope")
    assert (answer.status_code, answer.reason) == (501, "Method 'GET /nope' not implemented")


def test_a_path_outside_of_the_api_is_no_file(lab: Cluster) -> None:
    status, headers, body = raw(lab, b"GET /elsewhere HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (status, body) == (500, b"no such file '/elsewhere'")
    assert "Content-Type" not in headers


def test_a_chunked_body_is_refused(lab: Cluster) -> None:
    head = b"POST /api2/json/access/ticket HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    status, _, body = raw(lab, head + b"0\r\n\r\n")
    assert (status, body) == (501, b"chunked transfer encoding not supported")


def test_a_get_with_a_body_is_refused(boss: Api) -> None:
    answer = boss.call("GET", "/version", data={"a": "b"})
    assert (answer.status_code, answer.text) == (501, "Unexpected content for method 'GET'")


def test_large_answers_are_compressed_when_that_is_accepted(boss: Api) -> None:
    assert boss.get("/cluster/resources").headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in boss.get("/version").headers
    plain = boss.call("GET", "/cluster/resources", headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers


def test_a_body_may_be_json(boss: Api) -> None:
    answer = boss.call("PUT", "/nodes/pve1/qemu/102/config", json={"onboot": True, "cores": 3})
    assert answer.status_code == 200
    config = boss.data("/nodes/pve1/qemu/102/config")
    assert (config["onboot"], config["cores"]) == (1, 3)


def test_malformed_json_is_answered_in_plain_text(boss: Api) -> None:
    headers = {"Content-Type": "application/json"}
    answer = boss.call("PUT", "/nodes/pve1/qemu/102/config", data='{"cores":', headers=headers)
    assert answer.status_code == 500
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_all_bad_parameters_are_named_at_once(boss: Api) -> None:
    answer = boss.post("/nodes/pve1/qemu/101/status/shutdown", timeout="soon", forceStop="True", bogus=1)
    assert (answer.status_code, answer.reason) == (400, "Parameter verification failed.")
    errors = answer.json()["errors"]
    assert errors["timeout"] == "type check ('integer') failed - got 'soon'"
    assert errors["forceStop"] == "type check ('boolean') failed - got 'True'"
    assert "not defined in schema" in errors["bogus"]


def test_a_missing_parameter_is_named(anonymous: Api) -> None:
    answer = anonymous.post("/access/ticket", username="boss@pve")
    assert answer.status_code == 400
    assert "missing" in answer.json()["errors"]["password"]


@pytest.mark.parametrize("vmid", ["abc", "99", "1000000000"])
def test_a_vmid_is_a_number_in_its_range(boss: Api, vmid: str) -> None:
    answer = boss.get(f"/nodes/pve1/qemu/{vmid}/status/current")
    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == {"vmid"}


def test_a_value_outside_of_the_enumeration_is_refused(boss: Api) -> None:
    answer = boss.get("/cluster/resources", type="pool")
    assert "vm, storage, node, sdn" in answer.json()["errors"]["type"]


def test_calls_done_by_the_privileged_daemon_say_close_and_keep_alive(lab: Cluster, boss: Api) -> None:
    assert boss.get("/nodes/pve1/qemu").headers["Connection"] == "close, Keep-Alive"
    assert boss.get("/nodes/pve2/qemu").headers["Connection"] == "close,Keep-Alive, Keep-Alive"


def test_the_format_for_browsers_wraps_errors_in_a_success(lab: Cluster, boss: Api) -> None:
    answer = boss.session.get(f"{lab.url}/api2/extjs/nodes/ghost/status", timeout=TIMEOUT)
    assert answer.status_code == 200
    assert (answer.json()["success"], answer.json()["status"]) == (0, 500)


def test_only_root_may_use_skiplock(lab: Cluster, boss: Api) -> None:
    answer = boss.post("/nodes/pve1/qemu/101/status/start", skiplock=1)
    assert answer.json()["errors"]["skiplock"] == "Only root may use this option."


def test_answers_are_quick(boss: Api) -> None:
    took = []
    for _ in range(50):
        began = time.perf_counter()
        boss.get("/version")
        took.append(time.perf_counter() - began)
    # Nagle's algorithm would wait forty milliseconds for each acknowledgement, once a connection is no longer new. On a
    # busy machine most of them may take as long nevertheless.
    assert sorted(took[25:])[3] < 0.03


def test_the_url_is_local_https(lab: Cluster) -> None:
    assert urlsplit(lab.url)[:2] == ("https", f"127.0.0.1:{lab.port}")


@pytest.mark.parametrize(("verb", "status"), [("GET", 301), ("POST", 308)])
def test_plain_http_is_sent_to_https(lab: Cluster, verb: str, status: int) -> None:
    connection = http.client.HTTPConnection(lab.host, lab.port, timeout=TIMEOUT)
    connection.request(verb, "/api2/json/version")
    answer = connection.getresponse()
    place = f"https://{lab.host}:{lab.port}/api2/json/version"
    assert (answer.status, answer.getheader("Location")) == (status, place)
    connection.close()


def test_what_is_neither_http_nor_tls_gets_nothing(lab: Cluster) -> None:
    with socket.create_connection((lab.host, lab.port), timeout=TIMEOUT) as connection:
        connection.sendall(b"SSH-2.0-client\r\n\r\n")
        assert connection.recv(100) == b""
