"""The application that the server runs answers each request as a whole in one thread, and threads stay."""

import asyncio
import threading
from typing import Any

import pytest
from django.db import connection
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase
from django.test import override_settings
from django.urls import path

from labportal import pages
from tests.waits import TIMEOUT

seen: list[tuple[str, object]] = []
go = threading.Event()


def where(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    seen.append((threading.current_thread().name, connection.connection))
    return HttpResponse(f"{request.method} {request.body.decode()}", headers={"X-Page": "1"})


def waits(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(go.wait(10)))


def streamed(request: HttpRequest) -> HttpResponseBase:
    response = FileResponse([b"one ", b"file"], content_type="text/css")
    response.set_cookie("crumb", "c")
    return response


def told(request: HttpRequest) -> HttpResponse:
    go.set()
    return HttpResponse("told")


def noted(request: HttpRequest) -> HttpResponse:
    seen.append((str(request.method), None))
    return HttpResponse(request.method)


def fails(request: HttpRequest) -> HttpResponse:
    raise LookupError


urlpatterns = [
    path("where", where), path("waits", waits), path("fails", fails), path("noted", noted),
    path("healthz", told), path("static/a.css", streamed),
]  # fmt: skip


async def ask(
    app: pages.Pages, address: str, *bodies: bytes, gone: bool = False, leaves: asyncio.Future[None] | None = None
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body. The client leaves before its request is complete (`gone`), or when `leaves` is done."""
    parts = [{"type": "http.request", "body": body, "more_body": True} for body in bodies]
    parts += [{"type": "http.disconnect"} if gone else {"type": "http.request"}]
    sent: list[dict[str, Any]] = []

    async def receive() -> Any:
        if parts:
            return parts.pop(0)
        await asyncio.wait_for(asyncio.shield(leaves or asyncio.Future()), TIMEOUT)
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "POST" if bodies else "GET", "path": address, "headers": [], "query_string": b"",
        "scheme": "http", "client": ("127.0.0.1", 4711), "server": ("127.0.0.1", 80),
    }  # fmt: skip
    await app(scope, receive, send)
    if not sent:
        return 0, {}, b""
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent[1:])


@pytest.fixture
def app() -> Any:
    seen.clear()
    go.clear()
    with override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=[], PAGES_PER_PROCESS=1):
        yield pages.Pages()
    for _thread, kept in set(seen):
        if kept is not None:
            kept.close()  # type: ignore[attr-defined]  # no request ends in its thread any more


def test_threads_stay_and_each_keeps_its_connection(own_database: dict[str, Any], app: pages.Pages) -> None:
    own_database["CONN_MAX_AGE"] = 60

    async def twenty() -> None:
        for _ in range(20):
            status, headers, content = await ask(app, "/where", b"one ", b"body")
            assert (status, headers["X-Page"], content) == (200, "1", b"POST one body")

    asyncio.run(twenty())
    names = {name for name, _ in seen}
    assert len(names) < 10  # another is started where the first has answered but is not idle yet
    assert len(set(seen)) == len(names)


def test_what_is_watched_and_files_wait_for_no_slot(app: pages.Pages) -> None:
    async def while_it_waits() -> None:
        waiting = asyncio.create_task(ask(app, "/waits"))
        second = asyncio.create_task(ask(app, "/waits"))
        status, headers, content = await ask(app, "/static/a.css")
        assert (status, content, headers["Content-Type"]) == (200, b"one file", "text/css")
        assert headers["Set-Cookie"].startswith("crumb=c;")
        assert not waiting.done()
        assert (await ask(app, "/healthz"))[2] == b"told"
        assert ((await waiting)[2], (await second)[2]) == (b"True", b"True")

    asyncio.run(while_it_waits())


def test_whoever_leaves_and_what_fails_keep_no_slot(app: pages.Pages) -> None:
    async def each() -> list[int]:
        return [(await ask(app, "/where", b"half", gone=True))[0], (await ask(app, "/fails"))[0],
                (await ask(app, "/nowhere"))[0]]  # fmt: skip

    assert asyncio.run(each()) == [0, 500, 404]


def test_of_those_who_left_while_they_waited_only_what_they_sent_is_carried_out(app: pages.Pages) -> None:
    async def leave() -> None:
        leaves: asyncio.Future[None] = asyncio.Future()
        first = asyncio.create_task(ask(app, "/waits"))
        await asyncio.sleep(0)
        left = [asyncio.create_task(ask(app, "/noted", *sent, leaves=leaves)) for sent in ((), (b"sent",))]
        stays = asyncio.create_task(ask(app, "/noted"))
        await asyncio.sleep(0)
        leaves.set_result(None)
        assert (await left[0])[0] == 0
        await ask(app, "/healthz")
        assert [(await one)[2] for one in (first, left[1], stays)] == [b"True", b"POST", b"GET"]

    asyncio.run(leave())
    assert len(seen) == 2
    assert app._slots._free == 1
