"""Tokens and addresses in the form of a cluster: pasted whole, never shown again, asked for again by who moves them."""

from typing import Any

import pytest
from auditlog.models import LogEntry
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from accounts.models import User
from clusters.models import Cluster

pytestmark = pytest.mark.django_db

SECRET = "6b1f0c52-77aa-4c3e-9d10-5e8c2f4a9b7d"
WHOLE = f"portal@pve!labs={SECRET}"
LOOK = f"portal@pve!look={SECRET}"
PIN = ":".join(["AB"] * 32)


@pytest.fixture
def lena(client: Client, lab_admin: User) -> Client:
    client.force_login(lab_admin)
    return client


@pytest.fixture
def alpha() -> Cluster:
    """With both tokens and no password."""
    return Cluster.objects.create(
        cluster_id="alpha", name="Alpha", host="a.test", user="portal@pve", token_id="portal@pve!labs",
        token_secret="kept", read_token_id="portal@pve!look", read_token_secret="kept too", verify_ssl=True,
    )  # fmt: skip


def add(client: Client, **fields: Any) -> HttpResponse:
    usual = {"cluster_id": "new", "name": "New", "host": "n.test", "port": 8006, "is_active": "on"}
    return client.post(reverse("admin:clusters_cluster_add"), usual | fields)  # type: ignore[return-value]


def change(client: Client, **changes: Any) -> HttpResponse:
    row = Cluster.objects.get()
    usual = {
        "name": row.name, "host": row.host, "port": row.port, "user": row.user, "addresses": row.addresses,
        "verify_ssl": "on", "is_active": "on",
    }  # fmt: skip
    return client.post(reverse("admin:clusters_cluster_change", args=[row.pk]), usual | changes)  # type: ignore[return-value]


def page(answer: HttpResponse) -> str:
    assert answer.status_code == 200
    return answer.content.decode()


def look(client: Client) -> str:
    return page(client.get(reverse("admin:clusters_cluster_change", args=[Cluster.objects.get().pk])))  # type: ignore[arg-type]


# A token


def test_a_pasted_token_is_all_that_a_cluster_needs(lena: Client) -> None:
    assert add(lena, new_token=WHOLE).status_code == 302
    made = Cluster.objects.get()
    assert (made.token_id, made.token_secret.reveal(), made.user) == ("portal@pve!labs", SECRET, "portal@pve")


def test_a_pasted_token_leaves_a_user_that_was_entered(lena: Client) -> None:
    add(lena, new_token=WHOLE, user="other@pve", new_password="x")
    assert Cluster.objects.get().user == "other@pve"


def test_without_token_the_user_is_asked_for(lena: Client) -> None:
    assert "Enter the user, or paste an API token below" in page(add(lena, new_password="x"))


@pytest.mark.parametrize("box", ["new_token", "new_read_token"])
@pytest.mark.parametrize("text", [SECRET, "portal@pve!labs", f"portal@pve={SECRET}", f"portal@pve!labs:{SECRET}"])
def test_half_a_token_is_refused_at_its_box_and_not_shown(lena: Client, box: str, text: str) -> None:
    answer = add(lena, user="portal@pve", new_password="x", **{box: text})
    assert SECRET not in page(answer)
    assert answer.context["adminform"].form.errors.keys() == {box}


def test_tokens_are_shown_by_their_ids_alone(lena: Client, alpha: Cluster) -> None:
    shown = look(lena)
    assert "portal@pve!labs" in shown
    assert "portal@pve!look" in shown
    assert "kept" not in shown


def test_empty_boxes_keep_both_tokens(lena: Client, alpha: Cluster) -> None:
    assert change(lena, name="Renamed").status_code == 302
    kept = Cluster.objects.get()
    assert (kept.name, kept.token_secret.reveal(), kept.read_token_secret.reveal()) == ("Renamed", "kept", "kept too")


def test_a_new_token_replaces_the_old_one_and_counts(lena: Client, alpha: Cluster) -> None:
    assert change(lena, new_token=f"portal@pve!other={SECRET}").status_code == 302
    changed = Cluster.objects.get()
    assert (changed.token_id, changed.token_secret.reveal()) == ("portal@pve!other", SECRET)
    assert changed.credential_version == alpha.credential_version + 1


def test_a_token_is_not_pasted_and_removed_at_once(lena: Client, alpha: Cluster) -> None:
    assert "not both" in page(change(lena, new_token=WHOLE, remove_token="on"))


def test_the_only_credential_is_not_removed(lena: Client, alpha: Cluster) -> None:
    assert "Enter a password or an API token" in page(change(lena, remove_token="on"))
    assert Cluster.objects.get().token_secret.reveal() == "kept"


# The read-only token


def test_a_read_only_token_is_pasted_and_removed(lena: Client, alpha: Cluster) -> None:
    change(lena, new_read_token=f"portal@pve!other={SECRET}")
    assert Cluster.objects.get().read_token_id == "portal@pve!other"
    assert change(lena, remove_read_token="on").status_code == 302
    gone = Cluster.objects.get()
    assert (gone.read_token_id, gone.read_token_secret, gone.token_id) == ("", None, "portal@pve!labs")


def test_a_read_only_token_alone_is_no_credential(lena: Client) -> None:
    assert "Enter a password or an API token" in page(add(lena, user="portal@pve", new_read_token=LOOK))


def test_the_trail_says_that_the_read_only_token_changed_and_not_to_what(lena: Client, alpha: Cluster) -> None:
    change(lena, new_read_token=f"portal@pve!other={SECRET}")
    found = LogEntry.objects.first().changes
    assert found["read_token_id"] == ["portal@pve!look", "portal@pve!other"]
    assert "credential_version" in found
    assert SECRET not in repr(found)


# Where they are sent

MOVES = {"host": "b.test", "addresses": "b.test", "fingerprint": PIN, "user": "other@pve"}


@pytest.mark.parametrize("field", MOVES)
def test_who_moves_a_cluster_enters_both_tokens_again(lena: Client, alpha: Cluster, field: str) -> None:
    answer = change(lena, **{field: MOVES[field]})
    assert answer.context["adminform"].form.errors.keys() == {"new_token", "new_read_token"}
    assert "Enter the credential again" in page(answer)


@pytest.mark.parametrize("field", MOVES)
def test_who_enters_them_again_moves_it(lena: Client, alpha: Cluster, field: str) -> None:
    assert change(lena, new_token=WHOLE, new_read_token=LOOK, **{field: MOVES[field]}).status_code == 302
    assert getattr(Cluster.objects.get(), field) == MOVES[field]


def test_who_removes_a_token_need_not_enter_it_again(lena: Client, alpha: Cluster) -> None:
    moved = {"host": "b.test", "new_token": WHOLE, "remove_read_token": "on"}
    assert change(lena, **moved).status_code == 302
    assert Cluster.objects.get().read_token_secret is None


def test_an_emptied_user_is_the_tokens_and_no_move(lena: Client, alpha: Cluster) -> None:
    assert change(lena, user="").status_code == 302
    assert Cluster.objects.get().user == "portal@pve"


def test_the_wrong_line_of_the_addresses_is_named(lena: Client, alpha: Cluster) -> None:
    assert "Line 2: Write host" in page(change(lena, addresses="b.test\r\nhttps://c.test/\r\n"))


def test_the_wrong_fingerprint_is_named(lena: Client, alpha: Cluster) -> None:
    assert "Number 2: write SHA-256" in page(change(lena, fingerprint=f"{PIN}, AB:CD"))


def test_other_line_ends_are_no_other_addresses(lena: Client, alpha: Cluster) -> None:
    Cluster.objects.update(addresses="b.test\nc.test")
    assert change(lena, addresses=" b.test\r\nc.test\r\n").status_code == 302


def test_another_spelling_is_no_other_fingerprint(lena: Client, alpha: Cluster) -> None:
    Cluster.objects.update(fingerprint=PIN)
    assert change(lena, fingerprint=PIN.replace(":", "").lower()).status_code == 302
    assert Cluster.objects.get().fingerprint == PIN


# Learned addresses


def test_learned_addresses_are_shown(lena: Client, alpha: Cluster) -> None:
    Cluster.objects.update(learned_addresses=["10.9.9.9"])
    assert "10.9.9.9. The cluster reported" in look(lena)


def test_learned_addresses_are_not_entered(lena: Client, alpha: Cluster) -> None:
    change(lena, name="Renamed", learned_addresses='["10.6.6.6"]', learned_in_words="10.6.6.6")
    assert Cluster.objects.get().learned_addresses == []


def test_without_trust_the_page_says_why_none_is_used(lena: Client, alpha: Cluster) -> None:
    Cluster.objects.update(learned_addresses=["10.9.9.9"], verify_ssl=False)
    shown = look(lena)
    assert "only from clusters with a verified certificate" in shown
    assert "10.9.9.9" not in shown


# A password that tokens have made superfluous


@pytest.fixture
def both(alpha: Cluster) -> Cluster:
    alpha.password = "old"
    alpha.save(update_fields=["password"])
    return alpha


def test_a_password_beside_a_token_is_removed(lena: Client, both: Cluster) -> None:
    assert "Remove the password" in look(lena)
    assert change(lena, remove_password="on").status_code == 302
    gone = Cluster.objects.get()
    assert (gone.password, gone.token_secret.reveal()) == (None, "kept")
    assert "password" in LogEntry.objects.first().changes
    assert "Remove the password" not in look(lena)


def test_the_password_of_a_cluster_without_token_cannot_be_removed(lena: Client, both: Cluster) -> None:
    Cluster.objects.update(token_id="", token_secret=None)
    assert "Remove the password" not in look(lena)
    change(lena, remove_password="on")
    assert Cluster.objects.get().password.reveal() == "old"


def test_password_and_token_are_not_removed_together(lena: Client, both: Cluster) -> None:
    assert "Enter a password or an API token" in page(change(lena, remove_password="on", remove_token="on"))
    assert Cluster.objects.get().password.reveal() == "old"


def test_a_new_place_takes_only_what_will_be_sent_there(lena: Client, both: Cluster) -> None:
    answer = change(lena, host="b.test")
    assert answer.context["adminform"].form.errors.keys() == {"new_token", "new_read_token"}
    tokens = {"new_token": WHOLE, "new_read_token": LOOK}
    assert change(lena, host="b.test", **tokens).status_code == 302
    assert Cluster.objects.get().host == "b.test"


def test_a_password_that_did_not_move_with_the_cluster_is_not_sent_there_by_removing_the_token(
    lena: Client, both: Cluster
) -> None:
    change(lena, host="evil.test", new_token=WHOLE, new_read_token=LOOK)
    answer = change(lena, host="evil.test", remove_token="on")
    assert answer.context["adminform"].form.errors.keys() == {"new_password"}
    assert Cluster.objects.get().token_secret.reveal() == SECRET
    assert change(lena, host="evil.test", remove_token="on", new_password="entered").status_code == 302
    assert Cluster.objects.get().password.reveal() == "entered"
