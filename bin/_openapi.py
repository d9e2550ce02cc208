"""The schema of the API as docs/openapi.json: writes it, or says whether it is up to date: _openapi.py [--check [FILE]]

Keys of its own and no database, so that neither .env nor a server has a say.
"""

import base64
import json
import os
import secrets
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "docs" / "openapi.json"


def schema() -> str:
    sys.path.insert(0, str(ROOT))
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "labportal.settings",
        "SECRET_KEY": secrets.token_urlsafe(64),
        "FIELD_ENCRYPTION_KEY": base64.urlsafe_b64encode(os.urandom(32)).decode(),
        "DATABASE_URL": "sqlite://:memory:",
        "LANGUAGE_CODE": "en",
    }
    import django  # noqa: PLC0415 - after the settings are known

    django.setup()
    from labportal import api  # noqa: PLC0415 - needs the models

    return json.dumps(api.schema(), indent=1, ensure_ascii=False) + "\n"


def main() -> int:
    now = schema()
    if "--check" not in sys.argv:
        FILE.write_text(now, encoding="utf-8")
        return 0
    stored = Path(sys.argv[2]) if len(sys.argv) > 2 else FILE
    if stored.is_file() and stored.read_text(encoding="utf-8") == now:
        return 0
    print("docs/openapi.json is not the schema of this code. On purpose? .venv/bin/python bin/_openapi.py")
    return 1


sys.exit(main())
