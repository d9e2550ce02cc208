from collections.abc import Iterator

import pytest

from accounts.models import Provider, SignInRule
from accounts.sign_in import throttle
from accounts.sign_in.oidc import discovery
from tests.accounts.oidc import small_provider
from tests.accounts.oidc.small_provider import CLIENT, SECRET, SmallProvider


@pytest.fixture
def there() -> Iterator[SmallProvider]:
    """A provider that does everything right, until it is told otherwise."""
    with small_provider.running() as provider:
        yield provider


@pytest.fixture(autouse=True)
def _nothing_kept() -> None:
    discovery.forget()
    throttle.forget()


def described(there: SmallProvider, **changes: object) -> Provider:
    """As the admin would save it."""
    told = {
        "name": "school", "label": "School account", "issuer": there.issuer, "client_id": CLIENT, "secret": SECRET,
        "is_active": True, "allowed_algorithms": "RS256 ES256 PS256 EdDSA", **changes,
    }  # fmt: skip
    return Provider(kind="provider", **told)


@pytest.fixture
def source(there: SmallProvider) -> Provider:
    """Not saved: for what needs no database."""
    return described(there)


@pytest.fixture
def school(there: SmallProvider, db: None) -> Provider:
    """Everybody of it may come in."""
    found = described(there)
    found.save()
    SignInRule.objects.create(source=found, on="everyone", gives="entry")
    return found
