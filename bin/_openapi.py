"""The schema of the API as docs/openapi.json, and its calls with curl as docs/api-curl.md.

Writes them, or says whether they are up to date: _openapi.py [--check [FILE]]

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
CURL = ROOT / "docs" / "api-curl.md"


def texts() -> tuple[str, str]:
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
    from labportal import api, api_curl  # noqa: PLC0415 - needs the models

    schema = json.loads(json.dumps(api.schema()))
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n", api_curl.page(schema)


def main() -> int:
    now, curl = texts()
    if "--check" not in sys.argv:
        FILE.write_text(now, encoding="utf-8")
        CURL.write_text(curl, encoding="utf-8")
        return 0
    stored = Path(sys.argv[2]) if len(sys.argv) > 2 else FILE
    if all(file.is_file() and file.read_text(encoding="utf-8") == text for file, text in ((stored, now), (CURL, curl))):
        return 0
    print("docs/openapi.json or docs/api-curl.md is not of this code. On purpose? .venv/bin/python bin/_openapi.py")
    return 1


sys.exit(main())
