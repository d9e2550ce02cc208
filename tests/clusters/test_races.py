"""Two servers, one database: what administrators do to clusters at the same moment.

After each round there is at most one default, it is active, nothing broke, and every change was written down once.
"""

import json
import random
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import requests
from auditlog.models import LogEntry as TrailEntry
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.backends.db import SessionStore
from django.db import connections
from django.urls import reverse

from accounts.models import User
from clusters.models import Cluster
from tests.own_database import copy_of, default_connection
from tests.processes import server
from tests.samples import RACES, SEED
from tests.waits import TIMEOUT

KNOWN = ("cluster_id", "name", "host", "port", "user", "is_active", "is_default")
CREATED, CHANGED, DELETED = TrailEntry.Action.CREATE, TrailEntry.Action.UPDATE, TrailEntry.Action.DELETE
CSRF = "c" * 32
LIST, IMPORT = "admin:clusters_cluster_changelist", "admin:clusters_cluster_import"

State = dict[int, dict[str, str]]
Step = Callable[[], requests.Response]


@dataclass(frozen=True)
class Change:
    """A row of the audit trail."""

    action: int
    pk: int
    fields: dict[str, list[str]]

    @property
    def is_side_effect(self) -> bool:
        """Another one lost the mark of the default: nobody did that to it."""
        return self.action == CHANGED and self.fields == {"is_default": ["True", "False"]}


@dataclass(frozen=True)
class Round:
    kind: str
    statuses: list[int]
    before: State
    after: State
    trail: list[Change]
    history: int

    @property
    def defaults(self) -> list[dict[str, str]]:
        return [row for row in self.after.values() if row["is_default"] == "True"]


def state() -> State:
    return {row.pk: {name: str(getattr(row, name)) for name in KNOWN} for row in Cluster.objects.all()}


def trail_after(pk: int) -> list[Change]:
    entries = TrailEntry.objects.get_for_model(Cluster).filter(pk__gt=pk).order_by("pk")
    return [Change(entry.action, int(entry.object_pk), entry.changes) for entry in entries]


def complaints(before: State, trail: list[Change], after: State) -> list[str]:
    """What is wrong with a trail that is to lead from one state to the other, each step once."""
    now = {pk: dict(row) for pk, row in before.items()}
    found = []
    for change in trail:
        found += _repeated(now, change)
        if change.action == DELETED:
            now.pop(change.pk, None)
        else:
            row = now.setdefault(change.pk, {})
            row.update({name: new for name, (_, new) in change.fields.items() if name in KNOWN})
    return found + ([] if now == after else ["the trail leads elsewhere"])


def _repeated(now: State, change: Change) -> list[str]:
    if change.action == CREATED:
        return ["created twice"] if change.pk in now else []
    if change.pk not in now:
        return ["done to what was not there"]
    if change.action == DELETED:
        return []
    row = now[change.pk]
    wrong = [name for name, (old, new) in change.fields.items() if name in KNOWN and (row[name] != old or old == new)]
    return [f"{name} was not so before" for name in wrong]


class Person:
    """An administrator at one of the servers, logged in."""

    def __init__(self, name: str, address: str) -> None:
        user = User.objects.create_superuser(name)
        session = SessionStore()
        session.update(
            {
                "_auth_user_id": str(user.pk),
                "_auth_user_backend": "accounts.lockout.RecheckingBackend",
                "_auth_user_hash": user.get_session_auth_hash(),
            }
        )
        session.save()
        self.address = address
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.cookies.update({"sessionid": str(session.session_key), "csrftoken": CSRF})
        self.http.headers["X-CSRFToken"] = CSRF

    def post(self, name: str, *args: Any, data: dict[str, Any], **more: Any) -> requests.Response:
        url = self.address + reverse(name, args=args)
        return self.http.post(url, data=data, allow_redirects=False, timeout=TIMEOUT, **more)

    def act(self, action: str, cluster: Cluster, **more: str) -> requests.Response:
        return self.post(LIST, data={"action": action, "_selected_action": cluster.pk, **more})

    def delete(self, cluster: Cluster) -> requests.Response:
        return self.post("admin:clusters_cluster_delete", cluster.pk, data={"post": "yes"})

    def rename(self, cluster: Cluster, name: str) -> requests.Response:
        data = {"name": name, "host": cluster.host, "port": cluster.port, "user": cluster.user, "is_active": "on"}
        return self.post("admin:clusters_cluster_change", cluster.pk, data=data)

    def preview(self, content: bytes) -> str:
        answer = self.post(IMPORT, data={}, files={"upload": ("clusters.json", content)})
        found = re.search(r'name="shown" value="([^"]+)"', answer.text)
        assert found, answer.text
        return found[1]

    def apply(self, shown: str) -> requests.Response:
        return self.post(IMPORT, data={"shown": shown})


class Rounds:
    """Prepares each kind of round; what it returns happens at the same moment."""

    def __init__(self, one: Person, two: Person) -> None:
        self.one, self.two = one, two
        self.dice = random.Random(SEED)  # noqa: S311 - the same rounds again
        self.number = 0
        self.stable = [self.fresh() for _ in range(4)]

    def fresh(self) -> Cluster:
        self.number += 1
        values = {"name": f"Cluster {self.number}", "host": "pve.test", "user": "portal@pve", "password": "x"}
        return Cluster.objects.create(cluster_id=f"c{self.number}", **values)

    def chosen(self) -> Cluster:
        return self.dice.choice(self.stable)

    def file(self, **more: Any) -> bytes:
        self.number += 1
        entry = {"id": f"c{self.number}", "host": "pve.test", "user": "portal@pve", "password": "x", **more}
        return json.dumps([entry]).encode()

    def default_and_default(self) -> tuple[Step, Step]:
        a, b = self.chosen(), self.chosen()
        return lambda: self.one.act("make_default", a), lambda: self.two.act("make_default", b)

    def deactivate_and_default(self) -> tuple[Step, Step]:
        a = self.chosen()
        return lambda: self.one.act("deactivate", a), lambda: self.two.act("make_default", a)

    def deactivate_and_deactivate(self) -> tuple[Step, Step]:
        a = self.chosen()
        return lambda: self.one.act("deactivate", a), lambda: self.two.act("deactivate", a)

    def delete_and_edit(self) -> tuple[Step, Step]:
        a = self.fresh()
        return lambda: self.one.delete(a), lambda: self.two.rename(a, "Another name")

    def delete_and_switch(self) -> tuple[Step, Step]:
        a, action = self.fresh(), self.dice.choice(["deactivate", "make_default"])
        return lambda: self.one.delete(a), lambda: self.two.act(action, a)

    def delete_and_delete(self) -> tuple[Step, Step]:
        a = self.fresh()
        other: Step = lambda: self.two.delete(a)  # noqa: E731
        if self.dice.random() < 0.5:
            other = lambda: self.two.act("delete_selected", a, post="yes")  # noqa: E731
        return lambda: self.one.act("delete_selected", a, post="yes"), other

    def edit_and_edit(self) -> tuple[Step, Step]:
        a = self.chosen()
        names = self.dice.choices(["One", "Two", a.name], k=2)
        return lambda: self.one.rename(a, names[0]), lambda: self.two.rename(a, names[1])

    def import_and_import(self) -> tuple[Step, Step]:
        content = self.file()
        first, second = self.one.preview(content), self.two.preview(content)
        return lambda: self.one.apply(first), lambda: self.two.apply(second)

    def import_of_a_default_and_default(self) -> tuple[Step, Step]:
        if present := Cluster.objects.default():
            present.deactivate()
            present.activate()
        first, a = self.one.preview(self.file(is_default=True)), self.chosen()
        return lambda: self.one.apply(first), lambda: self.two.act("make_default", a)

    def import_and_delete(self) -> tuple[Step, Step]:
        a = self.fresh()
        entry = {"id": a.cluster_id, "name": "Renamed", "host": a.host, "user": a.user, "password": "x"}
        data = {"upload": ("clusters.json", json.dumps([entry]).encode())}
        answer = self.one.post(IMPORT, data={"update": "on"}, files=data)
        found = re.search(r'name="shown" value="([^"]+)"', answer.text)
        assert found
        return lambda: self.one.apply(found[1]), lambda: self.two.delete(a)

    @property
    def kinds(self) -> list[Callable[[], tuple[Step, Step]]]:
        return [
            self.default_and_default, self.deactivate_and_default, self.deactivate_and_deactivate,
            self.delete_and_edit, self.delete_and_switch, self.delete_and_delete, self.edit_and_edit,
            self.import_and_import, self.import_of_a_default_and_default, self.import_and_delete,
        ]  # fmt: skip

    def run(self, number: int, pool: ThreadPoolExecutor) -> Round:
        for cluster in Cluster.objects.filter(pk__in=[row.pk for row in self.stable], is_active=False):
            cluster.activate()
        prepare = self.kinds[number % len(self.kinds)]
        steps = prepare()
        before, together = state(), Barrier(len(steps))
        seen = TrailEntry.objects.order_by("pk").last()
        history = LogEntry.objects.count()

        def begin(step: Step) -> requests.Response:
            together.wait(TIMEOUT)
            return step()

        answers = list(pool.map(begin, steps))
        return Round(
            kind=prepare.__name__,
            statuses=[answer.status_code for answer in answers],
            before=before,
            after=state(),
            trail=trail_after(seen.pk if seen else 0),
            history=LogEntry.objects.count() - history,
        )


@pytest.fixture(scope="module")
def rounds(migrated_template: str, tmp_path_factory: Any, django_db_blocker: Any) -> Iterator[list[Round]]:
    folder: Path = tmp_path_factory.mktemp("races")
    with django_db_blocker.unblock(), copy_of(migrated_template, folder) as name, default_connection(NAME=name):
        Cluster.objects.create(cluster_id="first", host="pve.test", user="portal@pve", password="x")
        connections.close_all()
        with (
            server(folder / "one.log") as one,
            server(folder / "two.log") as two,
            ThreadPoolExecutor(2) as pool,
        ):
            made = Rounds(Person("one", one), Person("two", two))
            yield [made.run(number, pool) for number in range(RACES)]


def those(rounds: list[Round], is_wrong: Callable[[Round], object]) -> list[tuple[str, object]]:
    return [(one.kind, wrong) for one in rounds if (wrong := is_wrong(one))]


def test_nothing_ever_breaks(rounds: list[Round]):
    assert those(rounds, lambda one: [status for status in one.statuses if status >= 400]) == []


def test_there_are_never_two_defaults(rounds: list[Round]):
    assert those(rounds, lambda one: one.defaults[1:]) == []


def test_the_default_is_always_active(rounds: list[Round]):
    assert those(rounds, lambda one: [row for row in one.defaults if row["is_active"] != "True"]) == []


def test_the_trail_has_every_change_once(rounds: list[Round]):
    assert those(rounds, lambda one: complaints(one.before, one.trail, one.after)) == []


def test_the_history_has_what_people_did_and_no_more(rounds: list[Round]):
    def is_wrong(one: Round) -> tuple[int, list[Change]] | None:
        by_import = {change.pk for change in one.trail if change.action == CREATED or _imported(one, change)}
        done = [change for change in one.trail if not change.is_side_effect and change.pk not in by_import]
        deleted = [change for change in one.trail if change.action == DELETED and change not in done]
        return None if one.history == len(done) + len(deleted) else (one.history, one.trail)

    assert those(rounds, is_wrong) == []


def _imported(one: Round, change: Change) -> bool:
    return one.kind == "import_and_delete" and change.action == CHANGED


def test_every_kind_of_round_changed_something(rounds: list[Round]):
    assert {one.kind for one in rounds if one.trail} == {one.kind for one in rounds}


def test_the_rounds_are_told(rounds: list[Round], capsys: pytest.CaptureFixture[str]):
    errors = sum(status >= 500 for one in rounds for status in one.statuses)
    two = sum(len(one.defaults) > 1 for one in rounds)
    changes = sum(len(one.trail) for one in rounds)
    audited = sum(len(one.trail) for one in rounds if not complaints(one.before, one.trail, one.after))
    never = "never two defaults" if not two else f"{two} times two defaults"
    with capsys.disabled():
        print(f"\nseed {SEED}, {len(rounds)} rounds: {errors} errors, {never}, {changes} changes, {audited} audited")
    assert len(rounds) == RACES


# The one who checks would notice.

ROW = {"cluster_id": "a", "name": "A", "host": "h", "port": "8006", "user": "u", "is_active": "True"}
PLAIN, DEFAULT = ROW | {"is_default": "False"}, ROW | {"is_default": "True"}
SWITCH = Change(CHANGED, 1, {"is_default": ["False", "True"]})
GONE = Change(DELETED, 1, {})
BORN = Change(CREATED, 1, {name: ["None", value] for name, value in PLAIN.items()})


@pytest.mark.parametrize(
    ("before", "trail", "after"),
    [
        ({1: PLAIN}, [], {1: DEFAULT}),
        ({1: PLAIN}, [SWITCH, SWITCH], {1: DEFAULT}),
        ({1: DEFAULT}, [SWITCH], {1: DEFAULT}),
        ({1: PLAIN}, [Change(CHANGED, 1, {"name": ["A", "A"]})], {1: PLAIN}),
        ({1: PLAIN}, [GONE, GONE], {}),
        ({1: PLAIN}, [], {}),
        ({}, [BORN, BORN], {1: PLAIN}),
        ({}, [], {1: PLAIN}),
    ],
    ids="missing twice untrue no-op deleted-twice deletion-missing created-twice creation-missing".split(),
)
def test_a_wrong_trail_would_be_noticed(before: State, trail: list[Change], after: State):
    assert complaints(before, trail, after) != []


@pytest.mark.parametrize(
    ("before", "trail", "after"),
    [({1: PLAIN}, [SWITCH], {1: DEFAULT}), ({1: PLAIN}, [GONE], {}), ({}, [BORN], {1: PLAIN}), ({}, [], {})],
)
def test_a_right_trail_is_not_complained_of(before: State, trail: list[Change], after: State):
    assert complaints(before, trail, after) == []
