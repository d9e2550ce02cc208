"""From a provider's claims to what the portal knows about a person. Nothing here is believed to be well formed."""

from collections.abc import Mapping
from typing import Any

from accounts.models import Provider
from accounts.sign_in.facts import OutsidePerson

MOST_TEXT = 500  # characters of a value
MOST_VALUES = 2000  # of one claim
# They say something of one sign-in, and nothing of a person.
OF_THE_TOKEN = {
    "iss", "aud", "exp", "iat", "nbf", "nonce", "at_hash", "c_hash", "s_hash", "jti", "sid", "auth_time", "azp", "amr",
    "acr", "_claim_names", "_claim_sources",
}  # fmt: skip

Claims = Mapping[str, Any]


def person(provider: Provider, claims: Claims) -> OutsidePerson:
    """The person of verified claims. `sub` alone is enough: it is the name then, and nothing else is known."""
    subject = str(claims["sub"])
    whole_name = {} if claims.get("given_name") or claims.get("family_name") else {"given_name": claims.get("name")}
    named = {**claims, **whole_name}
    return OutsidePerson(
        subject=subject,
        username=_text(claims, provider.name_claim) or subject,
        first_name=_text(named, "given_name"),
        last_name=_text(named, "family_name"),
        email=_text(claims, "email"),
        number=_text(claims, provider.number_claim),
        groups=groups(provider, claims),
        claims=_flat(claims),
    )


def groups(provider: Provider, claims: Claims) -> frozenset[str] | None:
    """Groups and app roles. None: the answer is not complete.

    Entra ID names 200 groups at most; with more it sends none, and says where to ask for them.
    """
    told = _names(claims, provider.groups_claim) if provider.groups_claim else frozenset()
    roles = _names(claims, provider.roles_claim) if provider.roles_claim else frozenset()
    if not provider.groups_claim:
        return roles if provider.roles_claim else None
    return None if told is None else told | (roles or frozenset())


def _names(claims: Claims, claim: str) -> frozenset[str] | None:
    """A list of texts, or one text, which is one name: nobody says how it would be split."""
    pointers = claims.get("_claim_names")
    if claims.get("hasgroups") is True or (isinstance(pointers, Mapping) and claim in pointers):
        return None
    found = look_up(claims, claim)
    if isinstance(found, str):
        found = [found] if found else []
    if not isinstance(found, list) or len(found) > MOST_VALUES or not all(_is_name(one) for one in found):
        return None
    return frozenset(found)


def look_up(claims: Claims, name: str) -> Any:
    """The claim of this very name, or the one that its dots lead to."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MOST_TEXT


def _text(claims: Claims, name: str) -> str:
    """One printable text, or nothing. A claim with several values names nobody."""
    found = look_up(claims, name) if name else None
    if isinstance(found, list) and len(found) == 1:
        found = found[0]
    if isinstance(found, int) and not isinstance(found, bool):
        found = str(found)
    if not isinstance(found, str) or len(found) > MOST_TEXT:
        return ""
    return "".join(letter for letter in found if letter.isprintable()).strip()


def _flat(claims: Claims, before: str = "", depth: int = 0) -> dict[str, tuple[str, ...]]:
    """By dotted name, as texts."""
    found: dict[str, tuple[str, ...]] = {}
    for name, value in list(claims.items())[:200]:
        if not before and name in OF_THE_TOKEN:
            continue
        if isinstance(value, Mapping):
            found |= _flat(value, f"{before}{name}.", depth + 1) if depth < 3 else {}
        else:
            told = [_written(one) for one in (value if isinstance(value, list) else [value])[:MOST_VALUES]]
            found[f"{before}{name}"] = tuple(one for one in told if one is not None)
    return found


def _written(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return value if isinstance(value, str) and len(value) <= MOST_TEXT else None
