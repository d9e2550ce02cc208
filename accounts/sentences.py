"""Messages about people and their sign-in, by the codes under which they are stored."""

from django.utils.translation import gettext_noop

from accounts import stored_messages
from accounts.stored_messages import say

__all__ = ["say"]

stored_messages.register(
    {
        "credential-unreadable": gettext_noop(
            "A stored credential cannot be decrypted with FIELD_ENCRYPTION_KEY. Add the key that encrypted it after "
            "the current one, or enter the credential again."
        ),
        # Signing in from outside: how it ended.
        "sign-in-allowed": gettext_noop("This person may sign in."),
        "sign-in-groups-incomplete": gettext_noop(
            "This person may sign in. The list of groups was not complete, so roles and classes stay as they are."
        ),
        "sign-in-no-entry-rule": gettext_noop(
            "Nobody can sign in here yet: no rule says who may. An administrator can add one."
        ),
        "sign-in-not-allowed": gettext_noop(
            "Your school account is not among those that may use this portal. Ask the lab's administrators."
        ),
        "sign-in-groups-unknown": gettext_noop(
            "The list of your groups did not arrive complete, so the portal cannot tell whether you may sign in. Try "
            "again, or ask the lab's administrators."
        ),
        "sign-in-no-subject": gettext_noop(
            "The school's system did not say who you are. Ask the lab's administrators."
        ),
        "sign-in-source-inactive": gettext_noop("This way to sign in is switched off."),
        "sign-in-inactive": gettext_noop("Your account in this portal is deactivated. Ask the lab's administrators."),
        "sign-in-no-accounts-made": gettext_noop(
            "You have no account in this portal yet. Ask the lab's administrators for one."
        ),
        "sign-in-bad-name": gettext_noop(
            "“%(name)s” cannot be a user name here. Ask the lab's administrators for an account."
        ),
        "sign-in-name-taken": gettext_noop(
            "There is already an account with the user name %(name)s. If it is yours, log in with its own password "
            "and join it with your school account on your profile; otherwise ask the lab's administrators."
        ),
        "header-not-from-proxy": gettext_noop(
            "%(label)s works only by way of the school's own address of the portal, where its proxy signs people in."
        ),
        "header-peer-unknown": gettext_noop(
            "The portal cannot tell who connects to it, so no header counts: it has to be started by bin/serve. Tell "
            "the lab's administrators."
        ),
        "header-nobody": gettext_noop("The school's proxy named nobody. Sign in there first, then try again."),
        "header-twice": gettext_noop(
            "The school's proxy named more than one person, so the portal lets nobody in. Tell the lab's "
            "administrators."
        ),
        "sign-in-closed-disabled": gettext_noop("Your school account is disabled. Ask your school."),
        "sign-in-closed-expired": gettext_noop("Your school account has expired. Ask your school."),
        "sign-in-closed-locked": gettext_noop(
            "Your school account is locked, perhaps after wrong passwords. Wait a while, or ask your school."
        ),
        "sign-in-closed-must_change_password": gettext_noop(
            "You have to change the password of your school account first, for instance at a school computer. Then "
            "sign in here."
        ),
        "sign-in-joined-with-another": gettext_noop(
            "This school account is already joined with another account of the portal."
        ),
        "sign-in-joined-otherwise": gettext_noop(
            "This account is already joined with another school account of the same source."
        ),
        # Tests of the connection, and what is known of a source.
        "sign-in-packages-needed": gettext_noop(
            "The packages for directories are not installed. Run: .venv/bin/pip install -r requirements-ldap.txt"
        ),
        "sign-in-test-packages": gettext_noop("Packages"),
        "sign-in-test-header": gettext_noop("Header"),
        "sign-in-test-no-header": gettext_noop("Enter the name of the header."),
        "sign-in-test-proxies": gettext_noop("Proxies"),
        "sign-in-test-no-proxy": gettext_noop("Enter the proxy's address: the header counts from there alone."),
        "sign-in-test-passed": gettext_noop("The connection works."),
        "sign-in-test-failed": gettext_noop("%(what)s: %(sentence)s"),
        "sign-in-health-well": gettext_noop("No problem is known."),
        "sign-in-health-never-asked": gettext_noop("It is active and was never asked. Test the connection."),
        "sign-in-health-failing": gettext_noop("The last attempt failed. %(problem)s"),
        "sign-in-health-nobody": gettext_noop("No rule lets anybody in. Add one."),
        "sign-in-health-certificate-ended": gettext_noop("Its certificate ended on %(day)s. Renew it."),
        "sign-in-health-certificate-ends": gettext_noop("Its certificate ends on %(day)s. Renew it before that."),
        "sign-in-health-clock": gettext_noop(
            "Its clock and the portal's differ by %(seconds)s seconds. Synchronize both with NTP."
        ),
        # What somebody would become.
        "sign-in-preview-joined": gettext_noop("Signs in to the account %(name)s."),
        "sign-in-preview-new": gettext_noop("A new account %(name)s is created."),
        "sign-in-preview-none": gettext_noop("No account."),
    }
)
