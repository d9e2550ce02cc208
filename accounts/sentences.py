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
        "sign-in-closed-disabled": gettext_noop("Your school account is disabled. Ask your school."),
        "sign-in-closed-expired": gettext_noop("Your school account has expired. Ask your school."),
        "sign-in-closed-locked": gettext_noop(
            "Your school account is locked, perhaps after wrong passwords. Wait a while, or ask your school."
        ),
        "sign-in-closed-must_change_password": gettext_noop(
            "You have to change the password of your school account first, for instance at a school computer. Then "
            "sign in here."
        ),
    }
)
