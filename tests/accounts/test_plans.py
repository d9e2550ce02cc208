"""The engine of plans: rows with outcomes, their words, the digest, carrying out, and the page that does it."""

import json
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest
from django import forms
from django.contrib.auth.models import Group
from django.contrib.messages import get_messages
from django.contrib.messages.storage.fallback import FallbackStorage
from django.http import HttpResponse
from django.test import RequestFactory
from django.utils import translation
from django.utils.translation import gettext_noop, ngettext_lazy

from accounts import signed
from accounts.models import User
from accounts.plans import Note, Outcome, Plan, PlanChanged, PlanPage, PlanRow, Reason, carry_out
from accounts.spreadsheet import Unreadable


class GroupReason(Reason):
    NEW = "new", Outcome.CREATED, "will be added", ngettext_lazy("%(n)d will be added", "%(n)d will be added", "n")
    SAME = "same", Outcome.SKIPPED, "is there", ngettext_lazy("%(n)d is there", "%(n)d are there", "n")
    WRONG = "wrong", Outcome.REFUSED, "is wrong", ngettext_lazy("%(n)d is wrong", "%(n)d are wrong", "n")


@dataclass(frozen=True)
class GroupRow(PlanRow):
    name: str = ""
    secret: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, kw_only=True)
class GroupPlan(Plan[GroupRow]):
    strict: bool = False

    columns: ClassVar = (("line", "Line"), ("name", "Group"))

    will: ClassVar = {Outcome.CREATED: ngettext_lazy("%(n)d group will be added", "%(n)d groups will be added", "n")}
    did: ClassVar = {Outcome.CREATED: ngettext_lazy("%(n)d group was added", "%(n)d groups were added", "n")}
    nothing: ClassVar = "No group will be added"
    button: ClassVar = ngettext_lazy("Add %(n)d group", "Add %(n)d groups", "n")

    @property
    def is_refused(self) -> bool:
        return self.strict and bool(self.of(GroupReason.WRONG))


NOTE = Note.of(gettext_noop("this person is also on line %(line)s"), line=3)


def plan(*names: str, strict: bool = False) -> GroupPlan:
    """One group for each name; “?” is a wrong one, and “trouble” cannot be read."""
    if "trouble" in names:
        raise Unreadable("Line 1 cannot be read.")
    there = {*Group.objects.values_list("name", flat=True)}
    reasons = {"?": GroupReason.WRONG} | dict.fromkeys(there, GroupReason.SAME)
    rows = [GroupRow(n, reasons.get(name, GroupReason.NEW), (), name) for n, name in enumerate(names, 1)]
    return GroupPlan(rows=tuple(rows), strict=strict)


def write(made: GroupPlan) -> None:
    for row in made.written:
        Group.objects.create(name=row.name)


@pytest.fixture(autouse=True)
def there(db: None) -> None:
    Group.objects.all().delete()
    Group.objects.create(name="there")


def names() -> list[str]:
    return list(Group.objects.order_by("name").values_list("name", flat=True))


# Rows and words


def test_a_plan_counts_in_words_in_the_order_of_the_reasons():
    assert plan("?", "there", "a", "b", "?").in_words == "2 will be added, 1 is there, 2 are wrong"


def test_a_plan_says_what_will_happen_what_the_button_does_and_what_happened():
    made = plan("?", "there", "a", "b")
    assert (made.heading, made.action, made.said) == ("2 groups will be added", "Add 2 groups", ["2 groups were added"])
    assert plan("there").heading == "No group will be added"


def test_a_plan_counts_every_outcome():
    assert plan("?", "there", "a", "b").counts == {"created": 2, "changed": 0, "skipped": 1, "refused": 1}


def test_a_row_tells_its_reason_and_its_notes():
    assert GroupRow(1, GroupReason.WRONG, (NOTE, NOTE)).words == (
        "is wrong: this person is also on line 3; this person is also on line 3"
    )


def test_a_note_is_told_in_the_readers_language():
    row = GroupRow(1, GroupReason.WRONG, (NOTE,))
    with translation.override("es"):
        assert row.details != ["this person is also on line 3"]


def test_a_note_tells_choices_by_their_label():
    assert str(Note.of("in %(theme)s", theme=User.Theme.DARK)) == "in Dark"


def test_a_plan_as_json_has_outcome_reason_and_facts_of_each_row():
    made = GroupPlan(rows=(GroupRow(2, GroupReason.WRONG, (NOTE,), "x", secret="hidden"),))
    told = json.loads(json.dumps(made.as_json()))
    assert told["rows"] == [
        {
            "line": 2, "name": "x", "outcome": "refused", "reason": "wrong",
            "words": "is wrong: this person is also on line 3", "facts": {"line": "3"},
        }
    ]  # fmt: skip
    assert (told["may_be_carried_out"], told["counts"]["refused"], told["digest"]) == (False, 1, made.digest)


# The digest


def test_the_digest_is_the_same_in_every_language():
    made = GroupPlan(rows=(GroupRow(1, GroupReason.WRONG, (NOTE,)),))
    with translation.override("es"):
        spanish = made.digest
    assert spanish == made.digest


@pytest.mark.parametrize(
    "other",
    [
        GroupRow(2, GroupReason.NEW, (), "a"),
        GroupRow(1, GroupReason.SAME, (), "a"),
        GroupRow(1, GroupReason.NEW, (NOTE,), "a"),
        GroupRow(1, GroupReason.NEW, (), "b"),
    ],
    ids=["line", "reason", "note", "own field"],
)
def test_every_field_counts_in_the_digest(other: GroupRow):
    assert GroupPlan(rows=(other,)).digest != GroupPlan(rows=(GroupRow(1, GroupReason.NEW, (), "a"),)).digest


def test_the_plans_own_fields_count_in_the_digest():
    assert plan("a").digest != plan("a", strict=True).digest


def test_what_takes_no_part_in_comparison_is_in_no_digest_and_no_text():
    rows = [GroupRow(1, GroupReason.NEW, (), "a", secret=secret) for secret in ("one", "two")]
    assert len({GroupPlan(rows=(row,)).digest for row in rows}) == 1
    assert "one" not in f"{rows[0]} {rows[0]!r} {GroupPlan(rows=(rows[0],)).as_json()}"


def test_rows_that_changed_since_are_found():
    before = plan("a", "b").marks
    Group.objects.create(name="b")
    assert [row.name for row in plan("a", "b").changed_since(before)] == ["b"]


# Carrying out


def test_what_was_shown_is_written():
    done = carry_out(lambda: plan("a", "there"), write, expected=plan("a", "there").digest)
    assert (names(), len(done.written)) == (["a", "there"], 1)


def test_anything_else_than_what_was_shown_is_refused():
    shown = plan("a", "b").digest
    Group.objects.create(name="b")
    with pytest.raises(PlanChanged):
        carry_out(lambda: plan("a", "b"), write, expected=shown)
    assert "a" not in names()


def test_without_an_expected_plan_the_one_that_is_found_is_written():
    carry_out(lambda: plan("a"), write, expected=None)
    assert "a" in names()


def test_a_refused_plan_writes_nothing():
    made = plan("a", "?", strict=True)
    assert not made.may_be_carried_out
    carry_out(lambda: plan("a", "?", strict=True), write, expected=made.digest)
    assert names() == ["there"]


def test_a_plan_that_writes_nothing_leaves_no_trace_of_what_it_locked():
    def make() -> GroupPlan:
        Group.objects.create(name="lock")
        return plan("there")

    carry_out(make, write, expected=None)
    assert names() == ["there"]


def test_what_the_database_refuses_is_a_changed_plan_and_nothing_of_it_stays():
    def write_twice(made: GroupPlan) -> None:
        write(made)
        write(made)

    with pytest.raises(PlanChanged, match="at the same moment"):
        carry_out(lambda: plan("a"), write_twice, expected=None)
    assert names() == ["there"]


# The page


class GroupsForm(forms.Form):
    text = forms.CharField()
    source_field = "text"


class GroupsPage(PlanPage[GroupPlan]):
    purpose = "groups"
    form_class = GroupsForm

    def facts(self, form: forms.Form) -> dict[str, Any]:
        return {"text": form.cleaned_data["text"]}

    def plan(self, facts: dict[str, Any]) -> GroupPlan:
        return plan(*facts["text"].split(","))

    def apply(self, facts: dict[str, Any], expected: str) -> GroupPlan:
        return carry_out(lambda: self.plan(facts), write, expected=expected)

    def page(self, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
        self.context = context
        return HttpResponse(status=status)


@pytest.fixture
def visit(ana: User) -> Any:
    """Ask the page as Ana, or as somebody else. Its answer has the context and the messages."""

    def visit(by: User = ana, page: type[GroupsPage] = GroupsPage, **data: str) -> Any:
        request = RequestFactory().post("/groups/", data) if data else RequestFactory().get("/groups/")
        request.user, request.session = by, {}  # type: ignore[assignment]
        request._messages = FallbackStorage(request)  # type: ignore[attr-defined]
        made = page(request, back_url="/back/")
        answer: Any = made.respond()
        answer.context = getattr(made, "context", {})
        answer.said = " ".join(str(message) for message in get_messages(request))
        return answer

    return visit


def test_the_page_shows_the_form_then_the_plan_then_does_it(visit: Any):
    assert "form" in visit().context
    page = visit(text="a,there")
    assert [(one.row.reason, one.cells) for one in page.context["plan_rows"]] == [
        (GroupReason.NEW, [("Line", 1), ("Group", "a")]),
        (GroupReason.SAME, [("Line", 2), ("Group", "there")]),
    ]
    assert names() == ["there"]
    done = visit(shown=page.context["shown"])
    assert (done.url, done.said) == ("/back/", "1 group was added")
    assert names() == ["a", "there"]


def test_a_plan_that_would_write_nothing_cannot_be_confirmed(visit: Any):
    assert visit(text="there").context["shown"] == ""


def test_an_error_in_the_input_is_shown_at_its_field_and_nothing_that_was_typed_is_lost(visit: Any):
    page = visit(text="trouble")
    assert page.status_code == 400
    assert page.context["form"].errors == {"text": ["Line 1 cannot be read."]}
    assert page.context["form"]["text"].value() == "trouble"


def test_a_changed_world_asks_again_and_marks_what_changed(visit: Any):
    page = visit(text="a,b")
    Group.objects.create(name="b")
    again = visit(shown=page.context["shown"])
    assert "changed after this preview" in again.said
    assert [one.is_new for one in again.context["plan_rows"]] == [False, True]
    assert again.context["new_rows"] == 1
    visit(shown=again.context["shown"])
    assert names() == ["a", "b", "there"]


def test_an_old_preview_is_shown_anew_and_not_carried_out(visit: Any, monkeypatch: pytest.MonkeyPatch):
    page = visit(text="a")
    monkeypatch.setattr(signed, "MAX_AGE", -1)
    again = visit(shown=page.context["shown"])
    assert "too old" in again.said
    assert [one.row.name for one in again.context["plan_rows"]] == ["a"]
    assert names() == ["there"]


class OtherPage(GroupsPage):
    purpose = "other groups"


@pytest.mark.parametrize("how", ["somebody else", "another page", "made up"])
def test_what_one_was_shown_is_confirmed_by_nobody_and_nowhere_else(visit: Any, ben: User, how: str):
    shown = visit(text="a").context["shown"]
    answer = {
        "somebody else": lambda: visit(by=ben, shown=shown),
        "another page": lambda: visit(page=OtherPage, shown=shown),
        "made up": lambda: visit(shown=shown + "x"),
    }[how]()
    assert (answer.status_code, answer.url, "too old, or not yours" in answer.said) == (302, "/groups/", True)
    assert names() == ["there"]


def test_a_preview_can_be_edited_and_brings_what_was_typed(visit: Any):
    shown = visit(text="a,b").context["shown"]
    assert visit(shown=shown, edit="yes").context["form"]["text"].value() == "a,b"
    assert names() == ["there"]


def test_where_nothing_can_be_confirmed_the_form_is_there_to_be_mended(visit: Any):
    page = visit(text="there")
    assert (page.context["plan"].written, page.context["form"]["text"].value()) == ([], "there")


def test_facts_that_are_gone_are_asked_for_again(visit: Any, monkeypatch: pytest.MonkeyPatch):
    shown = visit(text="a").context["shown"]
    monkeypatch.setattr(GroupsPage, "recall", lambda self, kept: None)
    assert visit(shown=shown).status_code == 302
    assert names() == ["there"]
