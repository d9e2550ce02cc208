"""Settings of the tests: the product's own, with keys of their own and what makes tests fast."""

import os
import secrets

from cryptography.fernet import Fernet

os.environ["SECRET_KEY"] = secrets.token_urlsafe(50)
os.environ["FIELD_ENCRYPTION_KEY"] = Fernet.generate_key().decode()
os.environ["DEBUG"] = "off"
os.environ["CLUSTER_ALLOWED_NETWORKS"] = "private,public,loopback"  # the simulator is on this machine
os.environ["ALLOWED_HOSTS"] = "127.0.0.1,localhost,testserver"
os.environ.setdefault("DATABASE_URL", "sqlite:///tests.db")
for name in (
    "PVE_HOST",
    "PVE_ADMIN_USER",
    "PVE_ADMIN_PASS",
    "PVE_VERIFY",
    "SECRET_KEY_FILE",
    "FIELD_ENCRYPTION_KEY_FILE",
):
    os.environ[name] = ""
# Each process of the tests has a database of its own on the Redis of `bin/test --redis`.
if os.environ.get("REDIS_URL"):
    redis_number = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    os.environ["REDIS_URL"] = f"{os.environ['REDIS_URL'].partition('?')[0]}?db={redis_number}"
os.environ["CLUSTER_CONFIG_FILE"] = "/nonexistent/clusters.json"

from labportal.settings import *  # noqa: E402, F403
from labportal.settings import DATABASES  # noqa: E402

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
DATABASES["default"]["CONN_MAX_AGE"] = 0  # threads of servers outlive a test and its database
SYNC_DEADLINE = 60  # however busy the machine is
STATIC_ROOT = None  # type: ignore[assignment]  # a fresh clone has collected none, and looking through them for each client takes time
