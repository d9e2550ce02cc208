"""Until 0.3.0 the portal stored sentences; from now on it tells codes and parameters in the reader's language.

`old_sentences.json` has the wording of that time by code, in English and, since some were stored in the language of
whoever had clicked, in Spanish. A text that is none of them, for instance a cluster's own words, stays as it is.
"""

import json
import re
import zlib
from datetime import datetime
from pathlib import Path

from django.db import migrations
from django.utils import timezone

COLUMNS = [
    ("clusters", "ClusterHealth", "problem"),
    ("vms", "Alert", "text"),
    ("vms", "BatchItem", "refusal"),
    ("vms", "ClusterSync", "notice"),
    ("vms", "CredentialEnd", "problem"),
    ("vms", "Operation", "outcome"),
    ("vms", "Preparation", "outcome"),
    ("vms", "SyncRun", "problem"),
]

PLACE = re.compile(r"%\((\w+)\)s")

# How what is stored by itself ends, in whatever language. All others are parts of such sentences.
SENTENCE = re.compile(r"(\.|%\((hint|how|outcome|why)\)s)$")

# What stands in a place, where another one is beside it.
FORMS = {"quoted": r"(?: \(.*\))?"}

# Which places hold a sentence or a part of one, by how their codes begin. All others hold text of people and clusters.
PARTS = {
    "credential": ("of-credential", "of-read-only-token"),
    "missing": ("lacks-privilege", "is-not-allowed"),
    "who": ("of-node", "of-service"),
    "what": ("no-", "too-", "json-", "strange-", "a-redirect", "broken-", "http-", "web-", "node-without", "number-",
             "time-", "list-", "object-", "console-without", "not-a"),
    "was": ("one-of-pins",),
    "status": ("status-", "not-there"),
    "needed": ("status-",),
    "doing": ("lock-", "busy-with"),
    "action": ("action-",),
    "hint": ("believe-hint",),
    "how": ("enter-valid-one",),
    "told": ("both", "ends-on"),
    "one": ("ends-on",),
    "other": ("ends-on",),
    "why": ("",),
    "outcome": ("",),
    "console-ended.reason": ("end-",),
    "console-not-opened.reason": ("end-",),
    "ends-on.name": ("of-",),
}  # fmt: skip


def load():
    """Patterns of all wordings, those with the most words of their own first."""
    path = Path(__file__).with_name("old_sentences.json")
    wordings = [(text, code) for code, texts in json.loads(path.read_text(encoding="utf-8")).items() for text in texts]
    weighed = sorted(wordings, key=lambda one: -len(re.findall(r"\w", PLACE.sub("", one[0]))))
    return [(pattern(text), bool(SENTENCE.search(text)), code) for text, code in weighed]


def pattern(text):
    parts = PLACE.split(text)
    for index in range(0, len(parts), 2):
        parts[index] = re.escape(parts[index].replace("%%", "%"))
    for index in range(1, len(parts), 2):
        parts[index] = f"(?P<{parts[index]}>{FORMS.get(parts[index], '.*?')})"
    return re.compile("".join(parts), flags=re.DOTALL)


def parse(text, patterns, begins="", *, whole=True):
    """Code and parameters; None for what is no sentence of the portal."""
    for wording, is_sentence, code in patterns:
        if code.startswith(begins) and (is_sentence or not whole) and (match := wording.fullmatch(text)):
            places = match.groupdict().items()
            return {"code": code, "parameters": {name: place(code, name, said, patterns) for name, said in places}}
    return None


def place(code, name, said, patterns):
    if name == "day":
        return day(said)
    begins = PARTS.get(f"{code}.{name}") or PARTS.get(name) or ()
    found = (parse(said, patterns, one, whole=False) for one in begins)
    return next(filter(None, found), said)


def day(said):
    try:
        return {"day": timezone.make_aware(datetime.strptime(said, "%d %B %Y")).isoformat()}  # noqa: DTZ007 - it gets the portal's
    except ValueError:
        return said


def tell_by_code(apps, schema_editor):
    patterns = load()
    for app, model, name in COLUMNS:
        rows = apps.get_model(app, model)._base_manager.using(schema_editor.connection.alias)
        untold = rows.filter(**{f"{name}_message__isnull": True}).exclude(**{name: ""}).order_by()
        for text in list(untold.values_list(name, flat=True).distinct()):
            if message := parse(text, patterns):
                message["of"] = zlib.crc32(text.encode())
                untold.filter(**{name: text}).update(**{f"{name}_message": message})


class Migration(migrations.Migration):
    dependencies = [("vms", "0017_stored_messages"), ("clusters", "0010_stored_messages")]

    operations = [migrations.RunPython(tell_by_code, migrations.RunPython.noop)]
