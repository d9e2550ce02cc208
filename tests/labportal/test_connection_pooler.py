"""PostgreSQL behind PgBouncer: noticed at connect, nothing prepared, everybody gets their own page."""

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from django.core import checks
from django.core.management import call_command
from django.db import ProgrammingError, connection

import pvesim
from accounts.compiled_queries import CompiledQuery
from accounts.models import User
from labportal.connection_pooler import is_used
from tests.conftest import PASSWORD
from tests.labs import add_cluster
from tests.own_database import default_connection, postgres_only, run_in_threads
from tests.pgbouncer import Pooler, pooler
from tests.processes import begun, server
from tests.waits import TIMEOUT, read_line_with
from vms import inventory
from vms.models import Assignment, ClusterSync, VirtualMachine

__all__ = ["pooler"]

pytestmark = [postgres_only, pytest.mark.usefixtures("own_database")]

PEOPLE, AT_ONCE = 30, 6


@pytest.fixture(params=["port", "socket"])
def behind(request: pytest.FixtureRequest, pooler: Pooler) -> Iterator[dict[str, Any]]:
    with default_connection(**pooler.leads_to(over_socket=request.param == "socket")) as config:
        yield config


def threshold() -> int | None:
    connection.ensure_connection()
    found: int | None = connection.connection.prepare_threshold
    return found


def test_directly_statements_are_prepared() -> None:
    assert (is_used(), threshold()) == (False, 3)


def test_through_a_pooler_nothing_is_prepared_and_no_cursor_is_kept(behind: dict[str, Any]) -> None:
    assert (is_used(), threshold(), behind["DISABLE_SERVER_SIDE_CURSORS"]) == (True, None, True)


def planning() -> list[str]:
    connection.ensure_connection()
    return [connection.connection.execute(f"SHOW {name}").fetchone()[0] for name in ("jit", "random_page_cost")]


@pytest.mark.parametrize("options", [{}, {"pool": {"min_size": 1, "max_size": 2}}])
def test_directly_short_queries_are_not_compiled(pooler: Pooler, options: dict[str, Any]) -> None:
    with default_connection(OPTIONS=options):
        assert planning() == ["off", "1.1"]
    with default_connection(**pooler.leads_to(), OPTIONS=options):
        assert planning() == ["on", "4"]


def test_also_not_by_a_connection_of_the_pool(pooler: Pooler) -> None:
    with default_connection(**pooler.leads_to(), OPTIONS={"pool": {"min_size": 1, "max_size": 2}}):
        assert threshold() is None


@pytest.mark.parametrize(("variable", "expected"), [("on", 3), ("auto", None)])
def test_a_variable_says_that_the_pooler_can(behind: Any, settings: Any, variable: str, expected: int | None) -> None:
    settings.DATABASE_PREPARE = variable
    assert threshold() == expected


def ask_often(errors: list[Exception], number: int) -> None:
    """A person's queries, the same ones in each thread, about as many as make psycopg prepare them."""
    query = CompiledQuery(lambda pk: User.objects.filter(pk=pk, is_active=bool(number % 2)).values("pk"))
    try:
        for pk in range(40):
            list(User.objects.filter(pk__in=query.subquery(pk)))
            list(User.objects.filter(pk=number, username="x" * number))
    except Exception as error:  # noqa: BLE001 - handed to the test
        errors.append(error)
    finally:
        connection.close()


@pytest.mark.parametrize(("variable", "fails"), [("on", True), ("auto", False)])
def test_statements_that_are_prepared_fail_there(pooler: Pooler, settings: Any, variable: str, fails: bool) -> None:
    settings.DATABASE_PREPARE = variable
    errors: list[Exception] = []
    with default_connection(**pooler.leads_to()):
        threads = [threading.Thread(target=ask_often, args=(errors, number)) for number in range(AT_ONCE)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(TIMEOUT)
    assert {type(error) for error in errors} <= {ProgrammingError}
    assert bool(errors) is fails


def noticed() -> list[str]:
    return [message.id for message in checks.run_checks(databases=["default"]) if message.id == "vms.W005"]


def test_a_check_and_the_doctor_name_it(behind: Any, settings: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert noticed() == ["vms.W005"]
    settings.DATABASE_PREPARE = "on"
    assert noticed() == []
    for variable, verdict in (("auto", "WARN"), ("on", "ok"), ("off", "ok")):
        settings.DATABASE_PREPARE = variable
        capsys.readouterr()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.exit", lambda code: None)
            call_command("doctor")
        said = re.findall(r"^(\w+) +database +reached through PgBouncer", capsys.readouterr().out, re.MULTILINE)
        assert said == [verdict]


def test_without_a_pooler_neither_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert noticed() == []


# All of it


@pytest.fixture
def school() -> Iterator[list[User]]:
    """Everybody has a machine with their own name."""
    with pvesim.Simulator() as simulator:
        pve = simulator.add_cluster("school", statd_interval=0.0)
        pve.add_user("portal@pve", password="unused", acl={"/": "Administrator"})
        for number in range(PEOPLE):
            pve.add_guest(100 + number, name=f"own-{number:02}")
        inventory.sync(add_cluster(pve, "school").config)
        people = [User.objects.create_user(f"pupil-{number:02}", password=PASSWORD) for number in range(PEOPLE)]
        for number, person in enumerate(people):
            Assignment.objects.create(vm=VirtualMachine.objects.get(vmid=100 + number), user=person)
        yield people


def log_in(portal: str, name: str) -> str:
    """The names of machines that the person then sees."""
    with requests.Session() as browser:
        browser.trust_env = False
        browser.get(f"{portal}/accounts/login/", timeout=30)
        form = {"username": name, "password": PASSWORD, "csrfmiddlewaretoken": browser.cookies["csrftoken"]}
        page = browser.post(f"{portal}/accounts/login/", data=form, timeout=30)
        return f"{page.status_code} {' '.join(sorted(set(re.findall(r'own-[0-9]+', page.text))))}"


def test_thirty_people_log_in_and_see_what_is_theirs(school: list[User], pooler: Pooler, tmp_path: Path) -> None:
    seen: dict[str, str] = {}
    through = {"DATABASE_URL": pooler.url(str(connection.settings_dict["NAME"]))}
    with begun("manage.py", "worker", **through) as worker, server(tmp_path / "log", **through) as portal:
        read_line_with(worker, "The worker is running")

        def some(first: int) -> None:
            for person in school[first::AT_ONCE]:
                seen[person.username] = log_in(portal, person.username)

        assert run_in_threads(*[lambda first=first: some(first) for first in range(AT_ONCE)]) == []  # type: ignore[misc]
        assert ClusterSync.objects.get().attempt > 0
        assert worker.poll() is None
    assert seen == {f"pupil-{number:02}": f"200 own-{number:02}" for number in range(PEOPLE)}
    assert "Error" not in (tmp_path / "log").read_text()
