"""Files by name, and what an import says of each: its plan, line by line, or why it is refused.

The portal has the clusters `here` (the default) and `moved`; `gone` was deleted. `ONE` stands for a good entry `new`.
"""

import json
import sys
from dataclasses import dataclass
from typing import Any

from clusters.config import MAX_BYTES
from clusters.importing import Options
from tests.clusters.config_files import FINGERPRINT, MARKER, OTHER_KEY, PEM, TOKEN_MARKER, entry, sealed


@dataclass(frozen=True)
class Case:
    name: str
    content: bytes
    expected: tuple[str, ...]
    options: Options


def case(name: str, content: object, *expected: str, **options: bool) -> Case:
    """`content` is bytes, or what is written as JSON."""
    content = content if isinstance(content, bytes) else json.dumps(content, ensure_ascii=False).encode()
    return Case(name, content, expected, Options(**options))


def without(cluster_id: str, *keys: str, **fields: Any) -> dict[str, Any]:
    return {key: value for key, value in entry(cluster_id, **fields).items() if key not in keys}


def nested(levels: int) -> Any:
    return [nested(levels - 1)] if levels else []


ONE = entry("new")
LIKE_THE_REST = {  # what the Flask portal's to_dict() had besides
    "created_at": "2025-12-15T09:30:00", "updated_at": None, "allow_vm_deployment": True, "allow_template_sync": True,
    "allow_iso_sync": True, "auto_shutdown_enabled": False, "priority": 50, "default_storage": None,
    "template_storage": "nas", "qcow2_template_path": "/mnt/pve/templates", "qcow2_images_path": "/mnt/pve/images",
    "admin_group": "adminers", "admin_users": "anna,ben", "arp_subnets": "10.0.0.255", "vm_cache_ttl": 300,
    "enable_ip_lookup": True, "enable_ip_persistence": False, "description": None,
}  # fmt: skip
PASSED_OVER = "Notice: These keys are unknown and ignored: "
EVERY_OTHER_KEY = ", ".join(sorted(LIKE_THE_REST)) + "."

NO_HOST = "Enter an IP address or a host name, without https:// and port."
NO_PORT = "entry 1 (new): port: should be a number from 1 to 65535"
NO_FLAG = "should be true or false"
NO_USER = "entry 1 (new): user: Write the user with its realm, like portal@pve."
NO_ID = "entry 1: id: should be 1 to 50 letters, digits, dots, dashes and underscores"
NO_LIST = "should be a list of clusters"
NO_SECRET = 'should be a text or {"sealed": "…"} as the export writes it'
NOT_ALLOWED = "The portal may not connect to this address. CLUSTER_ALLOWED_NETWORKS sets which networks are allowed."
NO_TOKEN = "entry 1 (new): token_id: and token_secret belong together"
NO_CERTIFICATE = "entry 1 (new): ca_certificate: This is not a certificate in PEM form (-----BEGIN CERTIFICATE-----)."
NO_FINGERPRINT = "entry 1 (new): fingerprint: Write SHA-256 as 32 pairs, like AA:BB:…"
TOGETHER = "addresses, user, trust or credential differ: --update-secrets applies all of them"
NEW = "new new"
READER = {"read_token_id": "portal@pve!look", "read_token_secret": TOKEN_MARKER}
OTHER_PRINT = ":".join(["CD"] * 32)
NO_ADDRESS = "Write host, host:port or [IPv6 address]:port, without https://."

# Forms that the format had.

FORMS = [
    case("a list", [ONE], NEW),
    case("an empty list", []),
    case("a list in an object", {"clusters": [ONE]}, NEW),
    case("an empty list in an object", {"clusters": []}),
    case("without a port", [without("new", "port")], NEW),
    case("port in quotes", [entry("new", port="8006")], NEW),
    case("port with zeros in front", [entry("new", port="08006")], NEW),
    case("with the first portal's six keys", [entry("new", name="Main (10.0.0.1)", verify_ssl=False)], NEW),
    case("with nine keys", [entry("new", name="N", port=8006, verify_ssl=True, is_default=False, is_active=True)], NEW),
    case("with 27 keys", [entry("new", **LIKE_THE_REST)], PASSED_OVER + EVERY_OTHER_KEY, NEW),
    case("safe form with db_id", [entry("new", db_id=7)], PASSED_OVER + "db_id.", NEW),
    case("created_at of any type", [entry("new", created_at=[])], PASSED_OVER + "created_at.", NEW),
    case("byte order mark", b"\xef\xbb\xbf" + json.dumps([ONE]).encode(), NEW),
    case("indented, with DOS line ends", json.dumps([ONE], indent=2).replace("\n", "\r\n").encode(), NEW),
    case("escapes instead of letters", json.dumps([entry("new", name="Ñandú 密")]).encode(), NEW),
    case("two clusters", [ONE, entry("second", host="10.220.12.6")], NEW, "new second"),
    case("name null", [entry("new", name=None)], NEW),
    case("name empty", [entry("new", name="")], NEW),
    case("name in many alphabets", [entry("new", name="Ñandú 密 🔑 שלום")], NEW),
    case("id with dots and dashes", [entry("A.b_c-9")], "new A.b_c-9"),
    case("id of digits", [entry("1")], "new 1"),
    case("IPv6 address", [entry("new", host="2001:db8::7")], NEW),
    case(
        "addresses", [entry("new", addresses=["10.0.0.12", "pve3.test:443", "2001:db8::7", "[2001:db8::8]:443"])], NEW
    ),
    case("addresses null", [entry("new", addresses=None)], NEW),
    case("no addresses", [entry("new", addresses=[])], NEW),
    case("31 addresses", [entry("new", addresses=[f"10.0.0.{n}" for n in range(31)])], NEW),
    case(
        "200 clusters with the two that are there",
        [entry(f"c{n}") for n in range(198)],
        *[f"new c{n}" for n in range(198)],
    ),
    case("seven levels and the list", [entry("new", description=nested(5))], PASSED_OVER + "description.", NEW),
]

# Files that are no list of clusters at all.

BROKEN = [
    case("empty file", b"", "line 1, column 1: is not JSON (Expecting value)"),
    case("white space", b" \n ", "line 2, column 2: is not JSON (Expecting value)"),
    case("cut off in a text", b'[{"id": "ne', "line 1, column 9: is not JSON (Unterminated string starting at)"),
    case("comma at the end", b"[\n{},\n]",
         "line 2, column 3: is not JSON (Illegal trailing comma before end of array)" if sys.version_info >= (3, 13)
         else "line 3, column 1: is not JSON (Expecting value)"),
    case("comment", b"// clusters\n[]", "line 1, column 1: is not JSON (Expecting value)"),
    case("single quotes", b"[{'id': 1}]",
         "line 1, column 3: is not JSON (Expecting property name enclosed in double quotes)"),
    case("two documents", b"[] []", "line 1, column 4: is not JSON (Extra data)"),
    case("line break in a text", b'["a\nb"]', "line 1, column 4: is not JSON (Invalid control character at)"),
    case("two byte order marks", b"\xef\xbb\xbf" * 2 + b"[]",
         "line 1, column 1: is not JSON (Unexpected UTF-8 BOM (decode using utf-8-sig))"),
    case("UTF-16", json.dumps([ONE]).encode("utf-16"), "is not UTF-8 text"),
    case("Latin-1", '[{"name": "Ñandú"}]'.encode("latin-1"), "is not UTF-8 text"),
    case("a binary file", bytes(range(256)), "is not UTF-8 text"),
    case("NaN", b'[{"port": NaN}]', "entry 1, line 1: has NaN, which is not JSON"),
    case("-Infinity", b'[{"port": -Infinity}]', "entry 1, line 1: has -Infinity, which is not JSON"),
    case("a number of 5,000 digits", b"[" + b"9" * 5000 + b"]", "entry 1, line 1: has a number that is too long"),
    case("a key twice", b'[{"id": "a", "id": "b"}]', "entry 1, line 1: has the key “id” twice in one object"),
    case("a key of 70,000 twice", b"[{" + b",".join(b'"%d":0' % n for n in [*range(70_000), 69_999]) + b"}]",
         "entry 1, line 1: has the key “69999” twice in one object"),
    case("a terminal's command as a key, twice", rb'[{"\u001b[2J": 0, "\u001b[2J": 0}]',
         "entry 1, line 1: has the key “�[2J” twice in one object"),
    case("null", None, NO_LIST),
    case("a text", "clusters", NO_LIST),
    case("one entry without its list", ONE, NO_LIST),
    case("an object of clusters by id", {"clusters": {"new": ONE}}, NO_LIST),
    case("an object with more keys", {"clusters": [ONE], "version": 1}, NO_LIST),
    case("10 MB", b"[" + b" " * 10_000_000 + b"]", "is larger than 1 MiB"),
    case("a byte more than 1 MiB", b"[]".ljust(MAX_BYTES + 1), "is larger than 1 MiB"),
    case("201 clusters", [entry(f"c{n}") for n in range(201)], "has more than 200 clusters"),
    case("100,000 levels", b"[" * 100_000 + b"]" * 100_000, "is nested deeper than 8 levels"),
]  # fmt: skip

# Entries that are wrong.

WRONG = [
    case("an entry that is a text", ["new"], "entry 1: should be an object with id, host, user and password"),
    case("an empty entry", [{}],
         *[f"entry 1: {key}: is missing" for key in ("id", "host", "user", "password")]),
    case("nine levels", [entry("new", description=nested(7))],
         PASSED_OVER + "description.",
         "entry 1 (new): is nested deeper than 8 levels"),
    case("id missing", [without("new", "id")], "entry 1: id: is missing"),
    case("id a number", [entry("new", id=7)], "entry 1: id: should be a text"),
    case("id with a slash", [entry("../etc")], NO_ID),
    case("id of 51 letters", [entry("x" * 51)], NO_ID),
    case("id with an accent", [entry("nü")], NO_ID),
    case("id with a line break", [entry("new\n")], NO_ID),
    case("name a number", [entry("new", name=5)], "entry 1 (new): name: should be a text"),
    case("name of 121 letters", [entry("new", name="x" * 121)],
         "entry 1 (new): name: should have at most 120 characters"),
    case("name with a null character", [entry("new", name="a\0")],
         "entry 1 (new): name: This contains the control character U+0000, which no page can show. Remove it."),
    case("host missing", [without("new", "host")], "entry 1 (new): host: is missing"),
    *[case(f"host {what}", [entry("new", host=host)], f"entry 1 (new): host: {NO_HOST}") for what, host in [
        ("with https://", "https://pve.test"), ("with a path", "pve.test/x"),
        ("with a query", "pve.test?x"), ("with a fragment", "pve.test#x"), ("with a user", "me:pw@pve.test"),
        ("as one number", "2130706433"), ("as hexadecimal numbers", "0x7f.1"), ("as octal numbers", "0177.0.0.1"),
        ("with port zero", "pve.test:0"), ("with a scope", "fe80::1%eth0"),
        ("with a space", "pve test"), ("in Arabic digits", "١٢٧.0.0.1"), ("with a dash in front", "-pve"),
        ("with two dots at the end", "pve.test.."),
    ]],
    *[case(f"host {host}", [entry("new", host=host)], f"new: host: {NOT_ALLOWED}") for host in [
        "0.0.0.1", "169.254.169.254", "224.0.0.1", "255.255.255.255", "fe80::1", "::ffff:169.254.169.254",
    ]],
    case("an address that is never connected to", [entry("new", addresses=["pve2.test", "169.254.1.1:8006"])],
         f"new: addresses: Line 2: {NOT_ALLOWED}"),
    *[case(f"port {port!r}", [entry("new", port=port)], NO_PORT) for port in [
        0, -1, 65536, 8006.0, True, None, "abc", "", " 8006", "8_006", "+8006", "٨٠٠٦", [8006],
    ]],
    case("port of 400 digits", [entry("new", port=10**400)], NO_PORT),
    case("user missing", [without("new", "user")], "entry 1 (new): user: is missing"),
    case("user without a realm", [entry("new", user="root")], NO_USER),
    case("user with a token", [entry("new", user="root@pam!labs x")], NO_USER),
    case("password missing", [without("new", "password")], "entry 1 (new): password: is missing"),
    case("password empty", [entry("new", password="")], "entry 1 (new): password: is missing"),
    case("password null", [entry("new", password=None)], "entry 1 (new): password: is missing"),
    case("password a number", [entry("new", password=12345)], "entry 1 (new): password: should be a text"),
    case("password too long", [entry("new", password="x" * 65_537)],
         "entry 1 (new): password: should have at most 65536 characters"),
    case("verify_ssl a word", [entry("new", verify_ssl="false")], f"entry 1 (new): verify_ssl: {NO_FLAG}"),
    case("verify_ssl a number", [entry("new", verify_ssl=0)], f"entry 1 (new): verify_ssl: {NO_FLAG}"),
    case("is_active null", [entry("new", is_active=None)], f"entry 1 (new): is_active: {NO_FLAG}"),
    case("verifySsl", [entry("new", verifySsl=True)],
         "entry 1 (new): verifySsl: is not a key of a cluster (did you mean “verify_ssl”?)"),
    case("pasword", [{"id": "new", "host": "pve.test", "user": "portal@pve", "pasword": MARKER}],
         "entry 1 (new): pasword: is not a key of a cluster (did you mean “password”?)",
         "entry 1 (new): password: is missing"),
    case("a key in capitals", [without("new", "host", HOST="pve.test")],
         "entry 1 (new): HOST: is not a key of a cluster (did you mean “host”?)",
         "entry 1 (new): host: is missing"),
    case("a key like no other", [entry("new", colour="red")], "entry 1 (new): colour: is not a key of a cluster"),
    case("a terminal's command as a key", [entry("new", **{"\x1b]0;x\x07": 1})],
         "entry 1 (new): �]0;x�: is not a key of a cluster"),
    case("half a character as a key", rb'[{"\ud800": 1}]',
         "entry 1: �: is not a key of a cluster",
         *[f"entry 1: {key}: is missing" for key in ("id", "host", "user", "password")]),
    case("a key without an end", [entry("new", **{"k" * 5000: 1})],
         f"entry 1 (new): {'k' * 40}…: is not a key of a cluster"),
    case("5,000 unknown keys", [entry("new", **{f"k{n}": n for n in range(5000)})],
         *[f"entry 1 (new): k{n}: is not a key of a cluster" for n in range(20)],
         "entry 1 (new): has 4980 more unknown keys"),
    case("addresses a text", [entry("new", addresses="10.0.0.12")],
         "entry 1 (new): addresses: should be a list of texts"),
    case("addresses in an object", [entry("new", addresses={"pve2": "10.0.0.12"})],
         "entry 1 (new): addresses: should be a list of texts"),
    case("an address with a scheme", [entry("new", addresses=["10.0.0.12", "https://10.0.0.13"])],
         f"entry 1 (new): addresses: number 2: {NO_ADDRESS}"),
    case("an address on two lines", [entry("new", addresses=["a.test\nb.test"])],
         f"entry 1 (new): addresses: number 1: {NO_ADDRESS}"),
    case("32 addresses", [entry("new", addresses=["10.0.0.12"] * 32)],
         "entry 1 (new): addresses: should have at most 31 addresses"),
    case("learned addresses", [entry("new", learned_addresses=["10.0.0.12"])],
         "entry 1 (new): learned_addresses: is not a key of a cluster (did you mean “addresses”?)"),
    case("the same id twice", [ONE, ONE], "new: id: is there twice (as new)"),
    case("the same id in capitals", [ONE, entry("NEW")], "NEW: id: is there twice (as new)"),
    case("an id of the portal in capitals", [entry("HERE")], "HERE: id: is already in the portal as here"),
    case("three wrong things in two entries", [entry("a", port=0, host=""), entry("b", user="x")],
         "entry 1 (a): host: is missing",
         "entry 1 (a): port: should be a number from 1 to 65535",
         "entry 2 (b): user: Write the user with its realm, like portal@pve."),
]  # fmt: skip

# Tokens, trust, sealed secrets.

SECRETS = [
    *[case(f"host {what}", [without("new", "port", host=host)], NEW) for what, host in [
        ("in brackets", "[2001:db8::7]"), ("in brackets with a port", "[2001:db8::7]:8007"),
        ("with a port", "pve.test:8007"),
        ("with a dot at the end", "pve.test."), ("with a blank", " pve.test\n"), ("in quotes", '"pve.test"'),
        ("with a zero-width space", "pve.test\u200b"),
    ]],
    case("token with its secret", [entry("new", token_id="portal@pve!labs", token_secret=TOKEN_MARKER)], NEW),
    case("token and no password", [without("new", "password", token_id="p@pve!t1", token_secret=TOKEN_MARKER)], NEW),
    case("token without its secret", [entry("new", token_id="portal@pve!labs")], NO_TOKEN),
    case("secret without its token", [entry("new", token_secret=TOKEN_MARKER)], NO_TOKEN),
    case("token without a user", [entry("new", token_id="labs", token_secret=TOKEN_MARKER)],
         "entry 1 (new): token_id: Write it like portal@pve!labs."),
    case("token's secret a number", [entry("new", token_id="p@pve!t1", token_secret=1)],
         "entry 1 (new): token_secret: should be a text"),
    case("certificate", [entry("new", ca_certificate=PEM)], NEW),
    case("certificate cut off", [entry("new", ca_certificate=PEM[:200])],
         NO_CERTIFICATE),
    case("certificate of prose", [entry("new", ca_certificate="trust me")],
         NO_CERTIFICATE),
    case("private key for a certificate", [entry("new", ca_certificate=PEM.replace("CERTIFICATE", "PRIVATE KEY"))],
         "entry 1 (new): ca_certificate: Line 1: this looks like a private key. Enter only the certificates "
         "(BEGIN CERTIFICATE)."),
    case("fingerprint", [entry("new", fingerprint=FINGERPRINT)], NEW),
    case("fingerprint in small letters", [entry("new", fingerprint=FINGERPRINT.lower())], NEW),
    case("fingerprint without colons", [entry("new", fingerprint=FINGERPRINT.replace(":", ""))], NEW),
    case("two fingerprints", [entry("new", fingerprint=f"{FINGERPRINT}\n{OTHER_PRINT}")], NEW),
    case("two fingerprints, the second of SHA-1", [entry("new", fingerprint=f"{FINGERPRINT} {'AB' * 20}")],
         "entry 1 (new): fingerprint: Number 2: write SHA-256 as 32 pairs, like AA:BB:…"),
    case("fingerprint of SHA-1", [entry("new", fingerprint=":".join(["AB"] * 20))],
         NO_FINGERPRINT),
    case("read-only token with its secret", [entry("new", **READER)], NEW),
    case("read-only token, sealed", [entry("new", **READER | {"read_token_secret": sealed(MARKER)})], NEW),
    case("read-only token for a credential", [without("new", "password", **READER)],
         "entry 1 (new): password: is missing"),
    case("read-only token without its secret", [entry("new", read_token_id="p@pve!look")],
         "entry 1 (new): read_token_id: and read_token_secret belong together"),
    case("read-only token sealed with another key",
         [entry("new", **READER | {"read_token_secret": sealed(MARKER, OTHER_KEY)})],
         "new: read_token_secret: was not encrypted with a key of FIELD_ENCRYPTION_KEY"),
    case("sealed password", [entry("new", password=sealed(MARKER))], NEW),
    case("sealed token", [entry("new", token_id="p@pve!t1", token_secret=sealed(MARKER))], NEW),
    case("sealed with another key", [entry("new", password=sealed(MARKER, OTHER_KEY))],
         "new: password: was not encrypted with a key of FIELD_ENCRYPTION_KEY"),
    case("sealed, one letter changed",
         [entry("new", password={"sealed": sealed(MARKER)["sealed"].replace("AAAAB", "AAAAC", 1)})],
         "new: password: was not encrypted with a key of FIELD_ENCRYPTION_KEY"),
    case("sealed in the clear", [entry("new", password={"sealed": MARKER})], f"entry 1 (new): password: {NO_SECRET}"),
    case("sealed null", [entry("new", password={"sealed": None})], f"entry 1 (new): password: {NO_SECRET}"),
    case("sealed and more", [entry("new", password=sealed(MARKER) | {"key": 1})],
         f"entry 1 (new): password: {NO_SECRET}"),
    case("sealed too short", [entry("new", password={"sealed": "gAAAAA"})], f"entry 1 (new): password: {NO_SECRET}"),
    case("an empty object for a password", [entry("new", password={})],
         "entry 1 (new): password: is missing", f"entry 1 (new): password: {NO_SECRET}"),
]  # fmt: skip

# Defaults, and clusters that the portal has or had.

PRESENT = [
    case("the default here too", [entry("here", is_default=True)], "same here"),
    case("another default than the portal's", [entry("new", is_default=True)],
         "Notice: here stays the default; the file's (new) does not replace it.",
         NEW),
    case("two defaults", [entry("a", is_default=True), entry("b", is_default=True)],
         "Notice: Several entries are marked as the default (a, b), so there is none. "
         "Choose one in the administration.",
         "new a",
         "new b"),
    case("an inactive default", [entry("new", is_default=True, is_active=False)],
         "Notice: new is marked as the default but is not active, so it is not the default.",
         NEW),
    case("inactive", [entry("new", is_active=False)], NEW),
    case("the same", [entry("here"), entry("moved")], "same here", "same moved"),
    case("a different name, left alone", [entry("here", name="H")],
         "differs here (left alone)",
         "name: Cluster here → H"),
    case("a different name, taken over", [entry("here", name="H")],
         "differs here",
         "name: Cluster here → H", update=True),
    case("a name that commands a terminal", [entry("here", name="\x1b[2J")],
         "entry 1 (here): name: This contains the control character U+001B, which no page can show. Remove it.",
         update=True),
    case("another host, left alone", [entry("here", host="b.test")],
         "differs here (left alone)",
         "host: pve.test → b.test"),
    case("another host, without its credential", [entry("here", host="b.test")],
         f"differs here (left alone) {TOGETHER}",
         "host: pve.test → b.test",
         f"here: {TOGETHER}", update=True),
    case("another host, with its credential", [entry("here", host="b.test")],
         "differs here",
         "host: pve.test → b.test", update=True, update_secrets=True),
    case("another password, left alone", [entry("here", password="other")],
         "differs here (left alone)",
         "password: *** → another one"),
    case("another password, taken over", [entry("here", password="other")],
         "differs here",
         "password: *** → another one", update=True, update_secrets=True),
    case("the same password, sealed", [entry("here", password=sealed(MARKER))], "same here"),
    case("a certificate, taken over", [entry("here", ca_certificate=PEM)],
         "differs here",
         "ca_certificate: none → a certificate", update=True, update_secrets=True),
    case("other addresses, left alone", [entry("here", addresses=["10.0.0.12", "b.test:443"])],
         "differs here (left alone)",
         "addresses: none → 10.0.0.12, b.test:443"),
    case("other addresses, without the credential", [entry("here", addresses=["b.test"])],
         f"differs here (left alone) {TOGETHER}",
         "addresses: none → b.test",
         f"here: {TOGETHER}", update=True),
    case("only with a grant", [entry("here", is_restricted=True)],
         "differs here",
         "is_restricted: False → True", update=True),
    case("only with a grant, in quotes", [entry("new", is_restricted="yes")],
         f"entry 1 (new): is_restricted: {NO_FLAG}"),
    case("a read-only token, taken over", [entry("here", **READER)],
         "differs here",
         "read_token_id: none → portal@pve!look",
         "read_token_secret: none → another one", update=True, update_secrets=True),
    case("a foreign sealed password for a present one", [entry("here", password=sealed(MARKER, OTHER_KEY))],
         "here: password: was not encrypted with a key of FIELD_ENCRYPTION_KEY", update=True, update_secrets=True),
    case("the default switched off", [entry("here", is_active=False)],
         "Notice: here is the default and will be deactivated, so there will be no default.",
         "differs here",
         "is_active: True → False", update=True),
    case("deleted", [entry("gone")],
         "deleted gone deleted 2026-03-01 by lena; --restore restores it"),
    case("deleted, brought back", [entry("gone")], "new gone", restore=True),
    case("one good, one bad", [ONE, entry("bad", port=0)], NEW,
         "entry 2 (bad): port: should be a number from 1 to 65535"),
    case("one good, one bad, in part", [ONE, entry("bad", port=0)], NEW,
         "entry 2 (bad): port: should be a number from 1 to 65535", partial=True),
    case("new, same, different, deleted and wrong at once",
         [ONE, entry("here"), entry("moved", port=443), entry("gone"), entry("bad", id="")],
         NEW,
         "same here",
         "differs moved (left alone)",
         "port: 8006 → 443",
         "deleted gone deleted 2026-03-01 by lena; --restore restores it",
         "entry 5: id: is missing"),
]  # fmt: skip

CORPUS = [*FORMS, *BROKEN, *WRONG, *SECRETS, *PRESENT]
