"""What addresses, tokens and fingerprints look like, wherever they are entered."""

import pytest
from django.core.exceptions import ValidationError

from clusters.config import (
    host_and_port,
    pins,
    split_token,
    token_user,
    validate_addresses,
    validate_host,
    validate_pins,
    validate_token_id,
)
from clusters.models import Cluster

PIN = ":".join(["AB"] * 32)
OTHER = ":".join(["CD"] * 32)
SECRET = "6b1f0c52-77aa-4c3e-9d10-5e8c2f4a9b7d"


@pytest.mark.parametrize(
    "text",
    ["10.0.0.12", "pve2.test", "pve2.test:443", "2001:db8::7", "[2001:db8::7]:443", "", "a.test\r\n\r\n b.test "],
)
def test_these_are_addresses(text: str) -> None:
    validate_addresses(text)


@pytest.mark.parametrize(
    "line", ["https://pve2.test", "pve2.test/", "pve2.test:0", "pve2.test:65536", "a b", "me@pve2.test", "fe80::1%eth0",
             "[pve2.test]:443", "0x7f.1", "2130706433:8006", "a.test, b.test", ":8006"]
)  # fmt: skip
def test_what_is_no_address_is_named_by_its_line(line: str) -> None:
    with pytest.raises(ValidationError) as error:
        validate_addresses(f"10.0.0.12\n{line}\npve3.test")
    assert [message.split(":")[0] for message in error.value.messages] == ["Line 2"]


def test_every_wrong_line_is_named() -> None:
    with pytest.raises(ValidationError) as error:
        validate_addresses("a b\npve2.test\nc d")
    assert [message[:7] for message in error.value.messages] == ["Line 1:", "Line 3:"]


def test_there_are_at_most_31_addresses_besides_the_host() -> None:
    validate_addresses("\n".join(["pve.test"] * 31))
    with pytest.raises(ValidationError, match="at most 31"):
        validate_addresses("\n".join(["pve.test"] * 32))


@pytest.mark.parametrize("text", [PIN, PIN.lower(), PIN.replace(":", "")])
def test_a_fingerprint_is_known_however_it_is_written(text: str) -> None:
    assert pins(text) == (PIN,)


@pytest.mark.parametrize("between", [",", ", ", " ", "\n", "\r\n"])
def test_several_fingerprints_are_kept_apart(between: str) -> None:
    assert pins(f"{PIN}{between}{OTHER}") == (PIN, OTHER)


@pytest.mark.parametrize("wrong", ["AB:CD", ":".join(["AB"] * 20), f"{PIN}:AB", "A:BA:B" + PIN[5:], "é" * 64])
def test_the_fingerprint_that_is_wrong_is_named(wrong: str) -> None:
    with pytest.raises(ValidationError, match="Number 2: write SHA-256 as 32 pairs"):
        validate_pins(f"{PIN}, {wrong}, {OTHER}")


@pytest.mark.parametrize("text", ["portal@pve!labs={}", "PVEAPIToken=portal@pve!labs={}", " portal@pve!labs {} "])
def test_a_token_is_taken_whole(text: str) -> None:
    assert split_token(text.format(SECRET)) == ("portal@pve!labs", SECRET)


@pytest.mark.parametrize(
    "text",
    [
        "{id}={secret}",
        '"{id}={secret}"',
        "\u201c{id}={secret}\u201d",
        "\ufeff{id}={secret}\u200b",
        "{id}\t{secret}",
        "PVEAPIToken={id}={secret}",
        "Authorization: PVEAPIToken={id}={secret}",
        "-H 'Authorization: PVEAPIToken={id}={secret}'",
        '-H "Authorization:PVEAPIToken={id}={secret}"',
        "│ full-tokenid │ {id} │ │ value │ {secret} │",
        "┌──────┬──────┐\n│ key │ value │\n╞══════╪══════╡\n│ full-tokenid │ {id} │\n├──────┼──────┤\n"
        '│ info │ {{"privsep":"1"}} │\n├──────┼──────┤\n│ value │ {secret} │\n└──────┴──────┘',
        '{{"info":{{"privsep":"1"}},"value":"{secret}","full-tokenid":"{id}"}}',
    ],
)
@pytest.mark.parametrize("token_id", ["portal@pve!labs", "ana.gil@school.example@entra!labs", "LAB\\portal@ad!x.y-z"])
def test_a_token_is_taken_as_people_paste_it(text: str, token_id: str) -> None:
    assert split_token(text.format(id=token_id, secret=SECRET)) == (token_id, SECRET)
    validate_token_id(token_id)


@pytest.mark.parametrize(
    "token_id", ["josé@pve!labs", "a b@pve!labs", "a:b@pve!labs", "@pve!labs", "a@pve", "a@pve!b=c"]
)
def test_what_no_header_can_carry_is_no_token(token_id: str) -> None:
    with pytest.raises(ValidationError):
        validate_token_id(token_id)


def test_the_user_of_a_token_is_what_stands_before_its_name() -> None:
    assert token_user("ana.gil@school.example@entra!labs") == "ana.gil@school.example@entra"


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("[fd00::10]", "fd00::10", None),
        ("[fd00::11]:8007", "fd00::11", 8007),
        ("fd00::11", "fd00::11", None),
        ("pve1.test:8007", "pve1.test", 8007),
        ("pve2.test.", "pve2.test", None),
        ("\u200b pve2.test.:443 ", "pve2.test", 443),
        ("'10.0.0.1'", "10.0.0.1", None),
    ],
)
def test_a_host_is_read_as_people_write_it(text: str, host: str, port: int | None) -> None:
    assert host_and_port(text) == (host, port)
    validate_host(host)


@pytest.mark.parametrize(
    "text", ["https://pve.test", "https://pve.test:8006/", "pve.test..", "[pve.test]", "a b", "0x7f.1."]
)
def test_what_is_no_host_stays_none(text: str) -> None:
    with pytest.raises(ValidationError):
        validate_host(host_and_port(text)[0])


@pytest.mark.parametrize(
    "text",
    [SECRET, "portal@pve!labs", "portal@pve!labs=", f"portal@pve={SECRET}", f"!labs={SECRET}", f"a@pve!b={SECRET} x"],
)
def test_half_a_token_is_none_and_is_not_repeated(text: str) -> None:
    with pytest.raises(ValidationError) as error:
        split_token(text)
    assert SECRET not in str(error.value)


@pytest.mark.parametrize("trust", [{"verify_ssl": True}, {"fingerprint": PIN}, {"ca_certificate": "PEM"}])
def test_a_verified_cluster_is_asked_at_its_learned_addresses_last(trust: dict[str, object]) -> None:
    row = Cluster(host="a.test", addresses="b.test\nc.test:443", learned_addresses=["10.0.0.12"], **trust)
    assert row.config.addresses == ("b.test", "c.test:443", "10.0.0.12")


def test_a_cluster_that_is_not_verified_is_not_asked_at_its_learned_addresses() -> None:
    row = Cluster(host="a.test", addresses="b.test", learned_addresses=["10.0.0.12"])
    assert row.config.addresses == ("b.test",)
