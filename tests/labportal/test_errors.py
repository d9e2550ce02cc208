"""The pages of errors: plain words, no database, nothing of the inside."""

import pytest
from django.conf import settings as project
from django.test import Client

from accounts.models import User
from tests.labportal.failing_urls import SECRET
from tests.labs import queries

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.labportal.failing_urls")]

PAGES = {
    "/bug/": (500, "Something went wrong"),
    "/forbidden/": (403, "have access to this page"),
    "/suspicious/": (400, "The request could not be read"),
    "/no/such/page": (404, "Page not found"),
}


@pytest.fixture
def visitor() -> Client:
    return Client(raise_request_exception=False)


def test_debug_is_off():
    assert project.DEBUG is False


@pytest.mark.parametrize(("page", "said"), PAGES.items(), ids=PAGES)
def test_an_error_is_told_in_plain_words(visitor: Client, page: str, said: tuple[int, str]):
    answer = visitor.get(page)
    assert (answer.status_code, said[1] in answer.content.decode()) == (said[0], True)


@pytest.mark.parametrize("page", PAGES)
def test_an_error_shows_nothing_of_the_inside(visitor: Client, page: str):
    text = visitor.get(page).content.decode()
    assert SECRET not in text
    assert "Traceback" not in text
    assert "labportal." not in text


@pytest.mark.parametrize("page", PAGES)
def test_an_error_page_asks_the_database_nothing(visitor: Client, page: str):
    with queries() as seen:
        visitor.get(page)
    assert len(seen) == 0


def test_a_bug_is_no_outage(visitor: Client):
    assert "Retry-After" not in visitor.get("/bug/").headers


def test_a_bug_is_written_to_the_log(visitor: Client, caplog: pytest.LogCaptureFixture):
    visitor.get("/bug/")
    assert "Internal Server Error: /bug/" in caplog.text


def test_a_bug_breaks_nothing_but_its_page(visitor: Client, ana: User):
    visitor.force_login(ana)
    assert [visitor.get(page).status_code for page in ("/bug/", "/vms/")] == [500, 200]


def test_a_form_without_a_token_is_told_to_be_too_old(ana: User):
    client = Client(enforce_csrf_checks=True)
    client.force_login(ana)
    answer = client.post("/vms/switch-cluster/", {"cluster": ""})
    assert (answer.status_code, "This form has expired" in answer.content.decode()) == (403, True)


def test_a_host_that_is_not_ours_is_refused(visitor: Client):
    answer = visitor.get("/accounts/login/", headers={"Host": "evil.test"})
    assert (answer.status_code, "evil.test" in answer.content.decode()) == (400, False)


def test_an_address_is_not_repeated_in_the_page(visitor: Client):
    assert b"<script>alert" not in visitor.get("/<script>alert(1)</script>").content


def test_a_page_that_is_not_there_leads_strangers_to_the_login(visitor: Client, ana: User):
    page = visitor.get("/no/such/page").content.decode()
    assert ("Log in" in page, "teacher" in page) == (True, False)
    visitor.force_login(ana)
    assert "Go to my machines" in visitor.get("/no/such/page").content.decode()
