"""Messages about alerts."""

from django.utils.translation import gettext_noop

from accounts import stored_messages

# What alerts are about.
stored_messages.register(
    {
        "alert-credential": gettext_noop("The cluster rejected the portal's credential. %(how)s"),
        "alert-read-token": gettext_noop("The cluster rejected the portal's read-only token. %(how)s"),
        "enter-valid-one": gettext_noop(
            "Enter a valid one in the cluster's settings. The portal doesn't try again until then."
        ),
        "alert-stale": gettext_noop(
            "The cluster responds, but its list of machines has not been synced for too long. %(why)s"
        ),
        "look-at-worker": gettext_noop("Check that a worker is running, and check its log."),
        "alert-expiry": gettext_noop(
            "The %(told)s. Before that, create a new one on the cluster and enter it in the cluster's settings."
        ),
        "ends-on": gettext_noop("%(name)s expires on %(day)s"),
        "both": gettext_noop("%(one)s and %(other)s"),
        "of-api-token": gettext_noop("API token %(token_id)s"),
        "of-account": gettext_noop("account %(user)s"),
        "of-named-read-only-token": gettext_noop("read-only token %(read_token_id)s"),
    }
)
