"""An empty, migrated database, kept in .venv from one demo to the next: migrating is half of what a start takes."""

import hashlib
import shutil
import sys
from pathlib import Path

from django.core.management import call_command
from django.db import connection

ROOT = Path(__file__).resolve().parent.parent.parent
APPS = ("accounts", "clusters", "vms", "classes", "labportal")
SHELF = Path(sys.prefix) / "labportal-demo"


def migrate(database: Path) -> bool:
    """Make the database. True when a template was there for it: one of the same code and the same packages."""
    template = SHELF / f"{checksum()}.db"
    if template.is_file():
        shutil.copyfile(template, database)
        return True
    call_command("migrate", interactive=False, verbosity=0)
    if sys.prefix != sys.base_prefix:
        _keep(template)
    return False


def _keep(template: Path) -> None:
    SHELF.mkdir(exist_ok=True)
    draft = template.with_suffix(f".{connection.settings_dict['NAME'].encode().hex()[-32:]}")
    with connection.cursor() as cursor:
        cursor.execute("VACUUM INTO %s", [str(draft)])
    for old in SHELF.glob("*.db"):
        old.unlink(missing_ok=True)
    draft.replace(template)


def checksum() -> str:
    """A checksum of all that a migrated database may depend on."""
    own = sorted(path for app in APPS for path in (ROOT / app).rglob("*.py"))
    found = hashlib.sha256(sys.version.encode())
    for path in (*own, ROOT / "requirements.txt", ROOT / "constraints.txt"):
        found.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return found.hexdigest()[:32]
