"""Messages about directories, by the codes under which they are stored."""

from django.utils.translation import gettext_noop

from accounts import stored_messages

stored_messages.register(
    {
        "sign-in-ambiguous": gettext_noop(
            "Several people in the school's directory have this name. Ask the lab's administrators."
        ),
        "sign-in-unknown-there": gettext_noop("The directory knows nobody by the name %(name)s."),
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
        # Keeping up.
        "sign-in-sync-done": gettext_noop("%(listed)s people listed, %(changed)s accounts changed."),
        "sign-in-sync-held": gettext_noop(
            "%(people)s people left or were closed at once, so their accounts wait for your decision. Other changes: "
            "%(changed)s."
        ),
        "sign-in-sync-failed": gettext_noop("Nothing was compared. %(problem)s"),
        "sign-in-health-held": gettext_noop(
            "%(people)s people left or were closed at once. Compare accounts to decide."
        ),
        # The connection test: its steps, and what they found.
        "sign-in-test-server": gettext_noop("Server"),
        "sign-in-test-name": gettext_noop("Name of %(server)s"),
        "sign-in-test-no-such-name": gettext_noop("No address is known for %(name)s. Check the spelling and DNS."),
        "sign-in-test-no-port": gettext_noop("Nothing answers on port %(port)s of %(addresses)s."),
        "sign-in-test-certificate": gettext_noop("Certificate of %(server)s"),
        "sign-in-test-certificate-good": gettext_noop("Issued for %(names)s, valid until %(day)s."),
        "sign-in-test-no-start-tls": gettext_noop("The server refuses StartTLS. Use ldaps:// instead."),
        "sign-in-test-this-machine": gettext_noop("Not encrypted: the server is on this machine."),
        "sign-in-test-bind": gettext_noop("Reader account"),
        "sign-in-test-anonymous": gettext_noop("None: the directory is read anonymously."),
        "sign-in-test-clock": gettext_noop("Clock"),
        "sign-in-test-no-clock": gettext_noop("This directory does not tell its time."),
        "sign-in-test-clock-is": gettext_noop("%(seconds)s seconds ahead of the portal."),
        "sign-in-test-base": gettext_noop("Base DN and referrals"),
        "sign-in-test-referrals": gettext_noop("Found. %(number)s referrals to other servers are not followed."),
        "sign-in-test-no-referral": gettext_noop("Found. It refers to no other server."),
        "sign-in-test-filter": gettext_noop("Filter"),
        "sign-in-test-nobody": gettext_noop("Nobody matches who has the attribute %(attribute)s."),
        "sign-in-test-no-id": gettext_noop(
            "The first person has no attribute %(attribute)s, which has to tell people apart."
        ),
        "sign-in-test-somebody": gettext_noop("It finds people, %(name)s for example."),
        "sign-in-test-person": gettext_noop("Person"),
        "sign-in-test-unknown": gettext_noop("Nobody is called “%(name)s” there, or the filter leaves them out."),
        "sign-in-test-groups": gettext_noop("Groups"),
        "sign-in-test-no-groups": gettext_noop("In no group."),
        "sign-in-test-groups-incomplete": gettext_noop(
            "The list of groups is not complete, so it would change no role. Check the base DN of groups."
        ),
    }
)
