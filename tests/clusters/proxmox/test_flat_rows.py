"""Lists of flat rows that are read past the dictionaries, against the same answers as all others are read."""

import json
import random
from typing import Any

import pytest
import requests

from clusters.proxmox import errors, results
from clusters.proxmox.results import flat_rows
from clusters.proxmox.results.parsing import MAX_DEPTH, Serializer
from tests.samples import SEED

DEEP = "[" * MAX_DEPTH + "]" * MAX_DEPTH
ROW = {"type": "qemu", "vmid": 100, "node": "pve1", "name": "vm", "status": "running", "uptime": 5, "cpu": 0.5}
ODD: list[Any] = [
    None, True, "", "é\u200b", 0, -1, 1.5, 10**30, [], {"a": 1}, "node", "pool", "labs", "lxc", "100", "\ud83d",
]  # fmt: skip


def loaded(serializer: Serializer, body: bytes) -> Any:
    """What becomes of an answer: its resources, or the error."""
    response = requests.Response()
    response._content = body
    try:
        return results.resources(serializer.loads(response))
    except errors.ProtocolError as error:
        return error.plain


def both(body: bytes) -> tuple[Any, Any]:
    return loaded(flat_rows.FlatSerializer(), body), loaded(Serializer(), body)


def test_a_plain_list_is_read_into_rows():
    response = requests.Response()
    response._content = json.dumps({"data": [ROW]}).encode()
    assert type(flat_rows.FlatSerializer().loads(response)[0]) is flat_rows.FlatRow


def test_random_lists_are_the_same_either_way():
    chance = random.Random(SEED)  # noqa: S311 - to be the same again
    for _ in range(500):
        rows = [
            {
                name: chance.choice(ODD) if chance.random() < 0.1 else value
                for name, value in (ROW | {"vmid": vmid}).items()
            }
            for vmid in range(100, 105)
        ]
        flat, plain = both(json.dumps({"data": rows}).encode())
        assert flat == plain, rows


@pytest.mark.parametrize(
    "body",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"data":null}',
        '{"data":{}}',
        '{"data":[1,"a",null]}',
        '{"data":[{"type":"qemu","vmid":NaN}]}',
        '{"data":[{"type":"qemu","vmid":100,"node":"pve1","name":' + DEEP + "}]}",
        '{"data":[{"type":"qemu","vmid":100,"node":"pve1","other":' + DEEP + "}]}",
        '{"data":[{"type":"qemu","vmid":100,"node":"pve1","vmid":101}]}',
        '{"data":[{"type":"qemu","vmid":100,"node":"pve1"}],"data":[]}',
        '{"data":' + "[" * 100_000,
        '{"data":[{"other":' + "[" * 5_000 + "]" * 5_000 + "}]}",
        '{"data":[{"type":"qemu","vmid":100,"node":"pve1","name":"\\ud83d"}]}',
        '{"data":[{"type":"qemu","vmid":1e400,"node":"pve1"}]}',
        "\ufeff" + '{"data":[]}',
        '{"data":[' + ",".join(["{}"] * 20_001) + "]}",
    ],
    ids=lambda body: body[:60],
)
def test_odd_answers_are_the_same_either_way(body: str):
    flat, plain = both(body.encode())
    assert flat == plain


def test_bytes_that_are_no_text_are_the_same_either_way():
    flat, plain = both(b'{"data":[{"type":"qemu","vmid":100,"node":"pve1","name":"\xff"}]}')
    assert flat == plain == both(b"\xff")[1]
