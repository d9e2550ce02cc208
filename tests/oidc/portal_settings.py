"""Settings of the portal that Chromium is shown: with its styles."""

from tests.process_settings import *  # noqa: F403

WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = True
