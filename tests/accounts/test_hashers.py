"""Password hashing is Argon2id, and a class that logs in at once does not exhaust the machine."""

import os
from threading import Barrier, BrokenBarrierError, Event
from typing import Any

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher, ScryptPasswordHasher, check_password, make_password
from django.db import connection, connections

from accounts.hashers import CappedArgon2PasswordHasher, CappedScryptPasswordHasher
from labportal import settings as product
from tests.own_database import run_in_threads
from tests.waits import TIMEOUT, wait_until

TOO_MANY = (os.cpu_count() or 1) + 1


@pytest.fixture
def as_in_production(settings):
    settings.PASSWORD_HASHERS = product.PASSWORD_HASHERS


def test_passwords_are_hashed_with_argon2id(as_in_production):
    assert make_password("correct horse").startswith("argon2$argon2id$v=19$m=9216,t=4,p=1$")


def test_the_right_password_fits_and_another_does_not(as_in_production):
    stored = make_password("correct horse")
    assert check_password("correct horse", stored)
    assert not check_password("Correct horse", stored)


def test_a_hash_of_scrypt_fits_and_is_made_anew(as_in_production):
    anew: list[str] = []
    old = CappedScryptPasswordHasher().encode("correct horse", "salt")
    assert old == ScryptPasswordHasher().encode("correct horse", "salt")
    assert check_password("correct horse", old, setter=anew.append)
    assert anew == ["correct horse"]


def test_a_hash_is_not_made_anew_at_every_login(as_in_production):
    anew: list[str] = []
    assert check_password("correct horse", make_password("correct horse"), setter=anew.append)
    assert anew == []


class Met(list[bool]):
    patience = 0.3


@pytest.fixture
def met(monkeypatch: pytest.MonkeyPatch) -> Met:
    """Filled when one hash more than there are processors is computed at the same moment."""
    met = Met()
    all_there = Barrier(TOO_MANY)

    def compute(*arguments: object) -> str:
        try:
            all_there.wait(timeout=met.patience)
            met.append(True)
        except BrokenBarrierError:
            pass
        return "scrypt$1$salt$1$1$hash"

    for hasher, verb in (
        (Argon2PasswordHasher, "encode"),
        (Argon2PasswordHasher, "verify"),
        (ScryptPasswordHasher, "encode"),
    ):
        monkeypatch.setattr(hasher, verb, compute)
    return met


HASHERS = [CappedArgon2PasswordHasher, CappedScryptPasswordHasher]


@pytest.mark.parametrize("hasher", HASHERS)
def test_no_more_hashes_than_processors_are_computed_at_once(met, hasher):
    assert run_in_threads(*[lambda: hasher().encode("x", "salt")] * TOO_MANY) == []
    assert met == []


@pytest.mark.parametrize("hasher", HASHERS)
def test_checking_passwords_is_limited_alike(met, hasher):
    jobs = [lambda: hasher().verify("x", "scrypt$1$salt$1$1$hash")] * TOO_MANY
    assert run_in_threads(*jobs) == []
    assert met == []


def test_hashing_without_the_cap_would_be_noticed(met):
    met.patience = TIMEOUT
    assert run_in_threads(*[lambda: Argon2PasswordHasher().encode("x", "salt")] * TOO_MANY) == []
    assert len(met) == TOO_MANY


def test_whoever_waits_gives_their_connection_back_to_the_pool(own_database, monkeypatch: pytest.MonkeyPatch):
    go, held = Event(), list[Any]()
    monkeypatch.setattr(Argon2PasswordHasher, "encode", lambda *arguments: str(go.wait(TIMEOUT)))

    def encode() -> None:
        connection.ensure_connection()
        held.append(connections["default"])
        CappedArgon2PasswordHasher().encode("x", "salt")

    given_back = int(connection.vendor == "postgresql")  # to open one of SQLite again costs more than to keep it

    def look() -> None:
        try:
            wait_until(lambda: [len(held), sum(one.connection is None for one in held)] == [TOO_MANY, given_back])
        finally:
            go.set()

    assert run_in_threads(look, *[encode] * TOO_MANY) == []
