"""The cast: who the tests are about. Each person is made when a test names them."""

import gc
from collections.abc import Iterator

import hypothesis
import pytest
from _pytest import runner
from django.contrib.auth.models import Group
from django.utils import translation

from accounts.models import User
from tests.frame_stack import make_room
from tests.own_database import django_db_modify_db_settings, migrated_file, migrated_template
from tests.samples import pytest_report_header  # noqa: F401 - the same
from tests.skip_report import pytest_terminal_summary  # noqa: F401 - pytest calls it
from tests.xdist_schedule import pytest_collection_modifyitems, pytest_xdist_make_scheduler  # noqa: F401 - the same
from vms.pages import row_version

__all__ = ["django_db_modify_db_settings", "migrated_file", "migrated_template"]

# A machine that is busy with something else fails no test.
hypothesis.settings.register_profile("busy", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("busy")

make_room(runner.runtestprotocol)

PASSWORD = "correct horse battery"


def pytest_collection_finish() -> None:
    """What is loaded by now stays to the end: looking through it for garbage again and again takes time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _no_language_of_others() -> Iterator[None]:
    """A request leaves its language behind in the thread, for a test that makes none."""
    yield
    translation.deactivate()


@pytest.fixture(autouse=True)
def _no_cards_of_others() -> None:
    """Machines of another test may have the same keys and rows, under other settings."""
    row_version.forget()


def join(username: str, group: str) -> User:
    user = User.objects.create_user(username, password=PASSWORD, is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    return user


@pytest.fixture
def admin() -> User:
    """A superuser."""
    return User.objects.create_superuser("admin", password=PASSWORD)


@pytest.fixture
def lab_admin() -> User:
    """Runs the lab, without being a superuser."""
    return join("lena", "Lab administrator")


@pytest.fixture
def auditor() -> User:
    """May look at everything and change nothing."""
    return join("otto", "Auditor")


@pytest.fixture
def ana() -> User:
    """A student."""
    return User.objects.create_user("ana", password=PASSWORD)


@pytest.fixture
def ben() -> User:
    """Another student: the outsider to whatever is ana's."""
    return User.objects.create_user("ben", password=PASSWORD)
