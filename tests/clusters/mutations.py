"""Files that should not be imported, or only in part: good ones with a few things done to them, and any other JSON."""

import copy
import json
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from clusters.config.entry import IGNORED_KEYS, KNOWN_KEYS
from tests.clusters.config_files import FINGERPRINT, MARKER, OTHER_KEY, PEM, TOKEN_MARKER, entry, sealed

Draw = Callable[[st.SearchStrategy[Any]], Any]
Entries = list[Any]

GOOD = [
    entry("here"),
    entry("moved", host="elsewhere.test", name="Moved", verify_ssl=True),
    entry("gone", is_default=True),
    entry("new", name="Ñandú 密", port="443", is_default=True),
    entry("off", is_active=False, is_default=True),
    entry("token", token_id="portal@pve!labs", token_secret=TOKEN_MARKER),
    entry("far", addresses=["10.0.0.12", "pve3.test:443", "[2001:db8::8]:443"]),
    entry("reader", read_token_id="portal@pve!look", read_token_secret=TOKEN_MARKER),
    entry("pins", fingerprint=f"{FINGERPRINT}, {FINGERPRINT.lower()}", addresses=[]),
    entry("trusted", ca_certificate=PEM, fingerprint=FINGERPRINT),
    entry("sealed", password=sealed(MARKER), token_id="p@pve!t1", token_secret=sealed(MARKER)),
    entry("foreign", password=sealed(MARKER, OTHER_KEY)),
    entry("old", created_at="2025-11-28T10:00:00", priority=50, arp_subnets=["10.0.0.255"], description={"a": [None]}),
]
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12),
    st.sampled_from(
        [0, -1, 65535, 65536, 8006.0, 10**30, "8006", "", " ", "true", "\0", "\ud800", "https://pve.test/", "[::1]",
         "2130706433", "root@pam", "x" * 300, "gAAAA", {"sealed": "gAAAA"}, {"sealed": MARKER}, "\x1b[2J", MARKER]
    ),
)  # fmt: skip
JUNK = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)
# Whose name a password is given, shows it: names are public. So no password is ever moved there.
KEYS = sorted((KNOWN_KEYS | IGNORED_KEYS) - {"name"})
ANY_KEY = st.sampled_from(KEYS) | st.sampled_from(["verifySsl", "pasword", "ID", "clusters", "\ud800", ""]) | st.text()


# Things done to the entries.


def junk(draw: Draw) -> Any:
    """Of its own: what is drawn twice is one object, and put into itself it could not be written."""
    return copy.deepcopy(draw(JUNK))


def _victim(draw: Draw, entries: Entries) -> Any:
    victims = [one for one in entries if isinstance(one, dict)]
    return draw(st.sampled_from(victims)) if victims else {}


def put_junk(draw: Draw, entries: Entries) -> Any:
    _victim(draw, entries)[draw(st.sampled_from(KEYS) | st.text())] = junk(draw)
    return entries


def drop_a_key(draw: Draw, entries: Entries) -> Any:
    _victim(draw, entries).pop(draw(st.sampled_from(KEYS)), None)
    return entries


def rename_a_key(draw: Draw, entries: Entries) -> Any:
    victim = _victim(draw, entries)
    if present := [key for key in victim if key in KEYS]:
        value = victim.pop(draw(st.sampled_from(present)))
        victim[draw(ANY_KEY)] = value
    return entries


def swap_two_values(draw: Draw, entries: Entries) -> Any:
    victim = _victim(draw, entries)
    present = [key for key in victim if key != "name"]
    if len(present) > 1:
        one, other = draw(st.sampled_from(present)), draw(st.sampled_from(present))
        victim[one], victim[other] = victim[other], victim[one]
    return entries


def repeat_an_entry(draw: Draw, entries: Entries) -> Any:
    victim = dict(_victim(draw, entries))
    if isinstance(victim.get("id"), str) and draw(st.booleans()):
        victim["id"] = victim["id"].upper()
    return [*entries, victim]


def replace_an_entry(draw: Draw, entries: Entries) -> Any:
    return [*entries[1:], junk(draw)]


def make_many(draw: Draw, entries: Entries) -> Any:
    return [entry(f"many-{number}") for number in range(draw(st.sampled_from([2, 9, 201])))]


def nest(draw: Draw, entries: Entries) -> Any:
    inner: Any = 0
    for _ in range(draw(st.integers(1, 12))):
        inner = [inner] if draw(st.booleans()) else {"a": inner}
    _victim(draw, entries)["description"] = inner
    return entries


CHANGES = [
    put_junk, put_junk, put_junk, drop_a_key, rename_a_key, swap_two_values, repeat_an_entry, replace_an_entry,
    make_many, nest,
]  # fmt: skip


def wrap(draw: Draw, entries: Entries) -> Any:
    odd = draw(st.integers(0, 9))
    return {1: {"clusters": entries, "version": 1}, 2: [entries], 3: {"servers": entries}}.get(
        odd, {"clusters": entries} if odd > 7 else entries
    )


# Things done to the bytes.


def cut(draw: Draw, content: bytes) -> bytes:
    return content[: draw(st.integers(0, len(content)))]


def remove(draw: Draw, content: bytes) -> bytes:
    start = draw(st.integers(0, len(content)))
    return content[:start] + content[start + draw(st.integers(1, 9)) :]


def insert(draw: Draw, content: bytes) -> bytes:
    start = draw(st.integers(0, len(content)))
    splinters = [b"\xef\xbb\xbf", b"\xff", b"\xc3", b"\0", b'"', b"{", b"]", b",", b"NaN", b"9" * 5000, b"1e999", b"//"]
    return content[:start] + draw(st.sampled_from(splinters) | st.binary(max_size=4)) + content[start:]


def repeat_a_key(draw: Draw, content: bytes) -> bytes:
    return content.replace(b"{", b'{"id": "again", ', 1)


def swap_constants(draw: Draw, content: bytes) -> bytes:
    return content.replace(
        draw(st.sampled_from([b"true", b"false", b"443"])), draw(st.sampled_from([b"NaN", b"1e999"]))
    )


def encode_otherwise(draw: Draw, content: bytes) -> bytes:
    text = content.decode("utf-8", "replace")
    return text.encode(draw(st.sampled_from(["utf-8-sig", "utf-16", "utf-32", "latin-1", "cp037"])), "replace")


DAMAGES = [cut, remove, insert, insert, repeat_a_key, swap_constants, encode_otherwise]


@st.composite
def files(draw: Draw) -> bytes:
    if draw(st.integers(0, 14)) == 0:
        return json.dumps(draw(JUNK)).encode()
    entries: Any = copy.deepcopy(draw(st.lists(st.sampled_from(GOOD), max_size=4, unique_by=lambda one: one["id"])))
    for change in draw(st.lists(st.sampled_from(CHANGES), max_size=3)):
        entries = change(draw, entries)
    content = json.dumps(wrap(draw, entries), ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")
    for damage in draw(st.lists(st.sampled_from(DAMAGES), max_size=2)) if draw(st.integers(0, 2)) == 0 else []:
        content = damage(draw, content)
    return content
