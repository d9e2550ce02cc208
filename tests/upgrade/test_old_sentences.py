"""Whatever sentence version 0.3.0 stored is told in English and Spanish afterwards."""

import json
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.utils import translation

from accounts import stored_messages

migration = import_module("vms.migrations.0018_old_sentences")
PATTERNS = migration.load()
WORDINGS: dict[str, list[str]] = json.loads(
    Path(migration.__file__).with_name("old_sentences.json").read_text(encoding="utf-8")
)
SENTENCES = [(code, language) for code, texts in WORDINGS.items() for language in range(len(texts))
             if migration.SENTENCE.search(texts[0])]  # fmt: skip

# What stands in places that hold a part of a sentence: a code with such a part, and by it the wording.
EXAMPLES = {
    "credential": "of-read-only-token", "who": "of-service", "what": "no-json", "was": "one-of-pins",
    "status": "status-stopped", "needed": "status-running", "doing": "lock-backup", "action": "action-start",
    "hint": "believe-hint", "how": "enter-valid-one", "told": "ends-on", "missing": "is-not-allowed",
    "why": "timed-out", "outcome": "console-process-ended", "console-ended.reason": "end-browser-gone",
    "console-not-opened.reason": "end-machine-gone", "ends-on.name": "of-account",
}  # fmt: skip


def filled(code: str, language: int) -> str:
    """The sentence as it may have been stored."""
    text = WORDINGS[code][min(language, len(WORDINGS[code]) - 1)]
    places = set(re.findall(r"%\((\w+)\)s", text))
    return text % {name: example(code, name, language) for name in places} if places else text


def example(code: str, name: str, language: int) -> str:
    if name == "day":
        return "9 December 2026"
    if name == "quoted":
        return " (as the cluster says)"
    part = EXAMPLES.get(f"{code}.{name}") or EXAMPLES.get(name)
    return filled(part, language) if part else "Start"


def told(stored: dict[str, Any], language: str) -> str:
    with translation.override(language):
        return stored_messages.render(stored_messages._from_stored(stored))


@pytest.mark.parametrize(("code", "language"), SENTENCES)
def test_an_old_sentence_is_found_by_its_code(code: str, language: int):
    found = migration.parse(filled(code, language), PATTERNS)
    assert found is not None
    assert found["code"] == code
    english, spanish = told(found, "en"), told(found, "es")
    assert english != spanish
    assert not re.search(r"%\(\w+\)s", english + spanish)


def test_parts_are_found_too():
    text = "The portal's account lacks VM.Audit on /vms. Ask the cluster's administrator for the permission."
    found = migration.parse(f"{text} The request may have been carried out: look before you repeat it.", PATTERNS)
    assert found["parameters"]["why"]["parameters"]["missing"] == {
        "code": "lacks-privilege", "parameters": {"privilege": "VM.Audit", "path": "/vms"},
    }  # fmt: skip
    assert told(found, "en").startswith(text)


def test_two_ends_and_their_days_are_found():
    text = (
        "The API token portal@pve!labs ends on 9 December 2026 and read-only token portal@pve!look ends on "
        "10 December 2026. Make a new one on the cluster and enter it in the cluster's settings before that."
    )
    found = migration.parse(text, PATTERNS)
    assert "2026-12-09 and read-only token portal@pve!look expires on 2026-12-10" in told(found, "en")
    assert "el 2026-12-09 y " in told(found, "es")


@pytest.mark.parametrize("text", ["running", "command 'qm stop' failed: exit code 255", "a note by hand", " "])
def test_other_words_are_left_alone(text: str):
    assert migration.parse(text, PATTERNS) is None


def test_a_name_that_reads_like_a_word_stays_a_name():
    found = migration.parse("Cancelled by Start while it waited for its turn.", PATTERNS)
    assert found["parameters"] == {"name": "Start"}


def test_every_code_is_still_known():
    assert len(SENTENCES) > 150
    assert WORDINGS.keys() <= stored_messages.codes()
