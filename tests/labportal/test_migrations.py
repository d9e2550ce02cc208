"""The migrations make the tables that the models want, and need nothing of the product to do so."""

import ast
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ModelState, ProjectState

from accounts.models import User
from labportal.autodetector import SchemaAutodetector

ROOT = Path(__file__).resolve().parent.parent.parent
OURS = {"accounts", "classes", "clusters", "labportal", "pvesim", "vms"}
FILES = sorted(path for app in OURS for path in ROOT.glob(f"{app}/migrations/*.py"))


def imported(code: str) -> set[str]:
    """The packages that a module names: by import, or as a text that begins like a path of ours."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add("." if node.level else (node.module or "").split(".")[0])
    return found


@pytest.mark.django_db
def test_none_is_missing():
    call_command("makemigrations", check_changes=True, dry_run=True, verbosity=0)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_migration_imports_nothing_of_the_product(path: Path):
    assert not imported(path.read_text(encoding="utf-8")) & {*OURS, "."}


def test_such_an_import_is_found():
    assert len(FILES) > 30
    assert imported("import django.db\nimport vms.models") & OURS
    assert imported("def run():\n    from clusters import fields") & OURS


def changes(**fields: models.Field) -> list[object]:
    """What a migration would do if these were the fields of the user model."""
    now, then = ProjectState.from_apps(apps), ProjectState.from_apps(apps)
    state = ModelState.from_model(User)
    state.fields |= fields
    then.models["accounts", "user"] = state
    found = SchemaAutodetector(now, then).changes(graph=MigrationLoader(None).graph)
    return [operation for one in found.get("accounts", []) for operation in one.operations]


def test_a_new_word_or_validator_needs_no_migration():
    column = models.CharField("tongue", max_length=16, blank=True, validators=[str], help_text="Say.", default=str)
    assert changes(language=column) == []


def test_a_new_width_needs_one():
    assert len(changes(language=models.CharField(max_length=17, blank=True))) == 1
