"""What waits in the queue is found by the next release, wherever its code is then."""

import re

import pytest
from django.utils.module_loading import import_string
from django_tasks.base import Task

from tests.upgrade.test_surface import KNOWN, parts
from vms.worker import tasks

NAMES = [re.split(r" {2,}", line) for line in sorted(parts(KNOWN.read_text(encoding="utf-8"))["Tasks in the queue"])]


@pytest.mark.parametrize(("path", "queue"), NAMES)
def test_a_name_leads_to_its_task(path: str, queue: str):
    task = import_string(path)
    assert isinstance(task, Task)
    assert (task.module_path, task.queue_name) == (path, queue)


def test_there_are_some():
    assert len(NAMES) > 7


def test_a_new_task_has_a_fixed_name_too():
    def work() -> None:
        """Nothing."""

    assert tasks.job(queue="clusters")(work).module_path == "vms.jobs.work"
