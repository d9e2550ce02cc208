"""*My machines*: whose, of which cluster, in which words, and what a refresh costs."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from clusters.models import Cluster, ClusterHealth
from tests.labs import Lab, ago, queries, run_operations, writes
from vms import operations
from vms.models import Assignment, ClusterSync, Operation, VirtualMachine
from vms.pages import machine_list

pytestmark = pytest.mark.django_db

LIST = "/vms/"
HTMX = {"HX-Request": "true"}


class Page(HTMLParser):
    """The elements of a page, and the text of each element that has a class, by that class."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.select: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "select":
            self.select = found.get("name")
        if tag == "option":
            found["of"] = self.select
        self.elements.append((tag, found))

    def all(self, tag: str, **wanted: str) -> list[dict[str, str | None]]:
        return [found for name, found in self.elements if name == tag and wanted.items() <= found.items()]

    @property
    def names(self) -> list[str]:
        return [part.split("</strong>")[0] for part in self.text.split("<strong>")[1:]]

    @property
    def poll(self) -> str:
        return str(self.all("div", id="machines")[0]["hx-get"])

    @property
    def places(self) -> list[str | None]:
        return [option["value"] for option in self.all("option", of="cluster")]

    @property
    def chosen(self) -> list[str | None]:
        return [option["value"] for option in self.all("option", of="cluster") if "selected" in option]


def get(client: Client, **query: Any) -> Page:
    answer = client.get(LIST, query)
    assert answer.status_code == 200
    return Page(answer.content.decode())


@pytest.fixture
def as_ana(client: Client, ana: User) -> Client:
    client.force_login(ana)
    return client


@pytest.fixture
def both(building_a: Lab, building_b: Lab, ana: User) -> tuple[VirtualMachine, VirtualMachine]:
    """Ana has 101 on both clusters: net-01 and db-01."""
    return building_a.assign(101, ana), building_b.assign(101, ana)


def log_in(client: Client, user: User) -> Client:
    client.force_login(user)
    return client


# Whose


def test_a_student_sees_her_own_machines(as_ana: Client, both: Any):
    assert get(as_ana, cluster="").names == ["net-01", "db-01"]


def test_a_student_sees_nobody_elses(client: Client, ben: User, both: Any, building_a: Lab):
    building_a.assign(102, ben)
    assert get(log_in(client, ben), cluster="").names == ["net-02"]


def test_a_student_without_machines_is_told_so(client: Client, ben: User, both: Any):
    page = get(log_in(client, ben))
    assert (page.names, "You have no machines yet" in page.text) == ([], True)


def test_who_is_not_logged_in_is_sent_to_the_login(client: Client, building_a: Lab):
    assert client.get(LIST).url == f"{reverse('login')}?next={LIST}"


@pytest.mark.parametrize("staff", ["lab_admin", "auditor", "admin"])
def test_staff_see_every_machine(client: Client, request: pytest.FixtureRequest, both: Any, staff: str):
    assert len(get(log_in(client, request.getfixturevalue(staff)), cluster="").names) == 6


def test_whose_machine_it_is_is_told_to_others_alone(as_ana: Client, client: Client, both: Any, ana: User, admin: User):
    assert "assigned to" not in get(as_ana).text
    User.objects.filter(pk=ana.pk).update(first_name="Ana", last_name="Gil")
    cards = get(log_in(client, admin), cluster="building-a").text.split('<li class="machine"')[1:]
    assert {"net-01"} == {re.findall("<strong>(.*?)<", card)[0] for card in cards if "assigned to Ana Gil" in card}
    assert sum("assigned to" in card for card in cards) == 1


def test_what_was_taken_away_is_gone_at_once(as_ana: Client, both: Any):
    Assignment.objects.filter(vm=both[0]).end()
    assert get(as_ana).names == ["db-01"]


def test_a_machine_of_an_inactive_cluster_is_not_shown(as_ana: Client, both: Any, building_b: Lab):
    building_b.row.deactivate()
    assert get(as_ana, cluster="").names == ["net-01"]


def test_templates_are_shown_to_staff_alone(client: Client, building_a: Lab, ana: User, admin: User):
    building_a.pve.guest(101).template = True
    building_a.sync()
    building_a.assign(101, ana)
    assert get(log_in(client, ana)).names == []
    assert "net-01" in get(log_in(client, admin)).names


# Which cluster


def test_the_switcher_has_the_clusters_with_a_machine_of_ones_own(
    client: Client, ana: User, ben: User, both: Any, building_a: Lab
):
    building_a.assign(102, ben)
    assert get(log_in(client, ana)).places == ["", "building-a", "building-b"]
    assert get(log_in(client, ben)).places == []


def test_staff_can_switch_to_every_active_cluster(client: Client, lab_admin: User, both: Any):
    Cluster.objects.create(cluster_id="empty", name="Empty", host="pve.test", user="u@pve", password="x")
    Cluster.objects.create(cluster_id="off", name="Off", host="pve.test", user="u@pve", password="x", is_active=False)
    assert get(log_in(client, lab_admin)).places == ["", "building-a", "building-b", "empty"]


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two machines are already more than a few."""
    monkeypatch.setattr(machine_list, "FEW", 1)


def test_who_has_few_machines_sees_all_of_them(as_ana: Client, both: Any):
    page = get(as_ana)
    assert (page.names, page.chosen) == (["net-01", "db-01"], [""])


@pytest.mark.usefixtures("many")
def test_the_list_opens_on_the_default_cluster(as_ana: Client, both: Any):
    page = get(as_ana)
    assert (page.names, page.chosen) == (["net-01"], ["building-a"])


def test_without_a_machine_on_the_default_cluster_the_list_shows_all(as_ana: Client, building_b: Lab, ana: User):
    Cluster.objects.create(cluster_id="main", name="Main", host="h", user="u@pve", password="x", is_default=True)
    building_b.assign(101, ana)
    assert get(as_ana).names == ["db-01"]


def test_without_a_default_cluster_the_list_shows_all(as_ana: Client, both: Any):
    Cluster.objects.update(is_default=False)
    assert get(as_ana).names == ["net-01", "db-01"]


def test_the_address_chooses_the_cluster(as_ana: Client, both: Any):
    assert get(as_ana, cluster="building-b").names == ["db-01"]


def switch(client: Client, cluster: str) -> Any:
    return client.post(reverse("vms-switch-cluster"), {"cluster": cluster})


def test_the_choice_is_remembered(as_ana: Client, both: Any):
    assert switch(as_ana, "building-b").url == f"{LIST}?cluster=building-b"
    assert get(as_ana).names == ["db-01"]


def test_the_choice_of_all_clusters_is_remembered(as_ana: Client, both: Any):
    switch(as_ana, "")
    assert get(as_ana).names == ["net-01", "db-01"]


@pytest.mark.usefixtures("many")
def test_looking_at_a_cluster_does_not_change_the_choice(as_ana: Client, both: Any):
    get(as_ana, cluster="building-b")
    assert get(as_ana).names == ["net-01"]


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("unknown", ["nowhere", "BUILDING-B", "building-b ", "'", "../", "<b>", "\0", "x" * 4000])
def test_an_unknown_cluster_in_the_address_is_as_none(as_ana: Client, both: Any, unknown: str):
    assert get(as_ana, cluster=unknown).names == ["net-01"]


def test_a_cluster_on_which_one_has_nothing_is_as_none(client: Client, both: Any, building_a: Lab, ben: User):
    building_a.assign(102, ben)
    assert get(log_in(client, ben), cluster="building-b").names == ["net-02"]


@pytest.mark.usefixtures("many")
def test_a_remembered_cluster_that_went_away_is_forgotten(as_ana: Client, both: Any, building_b: Lab):
    switch(as_ana, "building-b")
    building_b.row.deactivate()
    assert get(as_ana).names == ["net-01"]


@pytest.mark.parametrize("foreign", ["building-b", "nowhere"])
def test_one_cannot_switch_to_a_cluster_without_a_machine_of_ones_own(
    client: Client, both: Any, building_a: Lab, ben: User, foreign: str
):
    building_a.assign(102, ben)
    assert switch(log_in(client, ben), foreign).status_code == 404
    assert get(client).names == ["net-02"]


# In which words


def card(client: Client) -> str:
    text = get(client, cluster="").text
    return " ".join(text[text.index('<li class="machine"') : text.index("</li>")].split())


@pytest.fixture
def one(building_a: Lab, ana: User) -> VirtualMachine:
    return building_a.assign(101, ana)


@pytest.mark.parametrize(
    ("status", "words", "buttons"),
    [
        ("stopped", "Stopped", ["start"]),
        ("running", "Running", ["shutdown", "reboot", "stop", "suspend", "reset"]),
        ("paused", "Paused", ["resume", "stop"]),
        ("unknown", "Unknown", []),
        ("prelaunch", "Paused", ["resume", "stop"]),
        ("guest-panicked", "Crashed", ["reset", "stop"]),
    ],
)
def test_a_status_is_told_in_words_with_its_buttons(
    as_ana: Client, one: VirtualMachine, status: str, words: str, buttons: list[str]
):
    VirtualMachine.objects.update(status=status)
    shown = card(as_ana)
    assert words in shown
    assert [action for action in operations.KINDS if f'id="{action}-{one.pk}"' in shown] == sorted(
        buttons, key=list(operations.KINDS).index
    )


def test_what_is_under_way_is_told_and_offers_nothing(as_ana: Client, one: VirtualMachine):
    as_ana.post(reverse("vms-act", args=[one.pk, "start"]))
    shown = card(as_ana)
    assert "Starting…" in shown
    assert "<form" not in shown


def test_what_waits_is_told(as_ana: Client, one: VirtualMachine):
    as_ana.post(reverse("vms-act", args=[one.pk, "start"]))
    Operation.objects.update(requested_at=ago(seconds=5))
    assert "Waiting for its turn" in card(as_ana)


def fail(one: VirtualMachine, **fields: Any) -> None:
    values = {"vm": one, "cluster_id": one.cluster_id, "vmid": one.vmid, "action": "start", "state": "failed",
              "outcome": "VM is locked (backup)", "admitted_at": timezone.now(),
              "finished_at": timezone.now()}  # fmt: skip
    Operation.objects.create(**values | fields)


def test_a_failure_is_told_to_students_without_the_words_of_the_cluster(as_ana: Client, one: VirtualMachine):
    fail(one)
    shown = card(as_ana)
    assert "“Start” failed. Try again, or ask your teacher." in shown
    assert "VM is locked" not in shown


def test_a_failure_is_told_to_staff_in_the_words_of_the_cluster(client: Client, one: VirtualMachine, admin: User):
    fail(one)
    assert "VM is locked (backup)" in card(log_in(client, admin))


def test_an_unknown_outcome_is_told(as_ana: Client, one: VirtualMachine):
    fail(one, state="unknown", outcome="Check the machine before you try again.")
    assert "Check the machine before you try again." in card(as_ana)


def test_a_failure_is_told_for_half_an_hour(as_ana: Client, one: VirtualMachine):
    fail(one, requested_at=ago(minutes=31), finished_at=ago(minutes=31))
    assert "failed" not in card(as_ana)


def test_a_missing_machine_is_told(as_ana: Client, one: VirtualMachine):
    VirtualMachine.objects.update(missing_since=ago(minutes=12))
    shown = card(as_ana)
    assert "Not found on the cluster" in shown
    assert "Ask your teacher" in shown


def test_what_was_read_just_now_is_called_fresh(as_ana: Client, one: VirtualMachine):
    assert "just now" in card(as_ana)


def test_what_is_old_is_shown_with_its_age(as_ana: Client, one: VirtualMachine):
    ClusterSync.objects.update(synced_at=ago(minutes=12))
    assert "12 min" in card(as_ana).replace("\xa0", " ")


def test_a_cluster_that_does_not_answer_is_told_beside_its_machines_alone(as_ana: Client, both: Any):
    ClusterHealth.failed("building-b", "certificate verify failed", at=ago(minutes=12))
    text = get(as_ana, cluster="").text
    assert text.count("has not responded since") == 1
    assert text.index("net-01") < text.index("Building B has not responded since") < text.index("db-01")


def test_what_is_wrong_with_a_cluster_is_told_to_staff_alone(client: Client, both: Any, ana: User, admin: User):
    ClusterHealth.failed("building-a", "certificate verify failed")
    assert "certificate verify failed" not in get(log_in(client, ana)).text
    assert "certificate verify failed" in get(log_in(client, admin)).text


def test_a_machine_of_a_silent_cluster_keeps_its_status_and_loses_its_buttons(as_ana: Client, one: VirtualMachine):
    ClusterHealth.failed("building-a", "down")
    shown = card(as_ana)
    assert "Stopped" in shown
    assert "<form" not in shown


def test_an_auditor_is_offered_no_action(client: Client, building_a: Lab, auditor: User):
    page = get(log_in(client, auditor))
    assert len(page.names) == 4
    assert "/start/" not in page.text
    assert "/stop/" not in page.text


# Hostile names

HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</strong></li>", "{{ 7 * 7 }}", "&lt;b&gt;"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_makes_no_element(client: Client, building_a: Lab, admin: User, name: str):
    before = sorted(tag for tag, _ in get(log_in(client, admin)).elements)
    building_a.pve.guest(101).name = name
    building_a.sync()
    after = get(client)
    assert sorted(tag for tag, _ in after.elements) == before
    assert not any(key.startswith("on") for _, attributes in after.elements for key in attributes)


@pytest.mark.parametrize("action", ["stop", "start"])
def test_a_name_makes_no_element_in_confirmations_and_messages(
    client: Client, building_a: Lab, admin: User, action: str
):
    building_a.pve.guest(102).name = HOSTILE[0]
    building_a.sync()
    url = reverse("vms-act", args=[building_a.machine(102).pk, action])
    log_in(client, admin)
    for text in (client.get(url).content, client.post(url, follow=True).content):
        assert b"&lt;script&gt;alert(1)" in text
        assert b"<script>" not in text


def test_what_a_cluster_says_of_a_failure_makes_no_element(client: Client, building_a: Lab, admin: User):
    building_a.pve.faults.reply("/status/start$", status=500, reason=HOSTILE[0])
    operations.request(building_a.machine(101), "start", by=admin)
    run_operations()
    text = get(log_in(client, admin)).text
    assert "&lt;script&gt;alert(1)" in text
    assert "<script>" not in text


def test_a_name_that_turns_the_direction_of_text_loses_that(client: Client, building_a: Lab, admin: User):
    building_a.pve.guest(101).name = "web-\u202egpj.exe\u2066"
    building_a.sync()
    assert not set("\u202e\u2066") & set(get(log_in(client, admin)).text)


def test_a_name_of_255_characters_is_shown(as_ana: Client, building_a: Lab, one: VirtualMachine):
    building_a.pve.guest(101).name = "n" * 255
    building_a.sync()
    assert get(as_ana).names == ["n" * 255]


# Refreshing


def refresh(client: Client, page: Page) -> Any:
    return client.get(page.poll, headers=HTMX)


def test_a_refresh_has_no_content_while_nothing_changed(as_ana: Client, both: Any):
    answer = refresh(as_ana, get(as_ana))
    assert (answer.status_code, answer.content) == (204, b"")


def test_a_refresh_has_no_content_while_something_goes_on(as_ana: Client, one: VirtualMachine):
    as_ana.post(reverse("vms-act", args=[one.pk, "start"]))
    Operation.objects.update(requested_at=ago(seconds=20))
    page = get(as_ana)
    Operation.objects.update(requested_at=ago(seconds=22))
    assert refresh(as_ana, page).status_code == 204


def test_a_refresh_brings_the_list_alone_when_something_changed(as_ana: Client, both: Any):
    page = get(as_ana)
    VirtualMachine.objects.update(status="running")
    answer = refresh(as_ana, page)
    assert (answer.status_code, "Running" in answer.content.decode()) == (200, True)
    assert not {"html", "body", "header"} & {tag for tag, _ in Page(answer.content.decode()).elements}


def test_how_many_are_in_which_state_is_told_and_refreshed(as_ana: Client, both: Any):
    page = get(as_ana, cluster="")
    assert 'role="status">2 machines: 2 stopped' in page.text
    VirtualMachine.objects.update(status="paused")
    assert '<p hx-swap-oob="innerHTML:#summary">2 machines: 2 paused</p>' in refresh(as_ana, page).content.decode()


def test_after_a_change_the_next_refresh_has_no_content_again(as_ana: Client, both: Any):
    page = get(as_ana)
    VirtualMachine.objects.update(status="running")
    changed = Page(refresh(as_ana, page).content.decode())
    assert refresh(as_ana, changed).status_code == 204


CHANGES = {
    "another machine": lambda a, ana: a.assign(102, ana),
    "one machine less": lambda a, ana: Assignment.objects.end(),
    "an operation": lambda a, ana: operations.request(a.machine(101), "start", by=ana),
    "an outage": lambda a, ana: ClusterHealth.failed("building-a", "down"),
    "a new name": lambda a, ana: VirtualMachine.objects.update(name="renamed"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_the_page_would_say_differently_is_a_change(
    as_ana: Client, building_a: Lab, one: VirtualMachine, ana: User, change: Any
):
    page = get(as_ana)
    change(building_a, ana)
    assert refresh(as_ana, page).status_code == 200


def test_a_refresh_stays_on_the_chosen_cluster(as_ana: Client, both: Any):
    page = get(as_ana, cluster="building-b")
    VirtualMachine.objects.update(status="running")
    assert Page(refresh(as_ana, page).content.decode()).names == ["db-01"]


def test_a_refresh_after_the_session_ended_leads_to_the_login(as_ana: Client, both: Any):
    page = get(as_ana)
    as_ana.logout()
    answer = as_ana.get(page.poll, headers={**HTMX, "HX-Current-URL": "http://testserver/vms/?cluster=building-b"})
    assert answer.headers["HX-Redirect"] == f"{reverse('login')}?next=/vms/%3Fcluster%3Dbuilding-b&ended=1"
    assert b"net-01" not in answer.content


def test_a_refresh_cannot_lead_elsewhere_after_the_login(client: Client, building_a: Lab):
    answer = client.get(LIST, headers={**HTMX, "HX-Current-URL": "https://evil.test/vms/"})
    assert answer.headers["HX-Redirect"] == f"{reverse('login')}?next={LIST}&ended=1"


def test_the_login_page_says_that_the_session_has_ended(client: Client, db: None):
    assert b"session has ended" in client.get(reverse("login"), {"next": LIST, "ended": "1"}).content
    assert b"session has ended" not in client.get(reverse("login"), {"next": LIST}).content


def test_the_page_refreshes_faster_while_something_is_under_way(as_ana: Client, one: VirtualMachine):
    calm = get(as_ana).all("div", id="machines")[0]["hx-trigger"]
    as_ana.post(reverse("vms-act", args=[one.pk, "start"]))
    busy = get(as_ana).all("div", id="machines")[0]["hx-trigger"]
    assert (calm, busy) == ("every 10s", "every 2s")


# Without JavaScript


def test_without_script_a_busy_page_reloads_itself(as_ana: Client, one: VirtualMachine):
    as_ana.post(reverse("vms-act", args=[one.pk, "start"]))
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in get(as_ana).text


def test_without_script_a_calm_page_does_not_reload(as_ana: Client, one: VirtualMachine):
    assert "<noscript>" not in get(as_ana).text


def test_every_form_can_be_sent_without_script(as_ana: Client, both: Any):
    page = get(as_ana, cluster="")
    forms = page.all("form")
    assert len(forms) == 4  # log out, switch, and a start of each machine
    assert all(form["method"] == "post" and form["action"] for form in forms)
    assert len(page.all("input", name="csrfmiddlewaretoken")) == len(forms) <= len(page.all("button"))


# What it costs


def cost(client: Client, **query: Any) -> int:
    with queries() as seen:
        get(client, **query)
    return len(seen)


def add_machines(row: Cluster, numbers: range, assignee: User) -> None:
    machines = [VirtualMachine(cluster=row, vmid=n, name=f"m-{n}", node="pve1", status="running") for n in numbers]
    VirtualMachine.objects.bulk_create(machines)
    held = VirtualMachine.objects.filter(cluster=row, vmid__in=numbers)
    Assignment.objects.bulk_create([Assignment(vm=machine, user=assignee) for machine in held])


@pytest.mark.parametrize("who", ["ana", "admin"])
def test_forty_machines_cost_no_more_queries_than_one(
    client: Client, request: pytest.FixtureRequest, building_a: Lab, ana: User, who: str
):
    building_a.assign(101, ana)
    log_in(client, request.getfixturevalue(who))
    before = cost(client)
    add_machines(building_a.row, range(200, 239), ana)
    assert (len(get(client).names) >= 40, cost(client)) == (True, before)


@pytest.mark.parametrize("who", ["ana", "admin"])
def test_four_clusters_cost_no_more_queries_than_one(
    client: Client, request: pytest.FixtureRequest, building_a: Lab, ana: User, who: str
):
    building_a.assign(101, ana)
    log_in(client, request.getfixturevalue(who))
    before = cost(client, cluster="")
    for name in ("x", "y", "z"):
        row = Cluster.objects.create(cluster_id=name, name=name, host="pve.test", user="u@pve", password="x")
        add_machines(row, range(101, 104), ana)
    assert (len(get(client, cluster="").all("section", **{"class": "group"})), cost(client, cluster="")) == (4, before)


def test_many_machines_are_shown_on_several_pages(as_ana: Client, building_a: Lab, ana: User):
    add_machines(building_a.row, range(200, 260), ana)
    assert (len(get(as_ana).names), len(get(as_ana, page=2).names)) == (50, 10)


@pytest.mark.parametrize("page", ["0", "-1", "99", "x", ""])
def test_a_page_that_is_none_is_another_one(as_ana: Client, one: VirtualMachine, page: str):
    assert get(as_ana, page=page).names == ["net-01"]


@pytest.mark.parametrize("who", ["ana", "auditor", "admin"])
def test_the_list_writes_nothing_and_asks_no_cluster(
    client: Client, request: pytest.FixtureRequest, both: Any, building_a: Lab, who: str
):
    log_in(client, request.getfixturevalue(who))
    with queries() as seen:
        refresh(client, get(client, cluster=""))
    assert (writes(seen), building_a.pve.count()) == ([], 0)


@pytest.mark.parametrize("address", ["/", "/portal"])
def test_old_addresses_lead_to_the_list(as_ana: Client, address: str):
    assert as_ana.get(address).url == LIST
