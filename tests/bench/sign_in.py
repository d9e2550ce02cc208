"""Signing in with a directory: its cost, the bell, a dead directory, and the nightly comparison of a large school.

A real OpenLDAP server is on this machine, with 20,000 people in 500 groups. Needs slapd and requirements-ldap.txt.
"""

import json
import os
import random
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import requests
from axes.models import AccessAttempt
from django.core.cache import cache
from django.db import connections
from django.test import Client
from django.utils import timezone

from accounts.encrypted_fields import Secret
from accounts.models import SignInIdentity, SignInRule, User
from accounts.models.sources import Directory
from tests.bench import database, report
from tests.bench.bell import ROOT, await_port, free_port, p95, program
from tests.directories.slapd import BASE, PASSWORD, READER, READER_PASSWORD, ROOTS, Slapd, group, person, slapd_program

PEOPLE, GROUPS, GROUP_SIZE = 20_000, 500, 200
AT_THE_BELL, WITHIN, LOCALS = 300, 60.0, 30
DEAD_TIMEOUT = 2  # seconds, of the dead directory
LOCAL_PASSWORD = "a local pass phrase"  # of people who exist for a minute


def run() -> None:
    if not (slapd_program() and find_spec("ldap")):
        report.tell("not measured", "needs slapd and .venv/bin/pip install -r requirements-ldap.txt")
        return
    server = Slapd(member_of=False)
    try:
        server.load([*ROOTS, *everybody()])
        server.start()
        directory = enter(server)
        cost(directory)
        bell(directory)
        dead(directory)
        job(directory)
    finally:
        server.remove()
        connections.close_all()


def everybody() -> Iterator[Any]:
    for number in range(PEOPLE):
        yield person(f"pupil-{number:05}")
    for number in range(GROUPS):
        some = ((number * 40 + at) % PEOPLE for at in range(GROUP_SIZE))
        yield group(f"group-{number:03}", *(f"cn=pupil-{one:05},ou=pupils,{BASE}" for one in some))


def enter(server: Slapd) -> Directory:
    Directory.objects.all().delete()
    made: Directory = Directory.objects.create(
        name="school", label="School", is_active=True, servers=server.uri, bind_dn=READER,
        secret=Secret(READER_PASSWORD), base_dn=BASE, flavour="openldap", id_attribute="entryUUID",
        name_attribute="uid", ca_certificates=server.ca, person_filter="(objectClass=inetOrgPerson)", nested=False,
    )  # fmt: skip
    SignInRule.objects.create(source=made, on="everyone")
    return made


def cost(directory: Directory, times: int = 60) -> None:
    """Of a sign-in of somebody who was here before, with a connection that was used a moment ago."""
    import ldap.ldapobject  # noqa: PLC0415 - an extra

    User.objects.create_user("local", password=LOCAL_PASSWORD)
    asked: Counter[str] = Counter()
    kind = ldap.ldapobject.SimpleLDAPObject
    counted = {name: getattr(kind, name) for name in ("search_ext", "simple_bind", "start_tls_s")}
    for name, method in counted.items():
        setattr(kind, name, _counting(asked, name, method))
    try:
        for _ in range(3):
            log_in(f"pupil-{7:05}", PASSWORD), log_in("local", LOCAL_PASSWORD)
        asked.clear()
        log_in(f"pupil-{7:05}", PASSWORD)
        report.count("binds of a sign-in", asked.pop("simple_bind"), 1)
        report.goal("round trips beyond the bind", asked.total(), 2)
        theirs = [report.cpu_ms(lambda: log_in(f"pupil-{7:05}", PASSWORD)) for _ in range(times)]
        ours = [report.cpu_ms(lambda: log_in("local", LOCAL_PASSWORD)) for _ in range(times)]
        directory.is_active = False
        directory.save()
        alone = [report.cpu_ms(lambda: log_in("local", LOCAL_PASSWORD)) for _ in range(times)]
        directory.is_active = True
        directory.save()
    finally:
        for name, method in counted.items():
            setattr(kind, name, method)
    report.tell("CPU of a directory sign-in", report.spread(theirs))
    report.tell("CPU of a local one, without a hash", report.spread(ours))
    more = [one - two for one, two in zip(sorted(theirs), sorted(alone), strict=True)]
    report.goal("CPU beyond a local sign-in", statistics.median(more), 5, unit=" ms", best=min(more))


def _counting(asked: Counter[str], name: str, method: Any) -> Any:
    def count(*args: Any, **kwargs: Any) -> Any:
        asked[name] += 1
        return method(*args, **kwargs)

    return count


def log_in(username: str, password: str) -> None:
    cache.clear()
    answer = Client().post("/accounts/login/", {"username": username, "password": password})
    assert answer.status_code == 302, answer.status_code


@contextmanager
def portal() -> Iterator[str]:
    environment = database.environment() | {"DJANGO_SETTINGS_MODULE": "tests.bench.bell_settings"}
    port = free_port()
    server = ["-m", "labportal.serve", "--no-worker", "--processes", "2", "--port", str(port)]
    with program([*server, "--no-access-log", "--log-level", "error"], environment):
        await_port(port)
        yield f"http://127.0.0.1:{port}"


def sign_in(address: str, username: str, password: str, seen: dict[str, list[float]], kind: str) -> None:
    browser = requests.Session()
    browser.trust_env = False
    try:
        browser.get(f"{address}/accounts/login/", timeout=60)
        form = {"username": username, "password": password, "csrfmiddlewaretoken": browser.cookies["csrftoken"]}
        begun = time.monotonic()
        answer = browser.post(f"{address}/accounts/login/", data=form, allow_redirects=False, timeout=60)
    except (requests.RequestException, KeyError) as error:
        seen.setdefault(f"{kind} {type(error).__name__}", []).append(0)
        return
    seen.setdefault(f"{kind} {answer.status_code}", []).append(time.monotonic() - begun)


def ring(address: str, arrivals: list[tuple[float, str, str, str]]) -> dict[str, list[float]]:
    """Each at its moment (seconds), by name, password and kind. Returns seconds by kind and status."""
    seen: dict[str, list[float]] = {}
    threads, begun = [], time.monotonic()
    for moment, username, password, kind in sorted(arrivals):
        time.sleep(max(0.0, begun + moment - time.monotonic()))
        threads.append(threading.Thread(target=sign_in, args=(address, username, password, seen, kind)))
        threads[-1].start()
    for thread in threads:
        thread.join(120)
    return seen


def arrivals(count: int) -> list[tuple[float, str, str, str]]:
    chance = random.Random(int(os.environ.get("BENCH_SEED") or 1))  # noqa: S311 - moments, not secrets
    within = WITHIN * count / AT_THE_BELL
    return [(chance.uniform(0, within), f"pupil-{number:05}", PASSWORD, "pupil") for number in range(count)]


def bell(directory: Directory) -> None:
    count = int(os.environ.get("BENCH_STUDENTS") or AT_THE_BELL)
    AccessAttempt.objects.all().delete()
    with portal() as address:
        seen = ring(address, arrivals(count))
    told = seen.get("pupil 302", [])
    report.count("people who signed in at the bell", len(told), count)
    report.goal("a sign-in at the bell, p95", p95(told), 2.0, unit=" s")
    report.count("wrong passwords that were counted", AccessAttempt.objects.count(), 0)


def dead(directory: Directory) -> None:
    """It takes connections and says nothing. At the same bell, local accounts log in."""
    count = int(os.environ.get("BENCH_STUDENTS") or AT_THE_BELL)
    few = max(3, LOCALS * count // AT_THE_BELL)
    made = User.objects.get(username="local")
    from accounts.hashers import CappedArgon2PasswordHasher  # noqa: PLC0415 - the real one

    hasher = CappedArgon2PasswordHasher()
    made.password = hasher.encode(LOCAL_PASSWORD, hasher.salt())
    made.save()
    locals_ = [
        ((number + 0.5) * WITHIN * count / AT_THE_BELL / few, "local", LOCAL_PASSWORD, "local") for number in range(few)
    ]
    before = {"servers": directory.servers, "timeout_seconds": directory.timeout_seconds}
    with socket.create_server(("127.0.0.1", 0), backlog=512) as silent, portal() as address:
        alone = ring(address, locals_[: max(3, few // 3)])["local 302"]
        directory.servers, directory.timeout_seconds = f"ldaps://127.0.0.1:{silent.getsockname()[1]}", DEAD_TIMEOUT
        directory.save()
        seen = ring(address, [*arrivals(count), *locals_])
    Directory.objects.filter(pk=directory.pk).update(**before)
    directory.refresh_from_db()
    report.count("directory accounts that were told so", len(seen.get("pupil 503", [])), count)
    report.goal("  the slowest, beyond the timeout", max(seen["pupil 503"]) - DEAD_TIMEOUT, 1.0, unit=" s")
    report.tell("  median", f"{statistics.median(seen['pupil 503']):.3f} s")
    report.count("local accounts that came in meanwhile", len(seen.get("local 302", [])), few)
    beside = seen["local 302"]
    report.tell(
        "a local sign-in, alone and beside", f"{statistics.median(alone):.3f} s, {statistics.median(beside):.3f} s"
    )
    delay = (statistics.median(beside) - statistics.median(alone)) * 1000
    report.goal("delay of a local account", delay, 50, unit=" ms")
    report.count("wrong passwords that were counted meanwhile", AccessAttempt.objects.count(), 0)


def job(directory: Directory) -> None:
    """All of them have accounts; some changed. In a process of its own, as a worker runs it."""
    from accounts.sign_in.keeping_up import job as keeping  # noqa: PLC0415 - after Django

    people = keeping.everybody(directory, timezone.now())
    report.count("people in the listing", len(people), PEOPLE)
    User.objects.filter(username__startswith="pupil-").delete()
    made = User.objects.bulk_create(
        [User(username=one.username, first_name=one.first_name, last_name=one.last_name, email=one.email)
         for one in people.values()], batch_size=1000,
    )  # fmt: skip
    SignInIdentity.objects.bulk_create(
        [
            SignInIdentity(
                user=user, source=directory, subject=one.subject, mail_there=one.email, groups=sorted(one.groups or ()),
                name_there=one.username if number % 100 else "was called otherwise",
            )
            for number, (user, one) in enumerate(zip(made, people.values(), strict=True))
        ], batch_size=1000,
    )  # fmt: skip
    del people, made
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(directory.pk)], cwd=ROOT, env=database.environment(), check=True,
        capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    told = json.loads(done.stdout.splitlines()[-1])
    report.tell("the comparison says", told["said"])
    report.goal("the comparison of 20,000 people", told["seconds"], 60, unit=" s")
    report.goal("  memory of its process, peak", told["memory"], 200, unit=" MiB")


PROGRAM = """
import json, resource, sys, time
import django
django.setup()
from accounts.models.sources import Directory
from accounts.sign_in import keeping_up
begun = time.monotonic()
said = keeping_up.compare(Directory.objects.get(pk=sys.argv[1]))
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"said": said.english, "seconds": time.monotonic() - begun, "memory": memory}))
"""
