"""Messages about directories, by the codes under which they are stored."""

from django.utils.translation import gettext_noop

from accounts import stored_messages

stored_messages.register(
    {
        "sign-in-ambiguous": gettext_noop(
            "Several people in the school's directory have this name. Ask the lab's administrators."
        ),
        # Why a directory cannot be asked: for administrators.
        "sign-in-no-answer": gettext_noop("The directory is not responding."),
        "sign-in-untrusted": gettext_noop("The certificate of the directory is not trusted: %(reason)s."),
        "sign-in-no-server": gettext_noop("No server is entered."),
        "sign-in-busy": gettext_noop("Too many people are signing in at the same moment."),
        "sign-in-not-encrypted": gettext_noop(
            "The connection to %(server)s is not encrypted, so no password is sent. Use ldaps:// or StartTLS."
        ),
        "sign-in-reader-refused": gettext_noop("The directory refuses the reader account or its password."),
        "sign-in-base-missing": gettext_noop("There is nothing at this base DN, or the reader account cannot see it."),
        "sign-in-filter-wrong": gettext_noop("The directory cannot read the filter."),
        "sign-in-may-not-read": gettext_noop("The reader account is not allowed to read this."),
        "sign-in-cut": gettext_noop("The directory did not give a complete answer, so nothing was changed."),
        "sign-in-nobody-found": gettext_noop("The directory lists nobody, so nothing was changed."),
        "sign-in-directory-error": gettext_noop("The directory answered with an error: %(error)s."),
    }
)
