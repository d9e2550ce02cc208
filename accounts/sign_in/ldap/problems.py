"""What is wrong with a directory, in words, from an error of the library. Nothing of a person's is in it."""

import ldap

from accounts.sentences import say
from accounts.stored_messages import Message

_CODES = {
    ldap.SERVER_DOWN: "sign-in-no-answer",
    ldap.CONNECT_ERROR: "sign-in-no-answer",
    ldap.TIMEOUT: "sign-in-no-answer",
    ldap.UNAVAILABLE: "sign-in-no-answer",
    ldap.BUSY: "sign-in-no-answer",
    ldap.INVALID_CREDENTIALS: "sign-in-reader-refused",
    ldap.INAPPROPRIATE_AUTH: "sign-in-reader-refused",
    ldap.INVALID_DN_SYNTAX: "sign-in-base-missing",
    ldap.NO_SUCH_OBJECT: "sign-in-base-missing",
    ldap.FILTER_ERROR: "sign-in-filter-wrong",
    ldap.SIZELIMIT_EXCEEDED: "sign-in-cut",
    ldap.ADMINLIMIT_EXCEEDED: "sign-in-cut",
    ldap.TIMELIMIT_EXCEEDED: "sign-in-cut",
    ldap.INSUFFICIENT_ACCESS: "sign-in-may-not-read",
}


def of(error: ldap.LDAPError) -> Message:
    if reason := getattr(error, "reason", ""):
        return say("sign-in-untrusted", reason=reason)
    code = _CODES.get(type(error))
    return say(code) if code else say("sign-in-directory-error", error=type(error).__name__)
