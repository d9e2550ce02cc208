"""What warm.py runs before anything else, for the database that it leaves behind."""

import pytest


@pytest.mark.django_db
def test_nothing() -> None:
    """To have had a database is enough."""
