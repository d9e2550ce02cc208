"""A private key among the certificates is refused before anything stores it, whichever way it comes."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from auditlog.models import LogEntry
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.core.serializers.base import DeserializationError
from django.db import transaction
from django.test import Client
from django.urls import reverse

from accounts.models import User
from clusters.config import inspect, validate_pem
from clusters.models import Cluster
from tests.clusters.config_files import PEM
from tests.clusters.test_admin import form

pytestmark = pytest.mark.django_db

BODY = "MC4CAQAwBQYDK2VwBCIEIGDGDGDGDGDGDGDGDGDGDGDGDGDGDGDGDGDGDGDGDGDG"  # of no key
REFUSED = "this looks like a private key"


def armoured(label: str) -> str:
    return f"-----BEGIN {label}-----\n{BODY}\n-----END {label}-----"


BOTH = f"{PEM.strip()}\n{armoured('PRIVATE KEY')}"
LINE = len(PEM.strip().splitlines()) + 1

OTHERS = {
    "a key": armoured("PRIVATE KEY"),
    "of RSA": armoured("RSA PRIVATE KEY"),
    "of OpenSSH": armoured("OPENSSH PRIVATE KEY"),
    "encrypted": armoured("ENCRYPTED PRIVATE KEY"),
    "in small letters": armoured("private key"),
    "key first": f"{armoured('EC PRIVATE KEY')}\n{PEM}",
    "key last": BOTH,
    "parameters": f"{armoured('EC PARAMETERS')}\n{PEM}",
    "without its armour": f"{PEM.strip()}\n{BODY}\n",
    "with other line ends": BOTH.replace("\n", "\r\n"),
    "with old line ends": BOTH.replace("\n", "\r"),
}


@pytest.fixture
def alpha() -> Cluster:
    return Cluster.objects.create(cluster_id="alpha", name="Alpha", host="pve.test", user="portal@pve", password="x")


def nowhere(alpha: Cluster) -> bool:
    trail = "".join(str(entry.changes) for entry in LogEntry.objects.all())
    return BODY not in json.dumps(Cluster.objects.get(pk=alpha.pk).to_dict()) + trail


@pytest.mark.parametrize("pem", OTHERS.values(), ids=OTHERS)
def test_only_certificates_are_certificates(pem: str):
    with pytest.raises(ValidationError, match=r"Line \d+: this (looks like a private key|is not a certificate)"):
        validate_pem(pem)


@pytest.mark.parametrize(
    "pem", [PEM, f"{PEM}\n{PEM}", f"# the cluster's own authority\n{PEM}", PEM.replace("\n", "\r\n")]
)
def test_one_several_and_commented_certificates_are_fine(pem: str):
    validate_pem(pem)


def test_the_form_names_field_and_line(client: Client, lab_admin: User, alpha: Cluster):
    client.force_login(lab_admin)
    data = form(alpha, ca_certificate=BOTH, new_password="x", password="x")
    page = client.post(reverse("admin:clusters_cluster_change", args=[alpha.pk]), data)
    errors = page.context["adminform"].form.errors
    assert errors["ca_certificate"][0].startswith(f"Line {LINE}: {REFUSED}")
    assert nowhere(alpha)


def test_a_file_with_clusters_is_refused():
    entry = {"id": "alpha", "host": "pve.test", "user": "portal@pve", "password": "x", "ca_certificate": BOTH}
    found = inspect(json.dumps([entry]).encode(), source="a file")
    assert [problem.key for problem in found.problems] == ["ca_certificate"]
    assert f"Line {LINE}: {REFUSED}" in str(found.problems[0])
    assert BODY not in str(found.problems)


def loaded(folder: Path) -> None:
    fields = {"cluster_id": "beta", "name": "Beta", "host": "b.test", "user": "a@pve", "ca_certificate": BOTH}
    file = folder / "beta.json"
    file.write_text(json.dumps([{"model": "clusters.cluster", "pk": 99, "fields": fields}]))
    call_command("loaddata", str(file))


WAYS: dict[str, Callable[[Path], object]] = {
    "save": lambda _: Cluster(cluster_id="beta", name="Beta", host="b.test", user="a@pve", ca_certificate=BOTH).save(),
    "update": lambda _: Cluster.objects.update(ca_certificate=BOTH),
    "bulk_create": lambda _: Cluster.objects.bulk_create([Cluster(cluster_id="beta", name="B", ca_certificate=BOTH)]),
    "loaddata": loaded,
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_the_table_does_not_take_it(alpha: Cluster, tmp_path: Path, way: Callable[[Path], object]):
    with pytest.raises((ValidationError, DeserializationError), match=REFUSED), transaction.atomic():
        way(tmp_path)
    assert nowhere(alpha)
    Cluster.objects.update(ca_certificate=PEM)
    assert Cluster.objects.get().ca_certificate == PEM


def issued(*, is_authority: bool | None, by_itself: bool) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    issuer_key = key if by_itself else ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pve1.test")])
    issuer = name if by_itself else x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Proxmox VE")])
    day = datetime(2026, 1, 1, tzinfo=UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(issuer).public_key(key.public_key())
    made = made.serial_number(7).not_valid_before(day).not_valid_after(day + timedelta(days=3650))
    if is_authority is not None:
        made = made.add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    return made.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


@pytest.mark.parametrize("is_authority", [False, None])
def test_the_certificate_of_a_node_is_not_taken_for_its_authority(is_authority: bool | None):
    pem = issued(is_authority=is_authority, by_itself=False)
    with pytest.raises(ValidationError, match=r"node's own certificate.*pve-root-ca\.pem, or pin"):
        validate_pem(pem)
    with pytest.raises(ValidationError) as caught:
        Cluster(cluster_id="b", name="B", host="b.test", user="p@pve", ca_certificate=pem).full_clean()
    assert set(caught.value.message_dict) == {"ca_certificate"}
    entry = {"id": "b", "host": "b.test", "user": "p@pve", "password": "x", "ca_certificate": pem}
    (problem,) = inspect(json.dumps([entry]).encode(), source="f").problems
    assert "node's own certificate" in problem.expected


def test_an_authority_and_a_self_signed_certificate_may_vouch():
    validate_pem(issued(is_authority=True, by_itself=False))
    validate_pem(issued(is_authority=False, by_itself=True))
    validate_pem(issued(is_authority=False, by_itself=False) + PEM)
