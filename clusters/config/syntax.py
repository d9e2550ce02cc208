"""The syntax of addresses, users, tokens and certificates, for the model, the form, the file and the gateway.

Everything here raises `ValidationError` for what looks otherwise, and repeats nothing of it.
"""

import ipaddress
import re
import unicodedata

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from accounts.certificates import are_authorities

MAX_ADDRESSES = 31  # besides the host
MAX_PINS = 32

# Invisible characters come along with what is copied from web pages and chats, quotation marks from documentation.
_QUOTED = re.compile(
    r"""(?P<quote>["'`])(?P<inside>.*)(?P=quote)|[\u201c\u201e\u2018](?P<curly>.*)[\u201c\u201d\u2019]""", re.DOTALL
)
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_USER = re.compile(r"[^\s:/]{1,64}@[A-Za-z][A-Za-z0-9._-]{1,30}")  # Proxmox VE allows all other characters
_WITH_PORT = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[^\[\]:]+))(?::(?P<port>[0-9]{1,5}))?")
# A user of a directory may have an @ in the name: the realm follows the last one. A header carries ASCII alone.
_API_ID = r"[\"-.0-9;-~]+@[A-Za-z0-9._-]+![A-Za-z][A-Za-z0-9._-]+"
_SECRET = re.compile(r"[!-~]+")
_WHOLE_TOKEN = re.compile(rf"(?P<id>{_API_ID})(?:\s*=\s*|\s+)(?P<secret>[!-~]+)")
_HEADER = re.compile(r"(-H\s+|--header\s+)?[\"']?(Authorization\s*:\s*)?PVEAPIToken\s*=\s*", re.IGNORECASE)
# What pveum prints for a new token, as a table or as JSON.
_PVEUM_ID = re.compile(rf"full-tokenid\W+({_API_ID})(?![A-Za-z0-9._-])")
_PVEUM_SECRET = re.compile(r"\bvalue\W+([0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})\b")
_PIN = re.compile(r"[0-9A-Fa-f]{2}(:?[0-9A-Fa-f]{2}){31}")


def tidy(text: str) -> str:
    """Cleans pasted text: removes invisible characters, and blanks and quotes around it."""
    text = "".join(letter for letter in text if unicodedata.category(letter) != "Cf").strip()
    quoted = _QUOTED.fullmatch(text)
    return (quoted["inside"] or quoted["curly"] or "").strip() if quoted else text


# Addresses


def host_and_port(text: str) -> tuple[str, int | None]:
    """A host as people write it: brackets and the final dot go, and a port is told apart. It may still be none."""
    host, port = split_address(tidy(text)) or (tidy(text), None)
    return host.removesuffix("."), port


def validate_host(host: str) -> None:
    """Accept an IP address or a DNS name, and nothing that a URL could read otherwise."""
    if not _is_ip(host) and not _is_name(host):
        raise ValidationError(_("Enter an IP address or a host name, without https:// and port."))


def validate_address(text: str) -> None:
    found = split_address(text)
    if found is None or not (_is_ip(found[0]) or _is_name(found[0])):
        raise ValidationError(_("Write host, host:port or [IPv6 address]:port, without https://."))


def validate_addresses(text: str) -> None:
    """One address a line."""
    problems = []
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            validate_address(line.strip() or "localhost")
        except ValidationError as error:
            problems.append(_("Line %(number)s: %(problem)s") % {"number": number, "problem": error.messages[0]})
    if len(address_lines(text)) > MAX_ADDRESSES:
        problems.append(_("Enter at most %(most)s addresses.") % {"most": MAX_ADDRESSES})
    if problems:
        raise ValidationError(problems)


def address_lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def split_address(text: str) -> tuple[str, int | None] | None:
    """Host and port of `host`, `host:port`, `[v6]:port` or a bare IPv6 address; None for what is none of them."""
    if text.count(":") > 1 and "[" not in text:
        return text, None
    match = _WITH_PORT.fullmatch(text)
    if not match:
        return None
    host, port = match["six"] or match["host"], match["port"]
    if port is None:
        return host, None
    return (host, int(port)) if 0 < int(port) < 65536 else None


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return "%" not in host  # behind it the library lets almost anything pass


def _is_name(host: str) -> bool:
    labels = host.split(".")
    # A name whose last label is a number (2130706433, 0x7f.1) is an address in disguise.
    disguised = re.fullmatch(r"\d+|0[xX][0-9a-fA-F]*", labels[-1])
    return len(host) <= 253 and all(map(_LABEL.fullmatch, labels)) and not disguised


# Credentials


def validate_user(user: str) -> None:
    if not _USER.fullmatch(user):
        raise ValidationError(_("Write the user with its realm, like portal@pve."))


def validate_token_id(token_id: str) -> None:
    if not re.fullmatch(_API_ID, token_id):
        raise ValidationError(_("Write it like portal@pve!labs."))


def validate_token_secret(secret: str) -> None:
    if not _SECRET.fullmatch(secret):
        raise ValidationError(_("Write the secret as Proxmox VE showed it, like 01234567-89ab-cdef-0123-456789abcdef."))


def split_token(text: str) -> tuple[str, str]:
    """ID and secret of `user@realm!name=secret`, also with a space between, as a header, or as pveum prints them."""
    found = _token_of_pveum(text) or _whole_token(tidy(text))
    if not found or len(found[0]) > 140:
        raise ValidationError(
            _("Paste ID and secret together, like portal@pve!labs=01234567-89ab-cdef-0123-456789abcdef.")
        )
    return found


def _token_of_pveum(text: str) -> tuple[str, str] | None:
    token_id, secret = _PVEUM_ID.search(text), _PVEUM_SECRET.search(text)
    return (token_id[1], secret[1]) if token_id and secret else None


def _whole_token(text: str) -> tuple[str, str] | None:
    header = _HEADER.match(text)
    match = _WHOLE_TOKEN.fullmatch(tidy(text[header.end() :].rstrip("\"'")) if header else text)
    return (match["id"], match["secret"]) if match else None


def token_user(token_id: str) -> str:
    return token_id.rsplit("!", maxsplit=1)[0]


# Trust


def validate_pem(pem: str) -> None:
    if not are_authorities(pem):
        raise ValidationError(
            _(
                "This is a node's own certificate, not that of its authority. Paste /etc/pve/pve-root-ca.pem, or pin "
                "the fingerprint of the node's certificate."
            )
        )


def validate_pins(text: str) -> None:
    pins(text)


def pins(text: str) -> tuple[str, ...]:
    """The SHA-256 fingerprints in a text, separated by commas or white space, each as AA:BB:…"""
    found = [part for part in re.split(r"[,\s]+", text) if part]
    for number, part in enumerate(found, start=1):
        if not _PIN.fullmatch(part):  # a shorter one is of MD5 or SHA-1, which can be forged
            which = _("Number %(number)s: write") % {"number": number} if len(found) > 1 else _("Write")
            raise ValidationError(_("%(which)s SHA-256 as 32 pairs, like AA:BB:…") % {"which": which})
    if not 0 < len(found) <= MAX_PINS:
        raise ValidationError(_("Enter at least one fingerprint, and at most %(most)s.") % {"most": MAX_PINS})
    return tuple(":".join(re.findall("..", part.replace(":", "").upper())) for part in found)
