"""A poll that is decided by the version of the rows says what one would say that makes cards."""

import random
from collections.abc import Callable
from datetime import timedelta
from unittest.mock import patch

import pytest
from django.template import Context, Template
from django.utils import timezone, translation

from accounts.models import User
from clusters.models import Cluster, ClusterHealth, ClusterNotice
from tests.labs import queries
from vms.models import Assignment, Batch, ClusterSync, HelpRequest, MachineSet, Operation, VirtualMachine
from vms.pages import cards, dashboard, kept_html, machine_list, row_version
from vms.pages.bounded_store import BoundedStore
from vms.pages.list_query import ListQuery
from vms.templatetags import kept

pytestmark = pytest.mark.django_db

TILES = Template("{% load kept %}{% machine_tiles dashboard %}")
CARDS = Template("{% load kept %}{% for group in listed.groups %}{% machine_cards group %}{% endfor %}")
ALL = ListQuery.from_url({"page": "1"})


@pytest.fixture
def student(db: None) -> User:
    """With six machines on two clusters, of which nothing is new."""
    person = User.objects.create(username="student")
    now = timezone.now()
    for letter in "ab":
        cluster = Cluster.objects.create(
            cluster_id=f"lab-{letter}", name=letter, host="192.0.2.1", user="u@pve", password="x"
        )
        ClusterHealth.succeeded(cluster.cluster_id)
        ClusterSync.objects.update_or_create(cluster=cluster, defaults={"synced_at": now, "interval": 3600})
        for vmid in (101, 102, 103):
            machine = VirtualMachine.objects.create(
                cluster=cluster, vmid=vmid, name=f"{letter}-{vmid}", node="pve1", addresses=["192.0.2.7"],
                status="running" if vmid % 2 else "stopped", booted_at=now - timedelta(hours=1), details_at=now,
                details_due_at=now + timedelta(hours=6),
            )  # fmt: skip
            Assignment.objects.create(vm=machine, user=person)
    return person


def version(person: User) -> str:
    rows = ALL.first_page_for(person)
    assert rows
    return row_version.of_rows(rows, person.pk, "", looked_at_every=machine_list.LOOKED_AT_EVERY)


def listed(person: User) -> cards.Listed:
    return machine_list.listed(person, ALL)


def afresh(person: User) -> cards.Listed:
    return cards.Listed(tuple(machine_list._groups(person, list(ALL.machines(person, timezone.now())))))


def html(made: cards.Listed) -> str:
    return CARDS.render(Context({"listed": made, "origin": "all", "csrf_token": "t" * 64}))


def changes(luck: random.Random, person: User) -> list[Callable[[], object]]:
    """What may happen to the page, each with its way back."""
    machines = VirtualMachine.objects.filter(assignments__user=person)
    machine = luck.choice(list(VirtualMachine.objects.order_by("pk")))
    this, now = VirtualMachine.objects.filter(pk=machine.pk), timezone.now()
    cluster, health = (
        Cluster.objects.filter(pk=machine.cluster.pk),
        ClusterHealth.objects.filter(cluster=machine.cluster),
    )
    sync = ClusterSync.objects.filter(cluster=machine.cluster)

    def operation(**fields: object) -> Operation:
        Operation.objects.filter(vm=machine).delete()
        return Operation.objects.create(
            vm=machine, cluster_id=machine.cluster_id, vmid=machine.vmid, action="start", admitted_at=now, **fields
        )

    def managed() -> None:
        group = MachineSet.objects.create(name=f"Group {luck.random()}")
        group.machines.add(machine)
        group.stewards.add(User.objects.get_or_create(username="tess")[0])

    def forget() -> None:
        Operation.objects.all().delete()
        ClusterNotice.objects.all().delete()
        MachineSet.objects.all().delete()
        machines.update(missing_since=None, silent_since=None, gone_at=None)
        ClusterHealth.objects.update(ok=True, failing_since=None, kind="")
        ClusterSync.objects.update(synced_at=now)

    return [
        lambda: this.update(name=luck.choice(("web", "db", "<b>")), node=luck.choice(("pve1", "pve2"))),
        lambda: this.update(status=luck.choice(("running", "stopped", "paused", "io-error", "unknown"))),
        lambda: this.update(lock=luck.choice(("", "backup", "suspended"))),
        lambda: this.update(ha_state=luck.choice(("", "error", "started"))),
        lambda: this.update(addresses=luck.choice(([], ["192.0.2.8"], ["no address"]))),
        lambda: this.update(booted_at=luck.choice((None, now, now - timedelta(hours=2)))),
        lambda: this.update(doubted_since=luck.choice((None, now))),
        lambda: this.update(kind=luck.choice(("qemu", "lxc")), vmid=luck.randrange(200, 9000)),
        lambda: this.update(**{luck.choice(("missing_since", "silent_since", "gone_at")): now - timedelta(minutes=3)}),
        lambda: this.update(details_at=now, status_at=luck.choice((None, now))),
        lambda: cluster.update(name=luck.choice("abc"), is_default=False),
        lambda: cluster.update(is_restricted=luck.random() < 0.3),
        lambda: health.update(ok=False, failing_since=now, kind="certificate"),
        lambda: sync.update(synced_at=luck.choice((now, now - timedelta(days=1)))),
        lambda: ClusterNotice.objects.create(cluster=machine.cluster, text="Serviced on Friday"),
        lambda: operation(state="running", sent_at=now),
        lambda: operation(state="failed", finished_at=now, outcome="no"),
        lambda: operation(state="done", finished_at=now),
        lambda: Operation.objects.update(dismissed_at=now),
        lambda: Assignment.objects.filter(vm=machine, user=person).update(ended_at=now, released_at=now),
        lambda: Assignment.objects.get_or_create(vm=machine, user=person, ended_at=None),
        managed,
        forget,
    ]  # fmt: skip


def differing(person: User, seed: int) -> tuple[int, int]:
    """After how many of the changes a poll says otherwise than cards do, and how many polls the version decided."""
    luck = random.Random(seed)  # noqa: S311 - the same changes again
    wrong = decided = 0
    for number in range(len(changes(luck, person))):
        changes(luck, person)[number]()
        with translation.override(luck.choice(("en", "es"))), patch.object(cards, "groups", wraps=cards.groups) as made:
            known = [listed(person) for _ in range(2)]
            decided += not made.called
            fresh = afresh(person)
            wrong += any((one, html(one)) != (fresh, html(fresh)) for one in known)
            wrong += known[0].fingerprint != fresh.fingerprint
        changes(luck, person)[-1]()  # back
        html(listed(person))
    return wrong, decided


def test_polls_say_what_cards_say_whatever_happens(student: User) -> None:
    wrong, decided = differing(student, 11)
    assert wrong == 0
    assert decided > 0


def test_polls_of_a_group_say_what_its_page_says_whatever_happens(student: User) -> None:
    """Managers see help requests, assignees and batches, too."""
    tess = User.objects.create(username="tess")
    group = MachineSet.objects.create(name="Group")
    group.stewards.add(tess)
    group.machines.add(*VirtualMachine.objects.all())
    assignment = Assignment.objects.order_by("pk").first()
    batch = {"action": "start", "requested_by_name": "tess", "machine_set": group}
    more = [
        lambda: HelpRequest.ask(assignment, text="It hangs"),
        lambda: HelpRequest.objects.update(closed_at=timezone.now()),
        lambda: User.objects.filter(pk=student.pk).update(first_name="Ana"),
        lambda: Batch.objects.create(**batch),
        lambda: group.machines.remove(assignment.vm),
        lambda: Assignment.objects.filter(pk=assignment.pk).update(ended_at=timezone.now()),
    ]
    luck = random.Random(3)  # noqa: S311 - the same changes again
    without = [change for change in changes(luck, student) if change.__name__ not in {"forget", "managed"}]
    for change in (*more, *without):
        tiles(dashboard.kept_for_person(group, tess), group)
        change()
        known, fresh = dashboard.kept_for_person(group, tess), dashboard.for_person(group, tess)
        assert (known.fingerprint, known) == (fresh.fingerprint, fresh)
        assert tiles(known, group) == tiles(known, group) == tiles(fresh, group)


def tiles(made: dashboard.Dashboard, group: MachineSet) -> str:
    return TILES.render(Context({"machine_group": group, "dashboard": made, "may_ask": True}))


def test_an_unchanged_page_of_a_group_makes_neither_cards_nor_tiles(student: User) -> None:
    tess, ben = (User.objects.create(username=name) for name in ("tess", "ben"))
    group = MachineSet.objects.create(name="Group")
    group.stewards.add(tess, ben)
    group.machines.add(*VirtualMachine.objects.all())
    before = tiles(dashboard.kept_for_person(group, tess), group)
    with patch.object(cards, "groups", side_effect=AssertionError), patch.object(kept, "_tile", None):
        assert tiles(dashboard.kept_for_person(group, tess), group) == before
        with pytest.raises(AssertionError):
            dashboard.kept_for_person(group, ben)


def test_an_unchanged_poll_of_a_group_makes_no_cards(student: User) -> None:
    tess = User.objects.create(username="tess")
    group = MachineSet.objects.create(name="Group")
    group.stewards.add(tess)
    group.machines.add(*VirtualMachine.objects.all())
    seen = dashboard.kept_for_person(group, tess)
    with patch.object(cards, "groups", side_effect=AssertionError), queries() as asked:
        assert dashboard.kept_for_person(group, tess) is seen
    assert len(asked) == 2


def test_a_column_that_is_left_out_is_found(student: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """A positive control."""
    left_out = {f"virtualmachine.{name}" for name in ("name", "node", "lock", "vmid", "kind")}
    monkeypatch.setattr(row_version, "VOLATILE", row_version.VOLATILE | left_out)
    assert differing(student, 11)[0] > 0


def of_somebody_else(student: User, pairs: int) -> int:
    """How many of these requests, by people with different rights to the same machines, get what is not theirs."""
    luck = random.Random(5)  # noqa: S311
    tess, ben, zoe = (User.objects.create(username=name) for name in ("tess", "ben", "zoe"))
    staff = User.objects.create(username="staff", is_staff=True)
    machines = list(VirtualMachine.objects.order_by("pk"))
    group = MachineSet.objects.create(name="Group")
    group.stewards.add(tess)
    group.machines.add(*machines[:4])
    for person, machine in ((ben, machines[0]), (tess, machines[1]), (ben, machines[5])):
        Assignment.objects.filter(vm=machine).update(user=person)
    wrong = 0
    for _ in range(pairs):
        for person in luck.sample((student, tess, ben, zoe, staff), 2):
            known, fresh = listed(person), afresh(person)
            wrong += (known, html(known)) != (fresh, html(fresh))
    return wrong


def test_nobody_gets_the_card_of_somebody_with_other_rights(student: User) -> None:
    assert of_somebody_else(student, 60) == 0


def test_a_card_for_somebody_else_is_found(student: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """A positive control: rows without what they say of the reader."""
    monkeypatch.setattr(row_version, "VOLATILE", row_version.VOLATILE | {"is_helped", "assignee_name"})
    assert of_somebody_else(student, 12) > 0


@pytest.mark.parametrize("name", sorted(row_version.VOLATILE))
def test_what_is_left_out_of_the_version_is_not_on_the_cards(student: User, name: str) -> None:
    model, column = name.split(".")
    rows = {"virtualmachine": VirtualMachine, "clusterhealth": ClusterHealth}[model].objects.all()
    value = 3 if column == "details_failures" else timezone.now() - timedelta(minutes=10)
    before, known = afresh(student), version(student)
    rows.update(**{column: value})
    assert afresh(student) == before
    assert version(student) in {known, ""}


def test_an_unchanged_page_asks_once_for_the_rows_and_makes_neither_objects_nor_cards(
    student: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = html(listed(student))
    monkeypatch.setattr(cards, "groups", None)
    monkeypatch.setattr(kept, "_card", None)
    with queries() as asked:
        assert html(listed(student)) == before
    assert len(asked) == 1


def test_a_card_is_made_for_the_one_machine_that_is_new(student: User) -> None:
    listed(student)
    VirtualMachine.objects.filter(name="b-102").update(name="renamed")
    with patch.object(cards, "groups", wraps=cards.groups) as made, queries() as asked:
        found = listed(student)
    assert [machine.name for machine in made.call_args.args[0]] == ["renamed"]
    assert len(asked) == 1
    assert found == afresh(student)


def test_each_page_gets_the_token_of_its_own_request(student: User) -> None:
    one = listed(student)
    for token in ("a" * 64, "b" * 64):
        told = CARDS.render(Context({"listed": one, "csrf_token": token}))
        assert token in told
        assert kept_html.CSRF not in told


def test_what_is_written_while_a_dashboard_is_made_is_not_taken_for_what_it_says(
    student: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    tess, group = User.objects.create(username="tess"), MachineSet.objects.create(name="Group")
    group.stewards.add(tess)
    group.machines.add(*VirtualMachine.objects.all())
    make = dashboard.for_person

    def and_somebody_writes(*args: object) -> dashboard.Dashboard:
        made = make(*args)  # type: ignore[arg-type]
        VirtualMachine.objects.update(node="pve9")
        return made

    monkeypatch.setattr(dashboard, "for_person", and_somebody_writes)
    dashboard.kept_for_person(group, tess)
    monkeypatch.setattr(dashboard, "for_person", make)
    assert dashboard.kept_for_person(group, tess) == make(group, tess)


@pytest.mark.parametrize(
    "change",
    [
        lambda: ClusterSync.objects.update(synced_at=timezone.now() - timedelta(days=1)),
        lambda: VirtualMachine.objects.update(booted_at=timezone.now()),
        lambda: VirtualMachine.objects.update(details_at=timezone.now() - timedelta(minutes=2)),
        lambda: ClusterHealth.objects.update(ok=False, failing_since=timezone.now()),
    ],
    ids=["old", "just booted", "details not looked at", "failing"],
)
def test_what_goes_on_by_itself_has_no_version(student: User, change: Callable[[], object]) -> None:
    assert version(student)
    change()
    assert not version(student)


def test_what_is_remembered_has_a_bound() -> None:
    store: BoundedStore[int] = BoundedStore(10)
    for number in range(9):
        store.put(number, number, weight=2)
        store.get(0)
    assert [number for number in range(9) if store.get(number) is not None] == [0, 5, 6, 7, 8]
    store.put(8, 9, weight=0)
    assert (store.get(8), store.weight) == (9, 9)
    store.put("large", 1, weight=11)
    assert (store.get("large"), store.get(0), store.weight) == (None, None, 0)
