"""Links of a class: a line for each, of an address and a title."""

from typing import NamedTuple

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.utils.translation import gettext as _

MOST_LINKS = 20


class Link(NamedTuple):
    title: str
    url: str


def links_in(text: str) -> list[Link]:
    """The links of lines like `https://school.example/wiki Our wiki`. The title is the address where there is none."""
    lines = [line.strip().partition(" ") for line in text.splitlines() if line.strip()]
    return [Link(title.strip() or url, url) for url, _space, title in lines]


def validate_links(text: str) -> None:
    """Only the web: no address that a browser would run."""
    check = URLValidator(schemes=["http", "https"])
    links = links_in(text)
    if len(links) > MOST_LINKS:
        raise ValidationError(_("Too many links: at most %(most)d are allowed. Remove some.") % {"most": MOST_LINKS})
    for number, link in enumerate(links, 1):
        try:
            check(link.url)
        except ValidationError:
            raise ValidationError(
                _("Link %(number)d: enter an address that begins with https://, then a space and a title.")
                % {"number": number}
            ) from None
