"""What a person without JavaScript types instead of choosing it from a list that JavaScript fills."""

from collections.abc import Collection, Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any

from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models
from django.http import HttpRequest, QueryDict
from django.urls import resolve, reverse
from django.utils.translation import gettext as _

from accounts.printable import validate_printable_line

MOST_OFFERED = 20  # one page of Django's autocomplete
MOST_LINES = 100
LONGEST = 200  # characters of a line; databases refuse very long patterns
DIGITS = 18  # fewer than the largest number of a database has


@dataclass(frozen=True)
class Typed:
    """`chosen` is what the list sends: the text of a primary key, or a list of them."""

    chosen: Any
    text: str = ""  # a name; for a list of many a name per line
    offered: str = ""  # the lines of `text` whose matches the list offered when it was shown
    matches: Mapping[str, str] = field(default_factory=dict)  # to be offered now, label by primary key
    problems: tuple[str, ...] = ()


class TypedSearch(AutocompleteJsonView):
    """Searches as the page of Django's autocomplete does: the same objects, by the same permission."""

    def __init__(self, source: Any, admin_site: Any, request: HttpRequest) -> None:
        """`request` brought the form."""
        super().__init__(admin_site=admin_site)
        url = reverse(f"{admin_site.name}:autocomplete")
        asked: Any = copy(request)
        asked.method, asked.path, asked.path_info, asked.resolver_match = "GET", url, url, resolve(url)
        asked.GET = QueryDict(mutable=True)
        asked.GET["app_label"], asked.GET["model_name"] = source.model._meta.label_lower.split(".")
        asked.GET["field_name"] = source.name
        self.setup(asked)

    def matches(self, typed: str) -> dict[str, str]:
        """Labels by primary key, at most one more than can be offered.

        Where `typed` is the whole name of some, only these. Raises `PermissionDenied` for people who may not see
        such objects.
        """
        self.term, self.model_admin, self.source_field, to_field = self.process_request(self.request)
        if not self.has_perm(self.request):
            raise PermissionDenied
        self.term = typed
        found = self.get_queryset()
        exact = found.filter(self._is_name(found.model, typed))
        rows = [*exact[: MOST_OFFERED + 1]] or [*found[: MOST_OFFERED + 1]]
        return {str(getattr(row, to_field)): str(row) for row in rows}

    def _is_name(self, model: Any, typed: str) -> models.Q:
        """The first field of a search is the name. A number is meant as a whole."""
        name, *others = self.model_admin.get_search_fields(self.request)
        exact = models.Q(**{f"{name}__iexact": typed})
        if typed.isdecimal() and len(typed) <= DIGITS:
            own = [model._meta.get_field(other) for other in others if "__" not in other]
            for number in own:
                if isinstance(number, models.IntegerField):
                    exact |= models.Q(**{number.name: int(typed)})
        return exact


def look_up(typed: Typed, search: TypedSearch, field_label: str) -> Typed:
    """With what was found added to what was chosen, and what was not found kept. `field_label` names the field."""
    is_list = isinstance(typed.chosen, list)
    lines = _lines(typed.text) if is_list else [typed.text.strip()]
    if len(lines) > MOST_LINES:
        problem = _("%(field)s: at most %(most)d lines at once.") % {"field": field_label, "most": MOST_LINES}
        return replace(typed, problems=(problem,))
    chosen = typed.chosen if is_list else [typed.chosen]
    was_offered = _lines(typed.offered)
    answers = [_answer(line, search, chosen if line in was_offered else ()) for line in lines]
    taken = [pk for answer in answers for pk in answer.taken]
    matches = {pk: label for answer in answers for pk, label in answer.matches.items()}
    one = taken[0] if taken else "" if matches else typed.chosen
    return Typed(
        chosen=[*dict.fromkeys([*chosen, *taken])] if is_list else one,
        text="\n".join(answer.line for answer in answers if answer.problem),
        offered="\n".join(answer.line for answer in answers if answer.matches),
        matches=matches,
        problems=tuple(f"{field_label}: {answer.problem}" for answer in answers if answer.problem),
    )


def _lines(text: str) -> list[str]:
    return [*dict.fromkeys(filter(None, map(str.strip, text.splitlines())))]


@dataclass(frozen=True)
class _Answer:
    """To one line."""

    line: str
    taken: tuple[str, ...] = ()
    matches: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""


def _answer(line: str, search: TypedSearch, chosen: Collection[str]) -> _Answer:
    """`chosen` are those chosen since the matches of this line were offered."""
    try:
        validate_printable_line(line)
        matches = search.matches(line) if len(line) <= LONGEST else {}
    except ValidationError as error:
        return _Answer(line, problem=error.messages[0])
    except PermissionDenied:
        return _Answer(line, problem=_("you do not have permission to search here."))
    meant = tuple(pk for pk in matches if len(matches) == 1 or pk in chosen)
    if meant:
        return _Answer(line, taken=meant)
    if len(matches) > MOST_OFFERED:
        text = _("more than %(most)d match “%(typed)s”. Type more of the name.")
        return _Answer(line, problem=text % {"most": MOST_OFFERED, "typed": line})
    several = _("%(n)d match “%(typed)s”. Choose in the list, which now shows them.")
    text = several if matches else _("nothing is called “%(typed)s”. Check the spelling.")
    return _Answer(line, matches=matches, problem=text % {"n": len(matches), "typed": line})
