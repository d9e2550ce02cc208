"""What the machine list costs as JSON: queries, and CPU beside the pages that show the same machines."""

import statistics
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.test import override_settings
from django.utils import timezone

from accounts import tokens
from accounts.models import ApiToken, User
from tests.bench import pages, report
from vms.models import MachineSet, VirtualMachine

MACHINES, ROUNDS = 1000, 15


def run() -> None:
    with override_settings(API_CALLS_PER_MINUTE=100_000):
        _run()


def _run() -> None:
    person = _person()
    browser = pages.logged_in(person)
    group = MachineSet.objects.get()
    api = pages.Client()
    _token, text = tokens.create(person, name="bench", expires_at=timezone.now() + timedelta(days=1))
    said = {"Authorization": f"Bearer {text}"}
    everything, usual = "/api/v1/machines?limit=1000", "/api/v1/machines"

    def ask(path: str, tag: str = "") -> Any:
        return api.get(path, headers=said | ({"If-None-Match": tag} if tag else {}))

    ask("/api/v1/token")
    report.count("queries of the check of a token", pages.queries(lambda: ask("/api/v1/token")), 1)
    answer = ask(everything)
    if len(answer.json()["items"]) != MACHINES:
        raise RuntimeError(f"{len(answer.json()['items'])} machines are listed.")
    report.goal(f"queries of {MACHINES} machines", pages.queries(lambda: ask(everything)), 4)
    with pages.without_instruments():
        whole, page = cpu(lambda: ask(everything)), cpu(lambda: browser.get(f"/sets/{group.pk}/"))
        listed = cpu(lambda: [browser.get(f"/vms/?cluster=&page={number}") for number in range(1, 21)])
        report.tell(f"JSON of {MACHINES}", report.spread(whole))
        report.tell("page of the same group", report.spread(page))
        report.tell("pages of the list with the same", report.spread(listed))
        report.goal("CPU of the JSON / of the group's page", ratio(whole, page), 0.5)
        report.goal("CPU of the JSON / of the list's pages", ratio(whole, listed), 0.5)
        for path, count in ((usual, 100), (everything, MACHINES)):
            tag = ask(path).headers["ETag"]
            if ask(path, tag).status_code != 304:
                raise RuntimeError("An unchanged list was made again.")
            same = cpu(lambda path=path, tag=tag: ask(path, tag))  # type: ignore[misc]
            report.tell(f"unchanged list of {count}", report.spread(same))
            if count == 100:
                report.goal("CPU of an unchanged list", statistics.median(same), 3, unit=" ms", best=min(same))
        report.goal("CPU of an unchanged list / of the JSON", ratio(same, whole), 0.5)
    tag = ask(usual).headers["ETag"]
    report.goal("queries of an unchanged list", pages.queries(lambda: ask(usual, tag)), 2)


def _person() -> User:
    """Who manages a thousand machines."""
    ApiToken.objects.all().delete()
    pages.world(2, MACHINES)
    person, _new = User.objects.get_or_create(username="teacher")
    group, _new = MachineSet.objects.get_or_create(name="all")
    group.machines.set(VirtualMachine.objects.all())
    group.stewards.add(person)
    return person


def cpu(act: Callable[[], object]) -> list[float]:
    act()
    return [report.cpu_ms(act) for _ in range(ROUNDS)]


def ratio(these: list[float], those: list[float]) -> float:
    return statistics.median(these) / statistics.median(those)
