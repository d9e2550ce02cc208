"""The migrations make the tables that the models want."""

import pytest
from django.core.management import call_command

pytestmark = pytest.mark.django_db


def test_none_is_missing():
    call_command("makemigrations", check_changes=True, dry_run=True, verbosity=0)
