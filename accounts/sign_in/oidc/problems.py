"""What can go wrong on the way to a provider and back, as a code and a sentence, and what a test of the way says."""

from collections.abc import Mapping

from django.utils.translation import gettext_noop

from accounts import stored_messages
from accounts.stored_messages import Message, say

# By code: what happened and what to do next.
SENTENCES: Mapping[str, str] = {
    # Of the person, or of the browser.
    "cancelled": gettext_noop("You cancelled signing in at %(label)s. Nothing was changed."),
    "state-gone": gettext_noop(
        "This sign-in is no longer open. It was loaded a second time, it was begun in another browser, or it took "
        "longer than 10 minutes. Begin again."
    ),
    "done-already": gettext_noop("This sign-in is already complete: you went back to its address, or loaded it again."),
    "other-person": gettext_noop("Somebody else logged in to the portal in this browser meanwhile. Begin again."),
    "not-asked-again": gettext_noop(
        "%(label)s did not ask for your password again, and this portal wants that. Begin again."
    ),
    "too-often": gettext_noop("Too many sign-ins from your network failed. Wait 5 minutes, then begin again."),
    "busy": gettext_noop("Many people are signing in right now. Wait a few seconds, then begin again."),
    # Of the connection.
    "not-https": gettext_noop("%(label)s has an address without https, so the portal does not use it: %(host)s."),
    "address-refused": gettext_noop("%(host)s leads to an address that the portal does not ask."),
    "no-name": gettext_noop("There is no address for the name %(host)s."),
    "refused": gettext_noop("%(host)s refuses connections."),
    "timed-out": gettext_noop("%(host)s did not answer in time."),
    "unreachable": gettext_noop("%(host)s cannot be reached."),
    "certificate": gettext_noop("The certificate of %(host)s is not trusted: %(why)s."),
    "too-large": gettext_noop("%(host)s sent more than the portal reads."),
    "status": gettext_noop("%(host)s answered with HTTP %(status)s."),
    "not-json": gettext_noop("%(host)s sent something else than JSON."),
    # Of the provider.
    "provider-error": gettext_noop("%(label)s could not sign you in. It says: %(error)s."),
    "no-discovery": gettext_noop("%(host)s has no complete OpenID Connect configuration: %(missing)s is missing."),
    "issuer-differs": gettext_noop("The configuration of %(label)s is that of another issuer, %(found)s."),
    "no-keys": gettext_noop("%(label)s has no keys that the portal can use."),
    "code-refused": gettext_noop("%(label)s did not accept the portal's request. It says: %(error)s."),
    "no-id-token": gettext_noop("%(label)s did not say who you are: there is no ID token in its answer."),
    "algorithm": gettext_noop("%(label)s signs with %(algorithm)s, which is not allowed here."),
    "unknown-key": gettext_noop("%(label)s signed with a key that it does not publish."),
    "signature": gettext_noop("The signature of %(label)s is wrong."),
    "malformed": gettext_noop("%(label)s sent an answer that does not follow the standard (%(claim)s)."),
    "foreign-issuer": gettext_noop("The answer is from another issuer than %(label)s."),
    "foreign-audience": gettext_noop("The answer of %(label)s is for another application than this portal."),
    "nonce": gettext_noop("The answer of %(label)s belongs to another sign-in. Begin again."),
    "clock-ahead": gettext_noop(
        "The clock of %(label)s is %(seconds)s seconds ahead of the portal's. One of them is wrong."
    ),
    "clock-behind": gettext_noop(
        "The answer of %(label)s expired %(seconds)s seconds ago: its clock is behind the portal's, or it took too "
        "long."
    ),
    "subject-differs": gettext_noop(
        "%(label)s named two different people in one sign-in, so the portal lets nobody in."
    ),
}

# By code: what the test of the connection says.
TEST_SENTENCES: Mapping[str, str] = {
    "redirect": gettext_noop("Redirect address"),
    "register": gettext_noop("Register this at the provider: %(address)s"),
    "after-sign-out": gettext_noop("Address after signing out"),
    "portal-address": gettext_noop("the portal's address, then %(path)s"),
    "name": gettext_noop("Name"),
    "connection": gettext_noop("Connection"),
    "certificate": gettext_noop("Certificate"),
    "until": gettext_noop("valid until %(day)s"),
    "no-tls": gettext_noop("This provider is on the portal's own machine and uses no TLS."),
    "configuration": gettext_noop("Configuration"),
    "issuer": gettext_noop("Issuer"),
    "clock": gettext_noop("Clock"),
    "clock-ahead": gettext_noop("The provider's clock is %(seconds)s seconds ahead of the portal's."),
    "clock-behind": gettext_noop("The provider's clock is %(seconds)s seconds behind the portal's."),
    "clock-unknown": gettext_noop("The provider does not tell the time."),
    "keys": gettext_noop("Keys"),
    "keys-for": gettext_noop("%(number)s keys, for %(algorithms)s"),
    "keys-for-nothing": gettext_noop("None of its keys fits the algorithms that are allowed here."),
    "client": gettext_noop("Client ID and secret"),
    "client-well": gettext_noop("The provider does not object to them."),
    "client-unknown": gettext_noop("The provider does not say whether they are right (%(error)s)."),
    "client-refused": gettext_noop("The provider refuses them: %(error)s"),
}

stored_messages.register({f"oidc-{code}": text for code, text in SENTENCES.items()})
stored_messages.register({f"oidc-test-{code}": text for code, text in TEST_SENTENCES.items()})

# HTTP statuses other than 400.
STATUS = {
    "too-often": 429, "busy": 503, "no-name": 503, "refused": 503, "timed-out": 503, "unreachable": 503,
    "certificate": 503, "too-large": 503, "status": 503, "not-json": 503, "no-discovery": 503, "issuer-differs": 503,
    "no-keys": 503, "not-https": 503, "address-refused": 503,
}  # fmt: skip


class Problem(Exception):
    """A sign-in that ended before it let somebody in.

    The parameters are shown to people and written into the log: no code, token or secret is ever one of them.
    """

    def __init__(self, code: str, **parameters: object) -> None:
        super().__init__(code)
        self.code = code
        self.parameters = parameters

    def again(self) -> "Problem":
        """The same for somebody else, without the traceback of the first."""
        return Problem(self.code, **self.parameters)

    @property
    def status(self) -> int:
        return STATUS.get(self.code, 400)

    def sentence(self, label: str) -> Message:
        """`label` is what people call the provider."""
        return say(f"oidc-{self.code}", label=label, **self.parameters)
