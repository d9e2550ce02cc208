"""A secret is encrypted in the database and masked everywhere else."""

import copy
import json
import logging
import pickle
import re
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet, MultiFernet
from django.core.exceptions import FieldError
from django.core.management import call_command
from django.db import connection, transaction
from django.db.models import F, Value
from django.forms import modelform_factory

from accounts.encrypted_fields import Secret, SecretUnreadable
from clusters.models import Cluster

pytestmark = pytest.mark.django_db

PASSWORD = "p4ssw0rd-of-the-test"
FERNET_TOKEN = re.compile(r"gAAAA[A-Za-z0-9_-]{20,}")
AWKWARD = {
    "quotes": """it's "quoted" `and` \\escaped\\""",
    "unicode": "Pässwörd 密码 🔑",
    "spaces": "  spaces around  ",
    "markup": "<b>&amp;</b> %s {0} $(id)",
    "line breaks": "one\ntwo\r\n",
    "null character": "a\x00b",
    "4 kB": "x" * 4096,
}


def save(**fields: Any) -> Cluster:
    values = {"cluster_id": "alpha", "name": "Alpha", "host": "pve.test", "user": "portal@pve", "password": PASSWORD}
    return Cluster.objects.create(**values | fields)


def stored(cluster: Cluster, column: str = "password") -> str | None:
    """What the column holds, without the field in between."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM clusters WHERE id = %s", [cluster.pk])  # noqa: S608
        return cursor.fetchone()[0]


def fresh(cluster: Cluster) -> Cluster:
    return Cluster.objects.get(pk=cluster.pk)


def use_keys(monkeypatch: pytest.MonkeyPatch, *keys: bytes) -> None:
    monkeypatch.setattr("encrypted_model_fields.fields.CRYPTER", MultiFernet([Fernet(key) for key in keys]))


@pytest.fixture
def wrong_key(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """A saved cluster, and a process whose key did not write it."""
    cluster = save()
    use_keys(monkeypatch, Fernet.generate_key())
    return cluster


# It does not show itself.


@pytest.mark.parametrize("show", [str, repr, format, "{}".format, "{:>30}".format, "{!r}".format, "%s".__mod__])
def test_a_secret_shows_as_stars(show):
    assert show(Secret(PASSWORD)) == "***"


def test_a_secret_in_a_container_shows_as_stars():
    assert repr({"password": [Secret(PASSWORD)]}) == "{'password': [***]}"


def test_a_logged_secret_shows_as_stars(caplog):
    logging.getLogger("tests").warning("%s %r", Secret(PASSWORD), {"password": Secret(PASSWORD)})
    assert caplog.messages == ["*** {'password': ***}"]


def test_a_revealed_secret_still_shows_as_stars():
    secret = Secret(PASSWORD)
    assert secret.reveal() == PASSWORD
    assert str(secret) == "***"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_secret_is_not_pickled(protocol):
    with pytest.raises(TypeError):
        pickle.dumps(Secret(PASSWORD), protocol)


def test_a_row_with_a_secret_is_not_pickled_into_a_cache_or_session():
    with pytest.raises(TypeError):
        pickle.dumps(save())


def test_a_secret_is_not_turned_into_json():
    with pytest.raises(TypeError):
        json.dumps({"password": Secret(PASSWORD)})


def test_a_copied_row_keeps_its_secret():
    assert copy.deepcopy(save()).password.reveal() == PASSWORD


def test_an_assigned_text_is_a_secret_at_once():
    assert repr(Cluster(password=PASSWORD).password) == "***"


def test_values_gives_stars():
    save()
    assert str(Cluster.objects.values().get()["password"]) == "***"
    assert str(Cluster.objects.values_list("password", flat=True).get()) == "***"


def test_a_form_of_the_model_has_no_field_for_a_secret():
    fields = modelform_factory(Cluster, fields="__all__").base_fields
    assert "host" in fields
    assert not {"password", "token_secret"} & set(fields)


# It is encrypted, and comes back whole.


def test_the_column_holds_ciphertext():
    assert FERNET_TOKEN.fullmatch(stored(save()).rstrip("="))


@pytest.mark.parametrize("password", AWKWARD.values(), ids=AWKWARD)
def test_a_secret_comes_back_as_it_was(password):
    assert fresh(save(password=password)).password.reveal() == password


def test_the_same_secret_is_never_encrypted_alike():
    assert stored(save()) != stored(save(cluster_id="beta"))


@pytest.mark.parametrize("empty", ["", None])
def test_an_empty_secret_is_null(empty):
    cluster = save(password=empty)
    assert stored(cluster) is None
    assert fresh(cluster).password is None


def test_an_emptied_secret_is_null():
    cluster = save()
    cluster.password = ""
    cluster.save()
    assert stored(cluster) is None


def test_a_token_of_our_own_key_is_plain_text_when_typed_as_a_password():
    token = stored(save(password="somebody else's"))
    assert fresh(save(cluster_id="beta", password=token)).password.reveal() == token


def test_a_deferred_secret_is_fetched_when_asked_for():
    cluster = Cluster.objects.defer("password").get(pk=save().pk)
    assert cluster.password.reveal() == PASSWORD


def test_saving_another_column_leaves_the_ciphertext_alone():
    before = stored(cluster := save())
    cluster = fresh(cluster)
    cluster.name = "Another"
    cluster.save()
    assert stored(cluster) == before


# With a wrong key it is unreadable, and safe.


def test_a_wrong_key_is_an_error_and_not_a_password(wrong_key):
    with pytest.raises(SecretUnreadable):
        fresh(wrong_key).password.reveal()


def test_the_error_of_a_wrong_key_shows_no_ciphertext(wrong_key):
    with pytest.raises(SecretUnreadable) as error:
        fresh(wrong_key).password.reveal()
    assert not FERNET_TOKEN.search(str(error.value))


def test_a_wrong_key_does_not_hinder_reading_the_row(wrong_key):
    assert fresh(wrong_key).host == "pve.test"


def test_saving_under_a_wrong_key_leaves_the_ciphertext_alone(wrong_key):
    before = stored(wrong_key)
    cluster = fresh(wrong_key)
    cluster.name = "Another"
    cluster.save()
    assert stored(cluster) == before


def test_bulk_update_under_a_wrong_key_leaves_the_ciphertext_alone(wrong_key):
    before = stored(wrong_key)
    Cluster.objects.bulk_update([fresh(wrong_key)], ["password"])
    assert stored(wrong_key) == before


def test_a_new_secret_under_another_key_replaces_an_unreadable_one(wrong_key):
    cluster = fresh(wrong_key)
    cluster.password = "entered again"
    cluster.save()
    assert fresh(cluster).password.reveal() == "entered again"


def test_text_that_is_no_ciphertext_is_unreadable():
    cluster = save()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE clusters SET password = %s", ["typed into psql"])
    with pytest.raises(SecretUnreadable):
        fresh(cluster).password.reveal()


def test_a_key_behind_the_present_one_still_reads(monkeypatch):
    old, new = Fernet.generate_key(), Fernet.generate_key()
    use_keys(monkeypatch, old)
    cluster = save()
    use_keys(monkeypatch, new, old)
    assert fresh(cluster).password.reveal() == PASSWORD


def test_the_first_key_writes(monkeypatch):
    old, new = Fernet.generate_key(), Fernet.generate_key()
    use_keys(monkeypatch, new, old)
    cluster = save()
    use_keys(monkeypatch, new)
    assert fresh(cluster).password.reveal() == PASSWORD


# Querysets write it, and ask it nothing.


def test_bulk_create_encrypts():
    Cluster.objects.bulk_create([Cluster(cluster_id="a", host="h", user="u@pve", password=PASSWORD)])
    assert Cluster.objects.get().password.reveal() == PASSWORD
    assert stored(Cluster.objects.get()) != PASSWORD


def test_bulk_update_encrypts():
    cluster = save()
    cluster.password = "changed"
    Cluster.objects.bulk_update([cluster], ["password"])
    assert fresh(cluster).password.reveal() == "changed"


def test_update_with_a_text_encrypts():
    cluster = save()
    Cluster.objects.update(password="changed")
    assert fresh(cluster).password.reveal() == "changed"
    assert FERNET_TOKEN.match(stored(cluster))


def test_update_with_nothing_is_null():
    cluster = save()
    Cluster.objects.update(password=None)
    assert stored(cluster) is None


@pytest.mark.parametrize("expression", [F("name"), Value("changed"), F("password") + Value("x")], ids=str)
def test_update_with_an_expression_is_refused(expression):
    cluster = save()
    with pytest.raises((TypeError, FieldError)), transaction.atomic():
        Cluster.objects.update(password=expression)
    assert fresh(cluster).password.reveal() == PASSWORD


@pytest.mark.parametrize("expression", [F("name"), Value("changed")], ids=str)
def test_assigning_an_expression_is_refused(expression):
    cluster = save()
    with pytest.raises(TypeError):
        cluster.password = expression


@pytest.mark.parametrize("lookup", ["exact", "iexact", "contains", "startswith", "in", "gt", "regex"])
def test_filtering_by_a_secret_is_refused(lookup):
    with pytest.raises(FieldError):
        Cluster.objects.filter(**{f"password__{lookup}": PASSWORD}).exists()


def test_filtering_by_the_bare_name_is_refused():
    with pytest.raises(FieldError):
        Cluster.objects.filter(password=PASSWORD).exists()


def test_a_queryset_can_tell_who_has_none():
    save()
    none = save(cluster_id="beta", password="")
    assert list(Cluster.objects.filter(password__isnull=True)) == [none]


# Fixtures carry none.


def leaks(text: str) -> bool:
    return PASSWORD in text or FERNET_TOKEN.search(text) is not None


def dump(path: Path) -> str:
    call_command("dumpdata", "clusters", format=path.suffix[1:], output=str(path), verbosity=0)
    return path.read_text()


@pytest.mark.parametrize("kind", ["json", "jsonl", "xml"])
def test_a_fixture_holds_neither_secret_nor_ciphertext(kind, tmp_path):
    save(token_id="portal@pve!labs", token_secret=PASSWORD)
    text = dump(tmp_path / f"clusters.{kind}")
    assert "pve.test" in text
    assert not leaks(text)


@pytest.mark.parametrize("planted", [PASSWORD, Fernet(Fernet.generate_key()).encrypt(b"x").decode()], ids=len)
def test_a_leak_into_a_fixture_would_be_noticed(planted, tmp_path):
    save(token_id=planted)
    assert leaks(dump(tmp_path / "clusters.json"))


@pytest.mark.parametrize("kind", ["json", "jsonl", "xml"])
def test_a_fixture_loads_as_clusters_without_secrets(kind, tmp_path):
    save(token_id="portal@pve!labs", token_secret=PASSWORD)
    dump(tmp_path / f"clusters.{kind}")
    Cluster.objects.all().delete()
    call_command("loaddata", str(tmp_path / f"clusters.{kind}"), verbosity=0)
    loaded = Cluster.objects.get()
    assert (loaded.host, loaded.password, loaded.token_secret) == ("pve.test", None, None)
