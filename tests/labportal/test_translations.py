"""The translations are complete, say what the texts say, and are what the portal reads."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.utils import translation
from django.utils.translation import trans_real

from tests.labportal import catalogs
from tests.labportal.catalogs import Entry
from tests.waits import TIMEOUT
from vms.access import rule_names, rules

ROOMS = ("accounts", "classes", "clusters", "labportal", "vms")

# Of Python and of str.format. “%%” is none.
PLACES = re.compile(r"(?<!%)(?:%%)*(%\(\w+\)[sd]|%[sd])|(\{\w*(?::\w+)?\})")
TAGS = re.compile(r"</?\w+[^>]*>")

every_language = pytest.mark.parametrize("path", catalogs.files(), ids=lambda path: path.parts[-3])


def lopsided(entry: Entry, pattern: re.Pattern[str]) -> bool:
    """Whether a translation has other marks than its text has, or in another number."""
    texts = [sorted(match[0] for match in pattern.finditer(text)) for text in (entry.msgid, entry.plural) if text]
    return any(
        sorted(match[0] for match in pattern.finditer(text)) not in texts for text in entry.translations.values()
    )


def test_every_language_of_the_portal_but_english_has_its_texts():
    there = {translation.to_language(path.parts[-3]) for path in catalogs.files()}
    assert there == {code for code, _name in settings.LANGUAGES} - {"en"}


@every_language
def test_nothing_is_untranslated_or_guessed(path: Path):
    entries = catalogs.read(path)
    assert len(entries) > 500
    assert [one.msgid for one in entries if not all(one.translations.values()) or not one.translations] == []
    assert [one.msgid for one in entries if "fuzzy" in one.flags] == []


@every_language
def test_what_the_portal_reads_is_what_is_written(path: Path):
    assert catalogs.compiled(path) == catalogs.written(catalogs.read(path)), "Run bin/translate."


@every_language
@pytest.mark.parametrize("pattern", [PLACES, TAGS], ids=["places", "tags"])
def test_a_translation_has_the_same_places_and_tags(path: Path, pattern: re.Pattern[str]):
    assert [one.msgid for one in catalogs.read(path) if lopsided(one, pattern)] == []


@pytest.mark.parametrize("wrong", ["%(nombre)s no responde", "no responde", "<b>%(name)s</b> no responde"])
def test_a_lost_place_or_tag_is_found(wrong: str):
    entry = Entry(msgid="%(name)s is not responding", translations={"msgstr": wrong})
    assert lopsided(entry, PLACES) or lopsided(entry, TAGS)


@every_language
def test_a_translation_keeps_the_white_space_around_its_text(path: Path):
    edges = re.compile(r"^\s*|\s*$")
    assert [
        one.msgid
        for one in catalogs.read(path)
        if any(edges.findall(text) != edges.findall(one.msgid) for text in one.translations.values())
    ] == []


@every_language
def test_labels_of_models_fields_and_rules_are_translated(path: Path):
    """Those of fields and models, and the labels of rules."""
    rooms = [config for config in apps.get_app_configs() if config.name in ROOMS]
    known = [model._meta for config in rooms for model in config.get_models()]
    with translation.override(None):
        names = {str(name) for meta in known for name in (meta.verbose_name, meta.verbose_name_plural)}
        fields = [one for meta in known for one in (*meta.local_fields, *meta.local_many_to_many)]
        names |= {str(one.verbose_name) for one in fields if not one.auto_created}  # ID is the same everywhere
    names |= {rule_names.label(rule) for rule in rules.RULES if rule.__module__.split(".")[0] in ROOMS}
    language = trans_real.translation(translation.to_language(path.parts[-3]))
    assert {name for name in names if language._catalog.get(name) is None} == set()


@pytest.mark.skipif(not shutil.which("xgettext"), reason="needs xgettext: apt install gettext")
def test_every_text_of_the_code_is_in_every_language(tmp_path: Path):
    here = catalogs.FOLDER.parent
    for room in ROOMS:
        shutil.copytree(here / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(here / "locale", tmp_path / "locale")
    command = [sys.executable, "-m", "django", "makemessages", "--all", "--no-obsolete", "--verbosity=0"]
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, timeout=TIMEOUT)
    for path in catalogs.files():
        collected = catalogs.read(tmp_path / path.relative_to(here))
        wanted = {one.key for one in collected}
        assert {one.key for one in catalogs.read(path)} ^ wanted == set(), "Run bin/translate, then translate."
