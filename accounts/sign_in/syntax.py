"""The syntax of what people enter about a source: servers, DNs, filters, claims, headers, networks, algorithms.

Everything here raises `ValidationError` for what looks otherwise.
"""

import ipaddress
import re
from functools import lru_cache
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

ATTRIBUTE = re.compile(r"[A-Za-z][A-Za-z0-9-]*|[0-9]+(\.[0-9]+)+")
CLAIM = re.compile(r"[^\s.\"'{}]+(\.[^\s.\"'{}]+)*")
HEADER = re.compile(r"[A-Za-z0-9-]+")
SCOPE = re.compile(r"[!#-\[\]-~]+")

# Signed with a key that only the provider has. `none` and HS… are not among them: with those, whoever knows the client
# secret, or nothing at all, could name anybody.
ALGORITHMS = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
)  # fmt: skip


def lines(text: str) -> tuple[str, ...]:
    """The lines that are not empty, without the space around them."""
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def validate_servers(text: str) -> None:
    for line in lines(text):
        address = urlsplit(line)
        try:
            is_sound = address.scheme in {"ldap", "ldaps"} and bool(address.hostname) and address.port != 0
        except ValueError:
            is_sound = False
        if not is_sound or address.path.strip("/") or address.query or "@" in address.netloc:
            raise ValidationError(_("Enter servers like ldaps://dc1.school.example, one per line."))


def validate_dn(text: str) -> None:
    if parse_dn(text) is None:
        raise ValidationError(_("Enter a distinguished name like OU=People,DC=school,DC=example."))


def validate_filter(text: str) -> None:
    """One whole filter in brackets: what is added to it cannot end it."""
    depth, lowest = 0, 1
    for at, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if at < len(text) - 1:
            lowest = min(lowest, depth)
    if not (text.startswith("(") and text.endswith(")") and depth == 0 and lowest >= 1):
        raise ValidationError(_("Enter a filter in brackets, like (objectClass=user)."))


def validate_attribute(text: str) -> None:
    if not ATTRIBUTE.fullmatch(text):
        raise ValidationError(_("Enter the name of an attribute, like employeeNumber."))


def validate_claim(text: str) -> None:
    if not CLAIM.fullmatch(text):
        raise ValidationError(_("Enter the name of a claim, like groups or realm_access.roles."))


def validate_header(text: str) -> None:
    if not HEADER.fullmatch(text):
        raise ValidationError(_("Enter the name of a header, like Remote-User."))


def validate_issuer(text: str) -> None:
    """HTTPS, or HTTP on this machine alone."""
    address = urlsplit(text)
    local = address.hostname in {"localhost", "127.0.0.1", "::1"}
    if not address.hostname or address.scheme not in ({"http", "https"} if local else {"https"}):
        raise ValidationError(_("Enter an address that begins with https://."))
    if address.query or address.fragment or "@" in address.netloc:
        raise ValidationError(_("Enter the issuer alone, without ?, # and @."))


def validate_scopes(text: str) -> None:
    found = text.split()
    if "openid" not in found or not all(map(SCOPE.fullmatch, found)):
        raise ValidationError(_("Enter scopes separated by spaces, openid among them."))


def validate_algorithms(text: str) -> None:
    if not text.split() or not {*text.split()} <= {*ALGORITHMS}:
        raise ValidationError(
            _("Enter one or more of %(known)s, separated by spaces.") % {"known": ", ".join(ALGORITHMS)}
        )


def validate_networks(text: str) -> None:
    for line in lines(text):
        try:
            network = ipaddress.ip_network(line, strict=False)
        except ValueError:
            raise ValidationError(_("“%(line)s” is neither an address nor a network.") % {"line": line}) from None
        if network.prefixlen == 0:
            raise ValidationError(_("A network of all addresses would let anybody name anybody."))


# Distinguished names


_PAIR = re.compile(r"\\([0-9A-Fa-f]{2})")


Name = tuple[tuple[tuple[str, str], ...], ...]


@lru_cache(maxsize=4096)
def parse_dn(text: str) -> Name | None:
    """A DN as directories compare it: types and values without case, white space and ways of escaping.

    None for what is none. A part with several types is sorted, as their order means nothing.
    """
    parts = []
    for part in _split(text, ",;"):
        pairs = [_pair(one) for one in _split(part, "+")]
        known = sorted(pair for pair in pairs if pair)
        if len(known) < len(pairs):
            return None
        parts.append(tuple(known))
    return tuple(parts)


def _split(text: str, marks: str) -> list[str]:
    """At these marks, where no backslash stands before them."""
    found, begin, at = [], 0, 0
    while at < len(text):
        if text[at] == "\\":
            at += 2
            continue
        if text[at] in marks:
            found.append(text[begin:at])
            begin = at + 1
        at += 1
    return [*found, text[begin:]]


def _pair(text: str) -> tuple[str, str] | None:
    kind, equals, value = text.partition("=")
    if not equals or not ATTRIBUTE.fullmatch(kind.strip()) or not value.strip():
        return None
    return kind.strip().lower(), " ".join(_unescaped(value.strip()).lower().split())


def _unescaped(text: str) -> str:
    """`\\2C` and `\\,` are both a comma. Bytes are UTF-8; others stay as they are written."""
    out, at = bytearray(), 0
    while at < len(text):
        if found := _PAIR.match(text, at):
            out.append(int(found[1], 16))
            at = found.end()
        elif text[at] == "\\" and at + 1 < len(text):
            out += text[at + 1].encode()
            at += 2
        else:
            out += text[at].encode()
            at += 1
    return out.decode(errors="backslashreplace")
