"""Settings of Lab Portal. Everything that differs between installations comes from the environment or `.env`.

docs/configuration.md is the reference; nothing else in the product reads the environment.
"""

import socket
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import django_stubs_ext
from django.core.exceptions import ImproperlyConfigured

from labportal import environment, logs, version
from labportal.environment import number, secret, text, truth, web_address, words

django_stubs_ext.monkeypatch()

VERSION = version.VERSION

BASE_DIR = Path(__file__).resolve().parent.parent

environment.read(BASE_DIR / ".env")

# Keys. Neither has a default: a published key is no key.
SECRET_KEY = secret("SECRET_KEY")
FIELD_ENCRYPTION_KEY = words("FIELD_ENCRYPTION_KEY", secret("FIELD_ENCRYPTION_KEY"))
KEY_FILES = [path for name in ("SECRET_KEY", "FIELD_ENCRYPTION_KEY") if (path := text(f"{name}_FILE", ""))]

DEBUG = truth("DEBUG", default=False)
ALLOWED_HOSTS = words("ALLOWED_HOSTS", "127.0.0.1,localhost")

# Who can only be reached from this machine needs no TLS in front; everybody else gets nothing without it.
LOOPBACK_ONLY = set(ALLOWED_HOSTS) <= {"127.0.0.1", "localhost", "[::1]", "testserver"}

# Clusters: the second source (clusters.json) and the third (these settings), behind the database.
CLUSTER_CONFIG_FILE = text("CLUSTER_CONFIG_FILE", str(BASE_DIR / "clusters.json"))
# Where clusters may be: networks, or the words private, public and loopback. Empty: private and public.
CLUSTER_ALLOWED_NETWORKS = words("CLUSTER_ALLOWED_NETWORKS", "")
PVE_HOST = text("PVE_HOST", "")
CLUSTERS: list[dict[str, Any]] = (
    [
        {
            "id": "default-cluster",
            "name": "Default Cluster",
            "host": PVE_HOST,
            "user": text("PVE_ADMIN_USER", "root@pam"),
            "password": secret("PVE_ADMIN_PASS", ""),
            "verify_ssl": truth("PVE_VERIFY", default=False),
            "is_default": True,
        }
    ]
    if PVE_HOST
    else []
)

# How often clusters are read, how long one read may take (seconds), and how many operations are under way at once.
# A cluster can have figures of its own, in the admin.
SYNC_INTERVAL = number("SYNC_INTERVAL", 15, least=2, most=3600)
SYNC_DEADLINE = number("SYNC_DEADLINE", 10, least=2, most=30)
# What tells this installation from a copy of its database: another name holds everything until somebody confirms it.
INSTANCE_NAME = text("INSTANCE_NAME", "") or socket.gethostname()
OPERATIONS_PER_NODE = number("OPERATIONS_PER_NODE", 4, least=1, most=100)
OPERATIONS_PER_CLUSTER = number("OPERATIONS_PER_CLUSTER", 16, least=1, most=1000)

# How many clones are made at once, on a storage, on a node and on a cluster.
FULL_CLONES = environment.limits("FULL_CLONES", "2,2,2", of=("storage", "node", "cluster"))
LINKED_CLONES = environment.limits("LINKED_CLONES", "8,8,8", of=("storage", "node", "cluster"))

# What carries the jobs: the database, or Redis. Rows are the truth either way; the carrier may lose everything.
REDIS_URL = environment.redis("REDIS_URL")
if REDIS_URL and not find_spec("django_tasks_rq"):
    raise ImproperlyConfigured("REDIS_URL needs more packages: .venv/bin/pip install -r requirements-redis.txt")
# What people wait for is never behind a cluster that does not answer, and no sync is behind details of many machines.
QUEUES = ("operations", "clusters", "details")
TASKS = {
    "default": {
        "BACKEND": "django_tasks_rq.RQBackend" if REDIS_URL else "django_tasks_db.DatabaseBackend",
        "QUEUES": list(QUEUES),
    }
}
# Jobs carry ids alone, so JSON does: what RQ uses otherwise runs whatever somebody puts into Redis.
RQ_QUEUES = {
    name: {"URL": REDIS_URL, "DEFAULT_TIMEOUT": 120, "SERIALIZER": "rq.serializers.JSONSerializer"}
    for name in QUEUES
    if REDIS_URL
}
RQ_SHOW_ADMIN_LINK = False  # its pages in the admin are for everybody who is staff, and empty queues
# Seconds for which a worker has an operation to itself. Another takes it up when it died meanwhile.
OPERATION_LEASE = number("OPERATION_LEASE", 45, least=15, most=300)

# How many pages one web process makes at once; whoever comes meanwhile waits.
PAGES_PER_PROCESS = number("PAGES_PER_PROCESS", 6, least=1, most=100)
# How many consoles one web process serves at once.
CONSOLES_PER_PROCESS = number("CONSOLES_PER_PROCESS", 100, least=0, most=1000)
# What an idle machine uses at most: percent of all its processors, and bytes a second received and sent.
IDLE_CPU = number("IDLE_CPU", 3, least=1, most=50)
IDLE_NETWORK = number("IDLE_NETWORK", 5000, least=100, most=1_000_000)
# For how many days a machine is kept when its person lost it by no person's choice, or somebody re-imaged it.
KEEP_MACHINES_DAYS = number("KEEP_MACHINES_DAYS", 14, least=1, most=365)
KEEP_EARLIER_MACHINES_DAYS = number("KEEP_EARLIER_MACHINES_DAYS", 14, least=4, most=365)
# Whether people may download files that open SPICE in virt-viewer; these name the cluster. See SECURITY.md.
SPICE_FILES = truth("SPICE_FILES", default=False)

# Where people reach the portal, for links in messages; empty: messages have none.
PORTAL_URL = web_address("PORTAL_URL").rstrip("/")

# Who is told when a cluster has troubles: by mail, by a call of a webhook, or nobody.
EMAIL_URL = text("EMAIL_URL", "")
mail_server = environment.mail_server("EMAIL_URL", "smtp://localhost:25")
EMAIL_BACKEND = mail_server["EMAIL_BACKEND"]
EMAIL_HOST, EMAIL_PORT = mail_server.get("EMAIL_HOST") or "localhost", mail_server.get("EMAIL_PORT") or 25
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = (mail_server.get(f"EMAIL_HOST_{name}") or "" for name in ("USER", "PASSWORD"))
EMAIL_FILE_PATH = mail_server.get("EMAIL_FILE_PATH") or None
EMAIL_USE_TLS, EMAIL_USE_SSL = (mail_server.get(f"EMAIL_USE_{name}", False) for name in ("TLS", "SSL"))
EMAIL_TIMEOUT = 10  # seconds
DEFAULT_FROM_EMAIL = SERVER_EMAIL = text("ALERT_MAIL_FROM", "Lab Portal <labportal@localhost>")
ALERT_MAIL_TO = environment.recipients("ALERT_MAIL_TO")
ALERT_HOLD = number("ALERT_HOLD", 60, least=1, most=3600)  # seconds that a trouble, or its end, lasts before it is told
ALERT_WEBHOOK_URL = web_address("ALERT_WEBHOOK_URL", loopback_only=True)
ALERT_WEBHOOK_SECRET = secret("ALERT_WEBHOOK_SECRET", "")

# The API: how many calls a token may make in a minute, of each web process; and whether tokens of staff may have the
# rights of staff, if they say so.
API_CALLS_PER_MINUTE = number("API_CALLS_PER_MINUTE", 600, least=1, most=100_000)
API_STAFF_TOKENS = truth("API_STAFF_TOKENS", default=False)

# What Prometheus has to say to read /metrics; empty: there are none.
METRICS_TOKEN = secret("METRICS_TOKEN", "")

INSTALLED_APPS = [
    "labportal",
    "auditlog",
    "accounts",
    "clusters",
    "vms",
    "classes",
    "labportal.administration.apps.Administration",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "encrypted_model_fields",
    "django_htmx",
    "csp",
    "axes",
    "django_tasks",
    "django_tasks_db",
    *(["django_rq"] if REDIS_URL else []),
]

MIDDLEWARE = [
    "csp.middleware.CSPMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "labportal.middleware.tls_is_seen",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "labportal.middleware.no_token_in_url",
    "labportal.middleware.database_first",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "labportal.middleware.audit_trail",
    "labportal.middleware.personal_settings",
    "accounts.first_passwords.insist",
    "labportal.middleware.cluster_registry",
    "axes.middleware.AxesMiddleware",
    "accounts.sign_in.refusals.RefusalPages",
]

ROOT_URLCONF = "labportal.urls"
ASGI_APPLICATION = "labportal.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "labportal.context.portal",
            ],
        },
    },
]

# Database: SQLite beside manage.py, or PostgreSQL by DATABASE_URL.
DATABASE_TIMEOUT = 2  # seconds to wait for a PostgreSQL connection, so that an outage is an answer and not a hang
# Whether statements are prepared: "auto" not through a pooler, which may lose them or take one for another.
DATABASE_PREPARE = text("DATABASE_PREPARE", "auto").lower()
if DATABASE_PREPARE not in {"auto", "on", "off"}:
    raise ImproperlyConfigured(f"DATABASE_PREPARE must be auto, on or off, not {DATABASE_PREPARE!r}.")
DATABASES: dict[str, dict[str, Any]] = {
    "default": environment.database("DATABASE_URL", f"sqlite:///{quote(str(BASE_DIR / 'lab_portal.db'))}")
}
database = DATABASES["default"]
if database["ENGINE"] == "django.db.backends.sqlite3":
    # To open a connection costs as much as a page's queries. For how long (seconds) a replaced file goes unnoticed.
    database["CONN_MAX_AGE"] = 60
    # Readers never wait for a writer, writers queue instead of failing, and a commit survives a power cut.
    database["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 5,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }
elif database["ENGINE"] == "django.db.backends.postgresql":
    database["CONN_HEALTH_CHECKS"] = True
    database.setdefault("OPTIONS", {}).update(
        connect_timeout=DATABASE_TIMEOUT,
        server_side_binding=True,
        prepare_threshold=None if DATABASE_PREPARE == "off" else 3,
        pool={"min_size": 1, "max_size": 40, "timeout": DATABASE_TIMEOUT, "reconnect_timeout": 10},
    )
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# People.
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "accounts.lockout.RecheckingBackend",
    "accounts.backends.OutsideBackend",
    "accounts.sign_in.directories.DirectoryBackend",
]
PASSWORD_HASHERS = [
    "accounts.hashers.CappedArgon2PasswordHasher",
    "accounts.hashers.CappedScryptPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "vms-list"
LOGOUT_REDIRECT_URL = "login"

# Five wrong passwords lock this name at this address for a quarter of an hour, and nobody else:
# a class shares one address.
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_HANDLER = "accounts.lockout.Handler"
AXES_CLIENT_IP_CALLABLE = "accounts.lockout.client_address"
AXES_USERNAME_CALLABLE = "accounts.lockout.known_username"
AXES_LOCKOUT_TEMPLATE = "registration/locked.html"
AXES_DISABLE_ACCESS_LOG = True
AXES_VERBOSE = False
AXES_ENABLE_ADMIN = False  # accounts.admin shows what an administrator needs: who is locked

AUDITLOG_DISABLE_REMOTE_ADDR = False
AUDITLOG_MASK_CALLABLE = "accounts.audit.mask"
AUDITLOG_USE_FK_STRING_REPRESENTATION = True  # names and not numbers

# The browser.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 12 * 60 * 60  # seconds: a school day
SESSION_EXPIRE_AT_BROWSER_CLOSE = True  # the next class sits at the same computers
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = not LOOPBACK_ONLY
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz)$"]
# HSTS speaks for this host alone: other names of its domain, and browsers' lists, are not the portal's to decide on.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
if LOOPBACK_ONLY:  # what `check --deploy` misses here is for portals that others reach
    SILENCED_SYSTEM_CHECKS += ["security.W004", "security.W008", "security.W012", "security.W016"]
SECURE_HSTS_SECONDS = 0 if LOOPBACK_ONLY else 31536000
CSRF_FAILURE_VIEW = "labportal.errors.csrf_failure"
DEFAULT_EXCEPTION_REPORTER_FILTER = "labportal.errors.WithoutValues"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "labportal" / "assets"]
# Browsers keep for good what has a hash in its name, and other people's code, which has its version in the folder's
# name: its modules import one another by name, so a hash in the names would have to be written into unmodified files.
WHITENOISE_IMMUTABLE_FILE_TEST = r"^/static/vendor/[a-z]+-[0-9.]+(-[0-9]+)?/|^.+\.[0-9a-f]{12}\.[^/]+$"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

# Language and time. Times are stored in UTC and shown in the person's own zone.
LANGUAGES = [("en", "English"), ("es", "Español")]
LANGUAGE_CODE = text("LANGUAGE_CODE", "en")
if LANGUAGE_CODE not in dict(LANGUAGES):
    raise ImproperlyConfigured(f"LANGUAGE_CODE must be one of {', '.join(dict(LANGUAGES))}, not {LANGUAGE_CODE!r}.")
FORMAT_MODULE_PATH = "labportal.formats"
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = text("TIME_ZONE", "UTC")
USE_I18N = USE_TZ = True

LOGGING = logs.LOGGING
