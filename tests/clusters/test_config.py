"""clusters.json: what is read from it, and how it is told what is wrong with it."""

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from accounts.encrypted_fields import Secret
from clusters.config import (
    MAX_BYTES,
    MAX_CLUSTERS,
    ClusterConfig,
    ClusterFileError,
    Trust,
    parse,
    parse_entries,
    read_file,
    settle_default,
)

LEAK = "v4lue-that-nobody-repeats"
GOOD: dict[str, Any] = {"id": "alpha", "host": "pve.test", "user": "portal@pve", "password": LEAK}
PRINT = ":".join(["AB"] * 32)
PEM = """-----BEGIN CERTIFICATE-----
MIIBczCCARmgAwIBAgIUY1ITQ2JhbXG1d0lt9bsWmXWDyQ8wCgYIKoZIzj0EAwIw
-----END CERTIFICATE-----"""
MISSING = type("Missing", (), {"__repr__": lambda self: "MISSING"})()  # the same name in every process


def changed(**fields: Any) -> dict[str, Any]:
    return {key: value for key, value in (GOOD | fields).items() if value is not MISSING}


def read(document: object) -> list[ClusterConfig]:
    return parse(json.dumps(document).encode(), source="clusters.json")


def refusal(content: object) -> ClusterFileError:
    content = content if isinstance(content, bytes) else json.dumps(content).encode()
    with pytest.raises(ClusterFileError) as error:
        parse(content, source="clusters.json")
    return error.value


# What it accepts.


@pytest.mark.parametrize("document", [[GOOD], {"clusters": [GOOD]}], ids=["list", "object"])
def test_a_file_is_a_list_or_an_object_with_a_list(document):
    (config,) = read(document)
    assert (config.cluster_id, config.host, config.user) == ("alpha", "pve.test", "portal@pve")


def test_what_is_left_out_gets_the_usual_values():
    (config,) = read([GOOD])
    assert (config.name, config.port, config.verify_ssl) == ("Cluster alpha", 8006, False)
    assert (config.is_default, config.is_active, config.token_secret) == (False, True, None)


def test_a_password_is_a_secret_at_once():
    (config,) = read([GOOD])
    assert LEAK not in repr(config)
    assert config.password.reveal() == LEAK


def test_a_byte_order_mark_is_skipped():
    content = b"\xef\xbb\xbf" + json.dumps([GOOD]).encode()
    assert len(parse(content, source="clusters.json")) == 1


def test_an_empty_list_is_a_file_without_clusters():
    assert read([]) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"host": "192.0.2.7"}, {"host": "2001:db8::7"}, {"host": "pve-1.school.example"}, {"host": "localhost"},
        {"port": 1}, {"port": 65535}, {"port": "8006"}, {"name": "Ñandú 密"}, {"name": None}, {"name": ""},
        {"id": "A.b_c-9"}, {"id": "x" * 50}, {"user": "anna.b@school-ldap"}, {"fingerprint": PRINT},
        {"password": "  ' \" \\ "}, {"password": MISSING, "token_id": "p@pve!t1", "token_secret": LEAK},
        {"verify_ssl": True}, {"is_active": False}, {"description": {"any": ["thing"]}, "created_at": 7},
    ],
    ids=str,
)  # fmt: skip
def test_an_entry_may_have(fields):
    assert len(read([changed(**fields)])) == 1


def test_a_port_in_quotes_is_a_number():
    assert read([changed(port="443")])[0].port == 443


@pytest.mark.parametrize(
    ("written", "host", "port"),
    [
        ({"host": "[fd00::10]"}, "fd00::10", 8006),
        ({"host": "[fd00::11]:8007"}, "fd00::11", 8007),
        ({"host": "pve1.lab.example:8007"}, "pve1.lab.example", 8007),
        ({"host": "pve1.lab.example:8007", "port": "8007"}, "pve1.lab.example", 8007),
        ({"host": "pve2.lab.example."}, "pve2.lab.example", 8006),
        ({"host": " pve2.lab.example\u200b ", "port": 443}, "pve2.lab.example", 443),
    ],
)
def test_a_host_is_taken_as_people_write_it(written: dict[str, Any], host: str, port: int):
    (config,) = read([changed(**written)])
    assert (config.host, config.port) == (host, port)


@pytest.mark.parametrize("token_id", ["ana.gil@school.example@entra!labs", '"ana.gil@school.example@entra!labs"'])
def test_the_user_of_a_token_may_have_an_at_in_the_name(token_id: str):
    (config,) = read([changed(token_id=token_id, token_secret=" 01234567-89ab-cdef-0123-456789abcdef\u200b")])
    assert config.token_id == "ana.gil@school.example@entra!labs"
    assert config.token_secret.reveal() == "01234567-89ab-cdef-0123-456789abcdef"


def test_a_token_that_no_header_can_carry_is_refused():
    for fields in ({"token_secret": "with blank"}, {"token_secret": "ñandú"}, {"token_id": "josé@pve!labs"}):
        found = refusal([changed(**{"token_id": "portal@pve!labs", "token_secret": "x"} | fields)])
        assert [problem.key for problem in found.problems] == [*fields]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            b'[\n{"id": "a"},\n{"id": "b",\n "host": "x",\n "id": "c"}]',
            "entry 2, line 5: has the key \u201cid\u201d twice",
        ),
        (b'{"clusters": [\n{"id": "a"},\n{"port": NaN}]}', "entry 2, line 3: has NaN"),
        (
            b'[{"id": "NaN, [", "description": {"a": [1, 2]}}, 1,\n{"port": -Infinity}]',
            "entry 3, line 2: has -Infinity",
        ),
        (b'[{},\n\n{"port": ' + b"9" * 5000 + b"}]", "entry 2, line 3: has a number that is too long"),
        (b'{"id": 1,\n"\\u0069d": 2}', "line 2: has the key \u201cid\u201d twice"),
    ],
)
def test_json_that_is_refused_is_told_with_its_entry_and_line(content: bytes, told: str):
    assert str(refusal(content)).startswith(f"clusters.json: {told}")


# What it refuses. The middle columns are the key that is named and a word of what was expected.

BAD_ENTRIES = [
    ("id missing", {"id": MISSING}, "id", "is missing"),
    ("id null", {"id": None}, "id", "is missing"),
    ("id empty", {"id": ""}, "id", "is missing"),
    ("id number", {"id": 7}, "id", "should be a text"),
    ("id list", {"id": [LEAK]}, "id", "should be a text"),
    ("id with slash", {"id": f"{LEAK}/x"}, "id", "letters, digits"),
    ("id with line break", {"id": f"{LEAK}\n"}, "id", "letters, digits"),
    ("id with accent", {"id": f"{LEAK}é"}, "id", "letters, digits"),
    ("id dot first", {"id": f".{LEAK}"}, "id", "letters, digits"),
    ("id too long", {"id": "x" * 51}, "id", "1 to 50"),
    ("name number", {"name": 5}, "name", "should be a text"),
    ("name too long", {"name": LEAK * 6}, "name", "at most 120"),
    ("name null character", {"name": f"{LEAK}\0"}, "name", "U+0000"),
    ("name half character", {"name": f"{LEAK}\ud800"}, "name", "U+D800"),
    ("host missing", {"host": MISSING}, "host", "is missing"),
    ("host empty", {"host": ""}, "host", "is missing"),
    ("host number", {"host": 10}, "host", "should be a text"),
    ("host is a URL", {"host": f"https://{LEAK}.example"}, "host", "without https://"),
    ("host with another port", {"host": f"{LEAK}.example:8007", "port": 8006}, "host", "and port"),
    ("host with path", {"host": f"{LEAK}/api2"}, "host", "host name"),
    ("host with user", {"host": f"{LEAK}@evil.example"}, "host", "host name"),
    ("host with query", {"host": f"{LEAK}?x"}, "host", "host name"),
    ("host with space", {"host": f"{LEAK} b"}, "host", "host name"),
    ("host with line break", {"host": f"{LEAK}\nb"}, "host", "control character U+000A"),
    ("host with scope", {"host": f"::1%@{LEAK}"}, "host", "host name"),
    ("host name in brackets", {"host": "[pve.test]"}, "host", "host name"),
    ("host as decimal", {"host": "2130706433"}, "host", "host name"),
    ("host as hexadecimal", {"host": "0x7f.1"}, "host", "host name"),
    ("host as octal", {"host": "0177.0.0.1"}, "host", "host name"),
    ("host dash first", {"host": f"-{LEAK}"}, "host", "host name"),
    ("host empty label", {"host": f"{LEAK}..example"}, "host", "host name"),
    ("host label too long", {"host": "a" * 64}, "host", "host name"),
    ("host too long", {"host": "a." * 129}, "host", "at most 255"),
    ("host not ASCII", {"host": f"{LEAK}é"}, "host", "host name"),
    ("user missing", {"user": MISSING}, "user", "is missing"),
    ("user number", {"user": 1}, "user", "should be a text"),
    ("user without realm", {"user": LEAK}, "user", "realm"),
    ("user with colon", {"user": f"{LEAK}:x@pve"}, "user", "realm"),
    ("user with space", {"user": f"{LEAK} x@pve"}, "user", "realm"),
    ("user too long", {"user": LEAK * 4 + "@pve"}, "user", "at most 80"),
    ("password missing", {"password": MISSING}, "password", "is missing"),
    ("password null", {"password": None}, "password", "is missing"),
    ("password empty", {"password": ""}, "password", "is missing"),
    ("password number", {"password": 12345678}, "password", "should be a text"),
    ("password object", {"password": {"env": LEAK}}, "password", "should be a text"),
    ("password null character", {"password": f"{LEAK}\0"}, "password", "null character"),
    ("password half character", {"password": f"{LEAK}\udfff"}, "password", "surrogate"),
    ("password too long", {"password": "x" * 65537}, "password", "at most 65536"),
    ("port zero", {"port": 0}, "port", "1 to 65535"),
    ("port negative", {"port": -1}, "port", "1 to 65535"),
    ("port too large", {"port": 65536}, "port", "1 to 65535"),
    ("port fraction", {"port": 8006.0}, "port", "1 to 65535"),
    ("port true", {"port": True}, "port", "1 to 65535"),
    ("port null", {"port": None}, "port", "1 to 65535"),
    ("port word", {"port": LEAK}, "port", "1 to 65535"),
    ("port Arabic digits", {"port": "٨٠٠٦"}, "port", "1 to 65535"),
    ("verify_ssl word", {"verify_ssl": LEAK}, "verify_ssl", "true or false"),
    ("verify_ssl number", {"verify_ssl": 1}, "verify_ssl", "true or false"),
    ("is_default null", {"is_default": None}, "is_default", "true or false"),
    ("is_active word", {"is_active": "false"}, "is_active", "true or false"),
    ("token without secret", {"token_id": "p@pve!t1"}, "token_id", "belong together"),
    ("secret without token", {"token_secret": LEAK}, "token_id", "belong together"),
    ("token without user", {"token_id": LEAK, "token_secret": LEAK}, "token_id", "portal@pve!labs"),
    ("token with colon", {"token_id": "p:x@pve!t1", "token_secret": LEAK}, "token_id", "portal@pve!labs"),
    ("secret number", {"token_id": "p@pve!t1", "token_secret": 1}, "token_secret", "should be a text"),
    ("fingerprint short", {"fingerprint": "AB:CD"}, "fingerprint", "32 pairs"),
    ("fingerprint of spaces", {"fingerprint": " "}, "fingerprint", "at least one"),
    ("second fingerprint short", {"fingerprint": f"{PRINT}, AB:CD"}, "fingerprint", "Number 2: write SHA-256"),
    ("33 fingerprints", {"fingerprint": " ".join([PRINT] * 33)}, "fingerprint", "at most 32"),
    ("addresses a text", {"addresses": "10.0.0.12"}, "addresses", "should be a list of texts"),
    ("addresses numbers", {"addresses": [LEAK, 5]}, "addresses", "should be a list of texts"),
    ("address with a scheme", {"addresses": ["pve2.test", f"https://{LEAK}/"]}, "addresses", "number 2: Write host"),
    ("address without a host", {"addresses": [":8006"]}, "addresses", "number 1: Write host"),
    ("address empty", {"addresses": [""]}, "addresses", "number 1: Write host"),
    ("address with port 0", {"addresses": ["pve2.test:0"]}, "addresses", "number 1: Write host"),
    ("address in disguise", {"addresses": ["2130706433:8006"]}, "addresses", "number 1: Write host"),
    ("32 addresses", {"addresses": ["pve2.test"] * 32}, "addresses", "at most 31 addresses"),
    ("learned addresses", {"learned_addresses": ["10.0.0.12"]}, "learned_addresses", "is not a key"),
    ("read token without secret", {"read_token_id": "p@pve!t1"}, "read_token_id", "belong together"),
    ("read secret without token", {"read_token_secret": LEAK}, "read_token_id", "belong together"),
    (
        "read token without user",
        {"read_token_id": LEAK, "read_token_secret": LEAK},
        "read_token_id",
        "portal@pve!labs",
    ),
    (
        "read secret number",
        {"read_token_id": "p@pve!t1", "read_token_secret": 1},
        "read_token_secret",
        "should be a text",
    ),
    ("certificate prose", {"ca_certificate": LEAK}, "ca_certificate", "PEM"),
    ("certificate broken", {"ca_certificate": PEM}, "ca_certificate", "PEM"),
    ("unknown key", {"colour": LEAK}, "colour", "is not a key"),
    ("mistyped key", {"pasword": LEAK}, "pasword", "did you mean “password”"),
    ("key in capitals", {"HOST": LEAK}, "HOST", "did you mean “host”"),
]


@pytest.mark.parametrize(
    ("fields", "key", "expected"), [case[1:] for case in BAD_ENTRIES], ids=[c[0] for c in BAD_ENTRIES]
)
def test_a_bad_entry_is_named_with_its_key_and_what_was_expected(fields, key, expected):
    (problem,) = refusal([GOOD | {"id": "first"}, changed(**fields)]).problems
    assert problem.entry.startswith("entry 2")
    assert problem.key == key
    assert expected in problem.expected


@pytest.mark.parametrize("fields", [case[1] for case in BAD_ENTRIES], ids=[c[0] for c in BAD_ENTRIES])
def test_a_refusal_repeats_no_value(fields):
    assert LEAK not in str(refusal([changed(**fields)]))


def test_a_repeated_value_would_be_noticed():
    assert LEAK in str(refusal([changed(**{LEAK: "a key may be repeated, a value may not"})]))


@pytest.mark.parametrize("entry", [None, 7, "alpha", [], True], ids=str)
def test_an_entry_that_is_no_object_is_refused(entry):
    assert "entry 1: should be an object" in str(refusal([entry]))


def nested(levels: int) -> object:
    return [nested(levels - 1)] if levels else []


BAD_DOCUMENTS = [
    ("empty", b"", "is not JSON"),
    ("white space", b" \n", "is not JSON"),
    ("half", json.dumps([GOOD]).encode()[:-20], "line 1, column"),
    ("second line", b'[\n{"id": oops}]', "line 2, column 8"),
    ("comment", b"// clusters\n[]", "is not JSON"),
    ("comma at the end", b"[1,]", "is not JSON"),
    ("two documents", b"[] []", "is not JSON"),
    ("NaN", b"[NaN]", "NaN, which is not JSON"),
    ("Infinity", b'[{"port": -Infinity}]', "-Infinity, which is not JSON"),
    ("key twice", b'[{"id": "a", "id": "b"}]', "key “id” twice"),
    ("UTF-16", json.dumps([GOOD]).encode("utf-16"), "is not UTF-8"),
    ("Latin 1", '[{"name": "Ñandú"}]'.encode("latin-1"), "is not UTF-8"),
    ("null character", b"[\0]", "is not JSON"),
    ("binary", bytes(range(256)), "is not UTF-8"),
    ("number", b"7", "should be a list"),
    ("null", b"null", "should be a list"),
    ("one cluster", json.dumps(GOOD).encode(), "should be a list"),
    ("other object", b'{"servers": []}', "should be a list"),
    ("object with more", b'{"clusters": [], "version": 1}', "should be a list"),
    ("object of objects", b'{"clusters": {"alpha": {}}}', "should be a list"),
    ("larger than 1 MiB", b"[" + b" " * MAX_BYTES + b"]", "larger than 1 MiB"),
    ("201 clusters", json.dumps([changed(id=f"c{n}") for n in range(MAX_CLUSTERS + 1)]).encode(), "more than 200"),
    ("nested deep", json.dumps([changed(description=nested(8))]).encode(), "nested deeper than 8"),
    ("nested very deep", b"[" * 100_000 + b"]" * 100_000, "nested deeper than 8"),
    ("a number of 5,000 digits", b"[" + b"9" * 5000 + b"]", "clusters.json"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "expected"), [c[1:] for c in BAD_DOCUMENTS], ids=[c[0] for c in BAD_DOCUMENTS])
def test_a_bad_file_is_refused_with_a_reason(content, expected):
    text = str(refusal(content))
    assert text.startswith("clusters.json: ")
    assert expected in text
    assert LEAK not in text


def test_a_file_that_ends_early_is_refused_wherever_it_ends():
    content = json.dumps([GOOD | {"name": "Ñandú"}], ensure_ascii=False).encode()
    for length in range(len(content)):
        assert LEAK not in str(refusal(content[:length]))


def test_a_file_at_the_limits_is_accepted():
    content = json.dumps([changed(id=f"c{n}", description=nested(5)) for n in range(MAX_CLUSTERS)]).encode()
    assert len(parse(content.ljust(MAX_BYTES), source="clusters.json")) == MAX_CLUSTERS


@pytest.mark.parametrize("ids", [["alpha", "alpha"], ["alpha", "ALPHA"], ["a", "a"], ["x", "b", "x"]], ids=str)
def test_an_id_that_is_there_twice_is_refused(ids):
    text = str(refusal([changed(id=cluster_id) for cluster_id in ids]))
    assert f"is there twice (as {ids[0]})" in text


def test_every_problem_is_told_at_once():
    found = refusal([changed(port=0, host=""), GOOD | {"id": "fine"}, changed(user="x")]).problems
    assert {(p.entry, p.key) for p in found} == {
        ("entry 1 (alpha)", "port"), ("entry 1 (alpha)", "host"), ("entry 3 (alpha)", "user")
    }  # fmt: skip


def test_decoded_entries_are_checked_alike():
    with pytest.raises(ClusterFileError, match=r"settings: entry 1 \(alpha\): port"):
        parse_entries([changed(port=0)], source="settings")


# Files.


def test_a_file_is_read_from_its_path(tmp_path):
    (tmp_path / "clusters.json").write_text(json.dumps([GOOD]))
    assert read_file(tmp_path / "clusters.json")[0].cluster_id == "alpha"


def test_an_absent_file_is_an_absent_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_file(tmp_path / "clusters.json")


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(ClusterFileError, match="cannot be read"):
        read_file(tmp_path)


def test_a_device_without_end_is_read_to_the_limit_only():
    if not Path("/dev/zero").exists():
        pytest.skip("needs /dev/zero")
    with pytest.raises(ClusterFileError, match="larger than 1 MiB"):
        read_file("/dev/zero")


# Defaults.


def test_one_default_stays():
    configs, notices = settle_default(read([GOOD, changed(id="beta", is_default=True)]))
    assert [config.is_default for config in configs] == [False, True]
    assert notices == []


def test_several_defaults_are_none():
    configs, notices = settle_default(read([changed(is_default=True), changed(id="beta", is_default=True)]))
    assert [config.is_default for config in configs] == [False, False]
    assert "alpha, beta" in notices[0]


def test_an_inactive_default_is_none():
    configs, notices = settle_default(read([changed(is_default=True, is_active=False)]))
    assert not configs[0].is_default
    assert "not active" in notices[0]


# A configuration as others see it.


def test_what_vouches_for_a_certificate_is_the_most_particular_thing():
    def trust(**fields: Any) -> Trust:
        return ClusterConfig(cluster_id="a", name="A", host="h", user="u@pve", **fields).trust

    assert trust() is Trust.NONE
    assert trust(verify_ssl=True) is Trust.SYSTEM
    assert trust(verify_ssl=True, ca_certificate=PEM) is Trust.CA
    assert trust(verify_ssl=True, ca_certificate=PEM, fingerprint=PRINT) is Trust.FINGERPRINT


def test_times_for_old_scripts_are_naive_and_in_utc():
    moment = datetime(2026, 3, 1, 12, 0, tzinfo=timezone(timedelta(hours=2)))
    config = ClusterConfig(cluster_id="a", name="A", host="h", user="u@pve", created_at=moment, updated_at=None)
    assert config.to_safe_dict()["created_at"] == "2026-03-01T10:00:00"
    assert config.to_safe_dict()["updated_at"] is None


def test_the_dictionary_of_old_scripts_has_its_password_after_the_user():
    config = ClusterConfig(
        cluster_id="a", name="A", host="h", user="u@pve", password=Secret(LEAK), created_at=datetime.now(UTC)
    )
    assert list(config.to_dict())[4:6] == ["user", "password"]
    assert config.to_dict()["password"] == LEAK
    assert LEAK not in str(config.to_safe_dict())
