"""System checks of signing in from outside. They read the database, so they run with `check --database default`."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core import checks
from django.core.checks import CheckMessage, Tags, register
from django.db import connection

from accounts.models import SignInSource
from accounts.sign_in import health

Apps = Sequence[AppConfig] | None


@register(Tags.database)
def directories_have_packages(
    app_configs: Apps, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    if not databases or SignInSource._meta.db_table not in connection.introspection.table_names():
        return []
    active = SignInSource.objects.filter(kind=SignInSource.Kind.DIRECTORY, is_active=True)
    names = list(active.values_list("name", flat=True))
    if not names or health.packages_are_installed():
        return []
    hint = (
        "Run: .venv/bin/pip install -r requirements-ldap.txt, for which Debian and Ubuntu need: apt install "
        "libldap-dev libsasl2-dev gcc python3-dev"
    )
    text = f"Nobody can sign in with {', '.join(names)}: the packages for directories are not installed."
    return [checks.Warning(text, hint=hint, id="accounts.W001")]
