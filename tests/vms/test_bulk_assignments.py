"""Many machines to many people: three ways, a preview of each, then exactly that."""

from typing import Any

import pytest
from auditlog.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from clusters.models import Cluster
from tests.admin_pages import XSS, confirm, elements, rows, said
from tests.labs import Lab
from vms.models import Assignment, VirtualMachine

pytestmark = pytest.mark.django_db


def url(way: str = "table") -> str:
    return f"{reverse('admin:vms_assignment_bulk')}?way={way}"


@pytest.fixture
def lena(client: Client, lab_admin: User) -> Client:
    client.force_login(lab_admin)
    return client


def table(client: Client, text: str, **more: Any) -> Any:
    return client.post(url(), {"text": text, **more})


def held() -> dict[int, str]:
    return dict(Assignment.objects.live().values_list("vm__vmid", "user__username"))


# A table


def test_machines_are_named_by_cluster_and_number_or_by_name(lena: Client, building_a: Lab, ana: User, ben: User):
    page = table(lena, "username,cluster,vmid\nana,building-a,101\nBEN,NET-02")
    assert rows(page) == [
        "2 ana net-01 (building-a/101) will be assigned",
        "3 ben net-02 (building-a/102) will be assigned",
    ]
    assert said(confirm(lena, url(), page)) == "2 machines assigned."
    assert held() == {101: "ana", 102: "ben"}


def test_a_preview_writes_nothing(lena: Client, building_a: Lab, ana: User):
    table(lena, "ana,net-01")
    assert held() == {}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("nobody,net-01", "1 nobody net-01 (building-a/101) no account"),
        ("ana,net-99", "1 ana net-99 unknown machine"),
        ("ana,building-a,999", "1 ana building-a/999 unknown machine"),
        ("ana,nowhere,101", "1 ana nowhere/101 unknown machine there is no cluster nowhere"),
        ("ana", "1 ana invalid write username,cluster,vmid or username,machine name"),
        ("ana,building-a,x1", "1 ana invalid write username,cluster,vmid or username,machine name"),
        ("ana,building-a,99999999999999999999", "1 ana invalid write username,cluster,vmid or username"),
    ],
)
def test_a_preview_tells_what_cannot_be_done(lena: Client, building_a: Lab, ana: User, line: str, told: str):
    assert rows(table(lena, line))[0].startswith(told)


def test_a_name_of_several_machines_is_ambiguous(lena: Client, building_a: Lab, building_b: Lab, ana: User):
    VirtualMachine.objects.filter(vmid=101).update(name="twin")
    assert rows(table(lena, "ana,twin")) == [
        "1 ana twin several machines have this name building-a/101, building-b/101"
    ]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"template": True}, "is a template"),
        ({"gone_at": timezone.now()}, "machine no longer exists"),
        ({"missing_since": timezone.now()}, "will be assigned missing on the cluster at the moment"),
    ],
)
def test_a_preview_tells_the_state_of_a_machine(lena: Client, building_a: Lab, ana: User, change: Any, told: str):
    VirtualMachine.objects.filter(vmid=101).update(**change)
    assert rows(table(lena, "ana,net-01")) == [f"1 ana net-01 (building-a/101) {told}"]


def test_who_is_disabled_gets_nothing(lena: Client, building_a: Lab, ana: User):
    User.objects.filter(pk=ana.pk).update(is_active=False)
    assert rows(table(lena, "ana,net-01"))[0].endswith("account is disabled")


def test_a_preview_tells_who_holds_a_machine(lena: Client, building_a: Lab, ana: User, ben: User):
    building_a.assign(101, ana)
    told = rows(table(lena, "ana,net-01\nben,net-02"))
    assert told[0].endswith("already assigned to this person")
    assert rows(table(lena, "ben,net-01"))[0].endswith("assigned to somebody else ana")


def test_lines_that_disagree_are_named_and_left_out(lena: Client, building_a: Lab, ana: User, ben: User):
    told = rows(table(lena, "ana,net-01\nben,net-01\nben,net-02"))
    assert told[0].endswith("conflicts with another line line 2 assigns it to somebody else")
    assert told[1].endswith("conflicts with another line line 1 assigns it to somebody else")
    assert told[2].endswith("will be assigned")


def test_a_line_that_says_the_same_again_is_left_out(lena: Client, building_a: Lab, ana: User):
    page = table(lena, "ana,net-01\nANA,building-a,101\nana,net-02")
    assert rows(page)[1].endswith("duplicate of line 1")
    confirm(lena, url(), page)
    assert held() == {101: "ana", 102: "ana"}


def test_existing_assignments_are_ended_first_if_asked(lena: Client, building_a: Lab, ana: User, ben: User):
    building_a.assign(101, ana)
    page = table(lena, "ben,net-01", end_first="on", prepare="as-it-is")
    assert rows(page)[0].endswith("will be reassigned ends the assignment to ana before that: As it is")
    confirm(lena, url(), page)
    assert held() == {101: "ben"}
    assert Assignment.objects.count() == 2


# By name


def named(client: Client, pattern: str, people: str, **more: Any) -> Any:
    return client.post(url("pattern"), {"pattern": pattern, "people": people, "start": "1", **more})


def test_names_with_numbers_go_to_people_in_order(lena: Client, building_a: Lab, ana: User, ben: User):
    confirm(lena, url("pattern"), named(lena, "net-{n:02}", "ben\n\nana\n"))
    assert held() == {101: "ben", 102: "ana"}


def test_numbers_may_begin_elsewhere_and_have_no_nought(lena: Client, building_a: Lab, ana: User):
    VirtualMachine.objects.filter(vmid=103).update(name="lab7.school")
    told = rows(named(lena, "lab{n}.school", "ana", start="7", cluster="building-a"))
    assert told == ["1 ana lab7.school (building-a/103) will be assigned"]


def test_a_name_counts_on_the_chosen_cluster_alone(lena: Client, building_a: Lab, building_b: Lab, ana: User):
    assert rows(named(lena, "net-{n:02}", "ana", cluster="building-b"))[0].endswith("unknown machine")


@pytest.mark.parametrize("pattern", ["net", "{n}{n}", "{n.__class__}", "{0}", "{n:>9999999}", "{n:020}", "{", "{n!r}"])
def test_a_pattern_is_no_program(lena: Client, building_a: Lab, ana: User, pattern: str):
    assert b"Write {n} or {n:02} once" in named(lena, pattern, "ana").content


def test_a_person_who_is_listed_twice_gets_one(lena: Client, building_a: Lab, ana: User):
    assert rows(named(lena, "net-{n:02}", "ana\nana"))[1].endswith("duplicate of line 1")


# From a pool or a tag


@pytest.mark.parametrize("way", ["share", "pattern"])
def test_the_default_cluster_is_proposed(lena: Client, building_a: Lab, building_b: Lab, way: str):
    page = lena.get(url(way)).content.decode()
    assert '<option value="building-a" selected>' in page


def share(client: Client, people: str, **more: Any) -> Any:
    return client.post(url("share"), {"cluster": "building-a", "people": people, **more})


@pytest.fixture
def pool(building_a: Lab) -> Lab:
    """101, 102 and 104 are in the pool; 103 is a template in it."""
    VirtualMachine.objects.update(pool="net", tags="lab;net")
    VirtualMachine.objects.filter(vmid=103).update(template=True)
    return building_a


@pytest.mark.parametrize("chosen", [{"pool": "net"}, {"tag": "LAB"}])
def test_free_machines_go_to_people_in_the_order_of_their_numbers(
    lena: Client, pool: Lab, *, ana: User, ben: User, admin: User, chosen: Any
):
    pool.assign(101, admin)
    confirm(lena, url("share"), share(lena, "ben\nana", **chosen))
    assert held() == {101: "admin", 102: "ben", 104: "ana"}


def test_a_tag_is_a_whole_word(lena: Client, pool: Lab, ana: User):
    assert rows(share(lena, "ana", tag="la"))[0].endswith("no machine left")


def test_who_holds_one_of_the_pool_gets_no_second_one(lena: Client, pool: Lab, ana: User, ben: User):
    pool.assign(102, ana)
    told = rows(share(lena, "ana\nben\nben", pool="net"))
    assert told[0] == "1 ana net-02 (building-a/102) already assigned to this person"
    assert told[1] == "2 ben net-01 (building-a/101) will be assigned"
    assert told[2] == "3 ben duplicate of line 2"


def test_people_for_whom_no_machine_is_left_are_told(lena: Client, pool: Lab, ana: User, ben: User, admin: User):
    told = rows(share(lena, "ana\nben\nadmin\nlena", pool="net"))
    assert told[3] == "4 lena no machine left"


@pytest.mark.parametrize("chosen", [{}, {"pool": "net", "tag": "lab"}])
def test_a_pool_or_a_tag_is_chosen(lena: Client, pool: Lab, ana: User, chosen: Any):
    assert b"Enter a pool or a tag, not both." in share(lena, "ana", **chosen).content


# Exactly what was shown


def test_a_changed_plan_is_not_applied(lena: Client, building_a: Lab, ana: User, ben: User):
    page = table(lena, "ana,net-01\nben,net-02")
    building_a.assign(101, ben)
    again = confirm(lena, url(), page)
    assert "changed after this preview" in said(again)
    assert held() == {101: "ben"}
    confirm(lena, url(), again)
    assert held() == {101: "ben", 102: "ben"}


def test_a_machine_that_is_given_away_at_the_same_moment_leads_to_a_new_preview(
    lena: Client, building_a: Lab, ana: User, ben: User, monkeypatch: pytest.MonkeyPatch
):
    """The plan has not seen it, the constraint refuses it."""
    page = table(lena, "ana,net-01\nana,net-02")
    monkeypatch.setattr(Assignment.objects._queryset_class, "end", lambda _: building_a.assign(101, ben) and 0)
    answer = confirm(lena, url(), page)
    assert "at the same moment" in said(answer)
    assert (answer.status_code, held()) == (200, {})


def test_a_confirmation_counts_once(lena: Client, building_a: Lab, ana: User):
    page = table(lena, "ana,net-01")
    confirm(lena, url(), page)
    Assignment.objects.update(ended_at=timezone.now(), released_at=timezone.now())
    building_a.assign(101, ana)
    assert b"No machine will be assigned" in confirm(lena, url(), page).content


def test_a_preview_of_somebody_else_is_not_confirmed(lena: Client, building_a: Lab, ana: User, admin: User):
    page, other = table(lena, "ana,net-01"), Client()
    other.force_login(admin)
    assert "too old" in said(confirm(other, url(), page))
    assert held() == {}


def test_the_trail_tells_who_gave_and_who_took(lena: Client, building_a: Lab, ana: User, ben: User, lab_admin: User):
    building_a.assign(101, ana)
    LogEntry.objects.all().delete()
    confirm(lena, url(), table(lena, "ben,net-01", end_first="on", prepare="as-it-is"))
    ended, given = LogEntry.objects.filter(content_type__model="assignment").order_by("pk")
    assert (ended.actor, ended.object_repr) == (lab_admin, "net-01 (building-a/101) → ana")
    assert (given.actor, given.changes["user"]) == (lab_admin, ["None", "ben"])


# Who, and what comes in


def test_an_auditor_assigns_nothing(client: Client, auditor: User, building_a: Lab):
    client.force_login(auditor)
    assert client.get(url()).status_code == table(client, "ana,net-01").status_code == 403


def test_a_student_is_sent_to_the_login(client: Client, ana: User):
    client.force_login(ana)
    assert client.get(url()).status_code == 302


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"a\0b,c", b'"a', b"x" * 10_000_000, b"\x80", b"a,b\n" * 5001])
def test_a_file_that_cannot_be_read_is_told(lena: Client, content: bytes):
    answer = lena.post(url(), {"upload": SimpleUploadedFile("x.csv", content)})
    assert (answer.status_code, b"errorlist" in answer.content) == (400, True)


@pytest.mark.parametrize("payload", XSS)
def test_no_cell_and_no_name_of_a_machine_makes_an_element(lena: Client, building_a: Lab, ana: User, payload: str):
    quoted = '"' + payload.replace('"', '""') + '"'
    VirtualMachine.objects.filter(vmid=101).update(name="x")
    plain = elements(table(lena, "ana,building-a,101\nx,net-02\nana,x"))
    VirtualMachine.objects.filter(vmid=101).update(name=payload)
    assert elements(table(lena, f"ana,building-a,101\n{quoted},net-02\nana,{quoted}")) <= plain


def test_five_thousand_lines_cost_hardly_more_queries_than_one(
    lena: Client, building_a: Lab, ana: User, django_assert_max_num_queries: Any
):
    with django_assert_max_num_queries(60):
        assert len(rows(table(lena, "\n".join(f"p{n},m-{n}" for n in range(5000))))) == 5000


# As people write it


@pytest.mark.parametrize(
    "line",
    [
        "ana,Building A,101",
        "ana,building a,101",
        "ana,building-a/101",
        "ana,Building A/101",
        "ana,net-01 (building-a/101)",
        "vmid,username,cluster\n101,ana,Building A",
        "machine,user\nnet-01,ana",
        "user,machine,cluster\nana,net-01,Building A",
        "username,first name,joined,machine,cluster,vmid\nana,Ana,2026-01-01,net-01,building-a,101",
    ],
)
def test_clusters_and_machines_are_understood_as_pages_print_them(
    lena: Client, building_a: Lab, building_b: Lab, ana: User, line: str
):
    assert rows(table(lena, line))[0][2:] == "ana net-01 (building-a/101) will be assigned"


def test_a_cluster_name_that_several_have_is_answered_with_their_ids(
    lena: Client, building_a: Lab, building_b: Lab, ana: User
):
    Cluster.objects.update(name="The same")
    assert rows(table(lena, "ana,The same,101"))[0].endswith(
        "unknown machine several clusters are called The same; write the ID: building-a, building-b"
    )


def test_an_id_wins_over_a_name(lena: Client, building_a: Lab, building_b: Lab, ana: User):
    Cluster.objects.filter(cluster_id="building-b").update(name="building-a")
    assert "(building-a/101) will be assigned" in rows(table(lena, "ana,building-a,101"))[0]


def test_columns_that_mean_nothing_are_named(lena: Client, building_a: Lab, ana: User):
    page = table(lena, "room,machine,user\n4,net-01,ana")
    assert "These columns have no meaning here and are ignored: room." in page.content.decode()


@pytest.mark.parametrize(
    "what", [{"way": "pattern", "pattern": "net-{n:02}", "start": "1"}, {"way": "share", "pool": "labs"}]
)
def test_people_in_one_line_all_get_machines(lena: Client, building_a: Lab, ana: User, ben: User, what: dict[str, str]):
    VirtualMachine.objects.filter(vmid__in=[101, 102]).update(pool="labs")
    told = rows(lena.post(url(what["way"]), {"people": "ana, ben", "cluster": "building-a", **what}))
    assert [row.split()[1] for row in told if row.endswith("will be assigned")] == ["ana", "ben"]
