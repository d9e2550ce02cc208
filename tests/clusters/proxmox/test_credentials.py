"""What a credential says of itself, when a ticket is due, and what is no ticket."""

from dataclasses import FrozenInstanceError, replace
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from accounts.encrypted_fields import Secret
from clusters import proxmox
from clusters.config import ClusterConfig
from clusters.proxmox import credentials

HOUR = 3600.0


@pytest.fixture
def moment(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What time it is."""
    found = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(credentials, "time", SimpleNamespace(monotonic=lambda: found.now))
    return found


@pytest.fixture
def login(moment: SimpleNamespace) -> credentials.Login:
    return credentials.Login("portal@pve", Secret("pass"))


def answer(ticket: Any = "PVE:portal@pve:1::c2ln", csrf: Any = "1:c2ln") -> dict[str, Any]:
    return {"ticket": ticket, "CSRFPreventionToken": csrf}


def headers(credential: Any, method: str) -> dict[str, str]:
    return dict(credential(requests.Request(method, "https://pve.test/", headers={"X": "1"}).prepare()).headers)


def test_a_ticket_is_due_after_an_hour_and_put_off_by_a_minute(
    login: credentials.Login, moment: SimpleNamespace
) -> None:
    ticket = login.accept(answer())
    moment.now += HOUR
    assert (ticket.age, login.is_due(ticket)) == (HOUR, False)
    moment.now += 1
    assert login.is_due(ticket)
    login.postpone()
    moment.now += 59
    assert not login.is_due(ticket)
    moment.now += 1
    assert login.is_due(ticket)


def test_a_ticket_is_shown_for_less_than_the_two_hours_that_it_is_good() -> None:
    assert HOUR + credentials.RENEWAL_PAUSE < credentials.TICKET_END < 2 * HOUR - proxmox.DEADLINE


def test_only_a_change_carries_the_second_text(login: credentials.Login) -> None:
    ticket = login.accept(answer())
    assert headers(ticket, "GET") == {"X": "1", "Cookie": "PVEAuthCookie=PVE%3Aportal%40pve%3A1%3A%3Ac2ln"}
    for method in "POST", "PUT", "DELETE":
        assert headers(ticket, method)["CSRFPreventionToken"] == "1:c2ln"


def test_a_token_is_one_header() -> None:
    token = credentials.Token("portal@pve!t", Secret("s-e-c"))
    assert headers(token, "POST")["Authorization"] == "PVEAPIToken=portal@pve!t=s-e-c"
    assert token.secrets == ("s-e-c",)


def test_a_ticket_that_was_replaced_meanwhile_is_not_discarded(login: credentials.Login) -> None:
    old, new = login.accept(answer()), login.accept(answer())
    assert old != new
    login.discard(old)
    assert login.ticket is new
    login.discard(new)
    assert login.ticket is None


def test_what_is_secret_is_told_to_who_hides_it_and_to_nobody_else(login: credentials.Login) -> None:
    assert login.secrets == ("pass",)
    ticket = login.accept(answer("a-ticket", "a-proof"))
    assert login.secrets == ("pass", "a-ticket", "a-proof")
    assert "a-ticket" not in repr(ticket)
    assert "a-proof" not in repr(ticket)
    with pytest.raises(FrozenInstanceError):
        ticket.born = 0.0  # type: ignore[misc]


@pytest.mark.parametrize("good", [answer("t" * 4096), answer(csrf="c" * 256), answer(csrf="!~")])
def test_what_a_ticket_may_be(login: credentials.Login, good: object) -> None:
    assert login.accept(good) is login.ticket


@pytest.mark.parametrize(
    "bad",
    [
        None,
        answer("t" * 4097),
        answer(""),
        answer(1),
        answer(csrf="c" * 257),
        answer(csrf=""),
        answer(csrf=1),
        answer(csrf="a b"),
    ],
)
def test_what_is_no_ticket(login: credentials.Login, bad: object) -> None:
    with pytest.raises(proxmox.ProtocolError, match="a login with"):
        login.accept(bad)
    assert login.ticket is None


def test_a_token_needs_both_halves_and_goes_before_a_password(config: ClusterConfig) -> None:
    password = {"password": Secret("p")}
    assert isinstance(credentials.for_config(replace(config, **password)), credentials.Token)
    for half in {"token_id": ""}, {"token_secret": None}:
        assert isinstance(credentials.for_config(replace(config, **half, **password)), credentials.Login)
        with pytest.raises(proxmox.NoCredential):
            credentials.for_config(replace(config, **half))


def test_of_many_secrets_those_that_can_be_read_are_told() -> None:
    sealed = Secret(ciphertext="gAAAAABnot-of-this-key")
    assert credentials.readable([Secret("one"), sealed, Secret(""), Secret("two")]) == ["one", "two"]
