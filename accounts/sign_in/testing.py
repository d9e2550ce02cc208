"""The connection test of a source: line by line what works and what does not, without signing anybody in."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from typing import Any

from django.utils import timezone

from accounts import stored_messages
from accounts.models import SignInSource
from accounts.sentences import say
from accounts.sign_in import health, syntax
from accounts.sign_in.facts import OutsidePerson

OK, BAD, NOT_ASKED = "ok", "bad", "not_asked"

# What asks the sources themselves is loaded when it is needed: a package may be missing.
MODULES = {
    SignInSource.Kind.DIRECTORY: "accounts.sign_in.ldap.testing",
    SignInSource.Kind.PROVIDER: "accounts.sign_in.oidc.testing",
}


@dataclass(frozen=True)
class TestLine:
    """One step. `state` is OK, BAD, or NOT_ASKED where an earlier step failed; `what` names it, `sentence` says more.

    Both are messages made by `say`, or names and figures. What the step learned of the certificate and the clock
    (seconds that the source is ahead) is kept for `doctor`.
    """

    __test__ = False  # it is no test of pytest

    state: str
    what: str
    sentence: str = ""
    certificate_ends_at: datetime | None = None
    clock_offset: float | None = None

    @property
    def shown_what(self) -> str:
        return stored_messages.render(self.what)

    @property
    def shown_sentence(self) -> str:
        return stored_messages.render(self.sentence)


def run(source: SignInSource, typed: str = "") -> list[TestLine]:
    """Ask the source, active or not. `typed` is a name as a person would type it, for directories. Stores nothing."""
    if source.kind == SignInSource.Kind.HEADER:
        return _header(source)
    module = _module(source)
    if module is None:
        return [TestLine(BAD, say("sign-in-test-packages"), say("sign-in-packages-needed"))]
    asked = (source, typed) if source.kind == SignInSource.Kind.DIRECTORY else (source,)
    lines: list[TestLine] = module.test(*asked)
    return lines


def run_and_record(source: SignInSource, typed: str = "") -> list[TestLine]:
    """Test what is stored, and keep the result for the list of sources, `doctor` and the numbers of the index."""
    lines = run(source, typed)
    health.record_test(source, lines, now=timezone.now())
    return lines


def works(lines: Sequence[TestLine]) -> bool:
    return all(line.state != BAD for line in lines)


def find(source: SignInSource, typed: str) -> OutsidePerson | None:
    """Who a directory knows by this name, with groups and without a password. None: nobody, or it cannot be asked."""
    module = _module(source)
    found: OutsidePerson | None = getattr(module, "find", _nobody)(source, typed)
    return found


def can_find(source: SignInSource) -> bool:
    """Whether people can be looked up there by their name. Providers tell of a person only when they sign in."""
    return source.kind == SignInSource.Kind.DIRECTORY and hasattr(_module(source), "find")


def _nobody(source: SignInSource, typed: str) -> None:
    return None


def _module(source: SignInSource) -> Any:
    name = MODULES.get(SignInSource.Kind(source.kind))
    try:
        return import_module(name) if name else None
    except ModuleNotFoundError:
        return None


def _header(source: SignInSource) -> list[TestLine]:
    """There is nobody to ask: the settings alone can be looked at."""
    networks = syntax.lines(source.proxies)
    proxies = (OK, ", ".join(networks)) if networks else (BAD, say("sign-in-test-no-proxy"))
    header = (OK, source.header_name) if source.header_name else (BAD, say("sign-in-test-no-header"))
    return [
        TestLine(header[0], say("sign-in-test-header"), header[1]),
        TestLine(proxies[0], say("sign-in-test-proxies"), proxies[1]),
    ]
