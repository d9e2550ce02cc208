#!/bin/sh
# django-tasks-db 0.13.0 (django-tasks 0.12.0, Django 5.2.19)
#
# If a task succeeds but returns a value that JSON can't represent (here the time at which it ended), it is recorded as
# FAILED, with the serializer's TypeError as if the task had raised it. Code that enqueues failed tasks again then does the
# work twice. Work around it: let tasks with side effects return nothing.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check django==5.2.19 django-tasks==0.12.0 django-tasks-db==0.13.0

cat >tasks.py <<'PYTHON'
from datetime import datetime, timezone
from pathlib import Path

from django_tasks import task


@task()
def work(name):
    with Path(name).open("a") as file:
        file.write("done\n")
    return datetime.now(timezone.utc)
PYTHON
cat >run.py <<'PYTHON'
import logging
import sys

from django.conf import settings

settings.configure(
    INSTALLED_APPS=["django_tasks", "django_tasks_db"], USE_TZ=True, DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "tasks.db"}},
    TASKS={"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}},
)  # fmt: skip

import django

django.setup()
logging.disable(logging.CRITICAL)

from django.core.management import call_command

call_command("migrate", verbosity=0)
from tasks import work

result = work.enqueue("file")
call_command("db_worker", batch=True, verbosity=0, reload=False)
result.refresh()
print(open("file").read().strip(), result.status, result.errors[0].exception_class_path)
PYTHON
venv/bin/python run.py >out
cat out
[ "$(cat out)" = "done FAILED builtins.TypeError" ] || { echo "CHANGED: a result that cannot be stored is told otherwise"; exit 1; }
