"""What an account is called that a source's person gets, and the other texts that come from there."""

import unicodedata

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from accounts.models import MAX_NAME, SignInSource, User
from accounts.printable import first_unprintable
from accounts.sign_in.facts import OutsidePerson


def account_name(source: SignInSource, person: OutsidePerson) -> str | None:
    """By the source's rule for user names. None where that is no user name here."""
    name = User.normalize_username(person.username.strip())
    if source.username_rule == SignInSource.UsernameRule.BEFORE_AT:
        name = name.partition("@")[0]
    try:
        User(username=name).clean_fields(exclude=[f.name for f in User._meta.fields if f.name != "username"])
    except ValidationError:
        return None
    return name if len(name) <= MAX_NAME else None


def is_taken(name: str) -> bool:
    """Whether there is an account of this name in any case. SQLite knows upper and lower case of ASCII alone."""
    if User.objects.filter(username__iexact=name).exists():
        return True
    if name.isascii():
        return False
    wanted = name.casefold()
    return any(known.casefold() == wanted for known in User.objects.values_list("username", flat=True).iterator())


def shown(text: str, *, most: int) -> str:
    """A text from outside as one line of at most so many characters, without any that no page can show."""
    line = " ".join("".join(c if first_unprintable(c, one_line=True) is None else " " for c in text).split())
    return unicodedata.normalize("NFC", line)[:most].strip()


def personal(person: OutsidePerson) -> dict[str, str]:
    """The columns of an account that a source fills in. What it leaves empty is not among them."""
    told = {
        "first_name": shown(person.first_name, most=150),
        "last_name": shown(person.last_name, most=150),
        "email": _mail(person.email),
    }
    return {name: value for name, value in told.items() if value}


def _mail(text: str) -> str:
    """An address that mail can be sent to, or nothing."""
    try:
        validate_email(text)
    except ValidationError:
        return ""
    return text if len(text) <= 254 and first_unprintable(text, one_line=True) is None else ""
