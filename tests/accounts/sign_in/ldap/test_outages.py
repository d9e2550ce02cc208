"""A directory that cannot be asked is said on a page, counts as nobody's wrong password, and holds up nobody else."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.test import Client

from accounts import concurrency
from accounts.encrypted_fields import Secret
from accounts.models import Directory, User
from accounts.sign_in import directories
from accounts.sign_in.outages import SourceDown
from pvesim.tls import Authority
from tests.accounts.sign_in.ldap.conftest import is_in, log_in, school
from tests.directories.slapd import PASSWORD, person

pytestmark = pytest.mark.django_db


@pytest.fixture
def hung() -> Iterator[str]:
    """Takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        yield f"127.0.0.1:{silent.getsockname()[1]}"


def problem(directory: Directory) -> str:
    """The code of what is wrong with it."""
    with pytest.raises(SourceDown) as told:
        directories.ask(directory, "cora", PASSWORD)
    return told.value.message.code


def test_an_outage_is_a_page_and_no_failed_login(start: Any, client: Client):
    server = start(person("cora"))
    school(server)
    assert log_in(client, "cora").status_code == 302
    client.logout()
    server.stop()
    for _ in range(6):
        down = log_in(client, "cora")
        assert (down.status_code, down["Retry-After"]) == (503, "10")
        assert "School directory is not responding" in down.content.decode()
    assert client.post("/admin/login/", {"username": "cora", "password": PASSWORD}).status_code == 503
    assert not AccessAttempt.objects.exists()
    assert not is_in(client)


def test_it_is_over_when_the_directory_answers_again(
    start: Any, client: Client, monkeypatch: pytest.MonkeyPatch, room: Any
):
    monkeypatch.setattr(room("connections"), "PAUSE", 0.0)
    server = start(person("cora"))
    school(server)
    server.stop()
    assert log_in(client, "cora").status_code == 503
    server.start()
    assert log_in(client, "cora").status_code == 302


def test_connections_that_the_server_closed_are_opened_again(start: Any, client: Client):
    server = start(person("cora"))
    school(server)
    assert log_in(client, "cora").status_code == 302
    client.logout()
    server.stop()
    server.start()
    assert log_in(client, "cora").status_code == 302


def test_a_local_password_that_was_guessed_meanwhile_counts(start: Any, client: Client):
    """Of a joined account that kept its own password: else an outage would be the time to guess it."""
    server = start(person("ben"))
    school(server)
    log_in(client, "ben")
    ben = User.objects.get()
    ben.set_password("local pass phrase")
    ben.save()
    server.stop()
    assert log_in(Client(), "ben", "a guess").status_code == 503
    assert AccessAttempt.objects.get().username == "ben"
    assert log_in(Client(), "ben", "local pass phrase").status_code == 302


@pytest.mark.parametrize("scheme", ["ldap", "ldaps", "starttls"])
def test_a_silent_server_costs_its_timeout_and_the_next_person_nothing(start: Any, hung: str, scheme: str):
    prefix = "ldaps" if scheme == "ldaps" else "ldap"
    source = Directory(
        pk=1, name="silent", servers=f"{prefix}://{hung}", start_tls=scheme == "starttls", timeout_seconds=1,
        base_dn="dc=x", name_attribute="uid",
    )  # fmt: skip
    begun = time.monotonic()
    assert problem(source) == "sign-in-no-answer"
    assert time.monotonic() - begun < 2.5
    begun = time.monotonic()
    assert problem(source) == "sign-in-no-answer"
    assert time.monotonic() - begun < 0.5


def test_whoever_waits_for_a_directory_keeps_no_other_page_waiting(room: Any, hung: str):
    directory = room("backend").LDAPDirectory
    source = Directory(
        pk=2, name="silent", servers=f"ldap://{hung}", timeout_seconds=2, base_dn="dc=x", name_attribute="uid"
    )
    served = threading.Event()

    def sign_in() -> bool:
        with pytest.raises(SourceDown):
            directory(source).person("cora", PASSWORD)
        return served.is_set()

    async def both() -> list[Any]:
        slots = concurrency.Slots(1)
        with ThreadPoolExecutor(2) as threads:
            works = [await slots.submit(threads, page) for page in (sign_in, served.set)]
            return await asyncio.gather(*map(asyncio.wrap_future, works))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(concurrency, "connection", SimpleNamespace(in_atomic_block=False))
        assert asyncio.run(both()) == [True, None]


def test_the_next_server_is_asked_and_then_first(start: Any, hung: str, client: Client):
    server = start(person("cora"))
    school(server, servers=f"ldaps://{hung}\n{server.uri}", timeout_seconds=2)
    assert log_in(client, "cora").status_code == 302
    begun = time.monotonic()
    assert log_in(Client(), "cora").status_code == 302
    assert time.monotonic() - begun < 1


def test_another_directory_that_knows_the_person_lets_them_in(start: Any, client: Client):
    down, up = start(), start(person("cora"))
    school(down, name="down")
    school(up, name="up", position=1)
    down.stop()
    assert log_in(client, "cora").status_code == 302
    assert log_in(Client(), "nobody").status_code == 503


def test_a_guess_at_a_directory_that_answers_counts_while_another_is_down(start: Any):
    down, up = start(), start(person("cora"))
    school(down, name="down")
    school(up, name="up", position=1)
    down.stop()
    assert log_in(Client(), "somebody of the other one", "their password").status_code == 503
    assert not AccessAttempt.objects.exists()
    assert [log_in(Client(), "cora", "a guess").status_code for _ in range(5)] == [503, 503, 503, 503, 429]
    assert log_in(Client(), "cora").status_code == 429  # locked, with the right one


# What is wrong with it is told to administrators, and is nobody's wrong password.


def test_a_certificate_of_another_authority_is_no_way_in(start: Any):
    server = start(person("cora"))
    assert problem(school(server, ca_certificates="")) == "sign-in-untrusted"
    assert (
        problem(school(server, name="other", ca_certificates=Authority("Other").certificate.pem)) == "sign-in-untrusted"
    )


def test_openldap_s_own_library_trusts_no_other_authority_either(
    start: Any, room: Any, monkeypatch: pytest.MonkeyPatch
):
    """Its options have an effect only in the right order."""
    monkeypatch.setattr(room("connections"), "look_first", lambda *of: None)
    server = start(person("cora"), names=["elsewhere.test"])
    assert problem(school(server)) == "sign-in-no-answer"
    server = start(person("cora"))
    assert problem(school(server, name="other", ca_certificates="")) == "sign-in-no-answer"
    assert directories.ask(school(server, name="right"), "cora", PASSWORD)


def test_a_certificate_of_another_name_or_time_is_no_way_in(start: Any):
    for number, how in enumerate(({"names": ["elsewhere.test"]}, {"certificate_is_over": True})):
        assert problem(school(start(person("cora"), **how), name=f"school-{number}")) == "sign-in-untrusted"


def test_start_tls_is_a_way_in(start: Any):
    server = start(person("cora"))
    source = school(server, servers=server.plain_uri, start_tls=True)
    assert directories.ask(source, "cora", PASSWORD)
    assert problem(school(server, name="other", servers=server.plain_uri, start_tls=True, ca_certificates=""))


def test_no_password_goes_over_a_network_in_the_clear(start: Any):
    server = start(person("cora"))
    assert problem(school(server, servers="ldap://directory.school.test")) == "sign-in-not-encrypted"


def test_a_reader_account_that_is_refused_and_a_base_that_is_not_there_are_outages(start: Any, client: Client):
    server = start(person("cora"))
    assert problem(school(server, secret=Secret("wrong"))) == "sign-in-reader-refused"
    assert problem(school(server, name="base", base_dn="ou=nowhere,dc=school,dc=test")) == "sign-in-base-missing"
    assert log_in(client, "cora").status_code == 503
    assert not AccessAttempt.objects.exists()
