"""Asks each route as everybody, and tells where the answers differ from the table."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.access import expected, routes
from tests.access.school import PEOPLE, World, rolled_back, writes
from tests.samples import SEED, TURNS

LOGINS = ("/accounts/login/", "/admin/login/")
REFUSED = {"in", "401", "403", "404", "405"}
OTHERS = ("HEAD", "OPTIONS", "PUT", "DELETE")


@dataclass(frozen=True)
class Answer:
    """`code` is the status, or `in` where the person is sent to log in."""

    code: str
    wrote: list[str]
    page: Any

    def fits(self, expected: str) -> bool:
        return self.code in ({"200", "302"} if expected == "ok" else {expected})


def ask(world: World, route: str, who: str, method: str, **how: Any) -> Answer:
    url = routes.address(world, route)
    data = {"GET": expected.QUERIES, "HEAD": expected.QUERIES, "POST": expected.BODIES}.get(method, {}).get(route)
    if isinstance(data, dict):
        data = {name: routes.fill(value, routes.values(world, route)) for name, value in data.items()}
    with rolled_back(), writes() as wrote:
        page = world.ask(who, method, url, data, **how)
    sent_to = page.headers.get("Location", "").partition("?")[0] if page.status_code == 302 else ""
    away = sent_to in LOGINS and not url.endswith(("/login/", "/logout/"))
    return Answer("in" if away else str(page.status_code), wrote, page)


def answers(world: World, route: str, method: str) -> dict[str, Answer]:
    return {who: ask(world, route, who, method) for who in PEOPLE}


def complaints(world: World, route: str) -> list[str]:
    """What is not as the table says, in words. Empty: all is well."""
    return list(_complaints(world, route, expected.rows()[route]))


def _complaints(world: World, route: str, row: expected.Row) -> Iterator[str]:
    for method, wanted in (("GET", row.get), ("POST", row.post)):
        for who, answer in answers(world, route, method).items():
            if not answer.fits(wanted[who]):
                yield f"{method} {route} as {who}: {answer.code}, not {wanted[who]}"
            if answer.wrote and (method == "GET" or answer.code in REFUSED):
                yield f"{method} {route} as {who} wrote: {answer.wrote}"
    for who in ("assignee", "superuser"):
        answer = ask(world, route, who, "POST", csrf=False)
        # The API takes no session, so nobody can be made to send it something.
        wanted_code = row.post[who] if route.startswith("api/v1/") else "403"
        if answer.code != wanted_code or answer.wrote:
            yield f"POST {route} without a CSRF token as {who}: {answer.code}, {answer.wrote}"
    for method in _others(route):
        yield from _other(ask(world, route, "superuser", method), f"{method} {route}", row.get)


def _others(route: str) -> tuple[str, ...]:
    """For a page that the admin has for each model one of them, another each day, because Django answers them all."""
    if route not in routes.model_pages() or TURNS >= 10:
        return OTHERS
    return (OTHERS[(SEED + len(route)) % len(OTHERS)],)


def _other(answer: Answer, what: str, get: dict[str, str]) -> Iterator[str]:
    """A method that no page is made for is refused, or answered like GET; it never writes."""
    told = what.startswith("OPTIONS") and answer.code == "200" and not answer.page.content
    like_get = answer.fits(get["superuser"]) or answer.fits(get["anonymous"])
    if answer.wrote or not (told or like_get or answer.code in {"401", "405"}):
        yield f"{what}: {answer.code}, {answer.wrote}"
