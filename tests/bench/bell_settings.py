"""Settings of the bell's processes: like other processes of tests, but passwords cost what they cost in real use."""

from labportal.settings import LOGGING as SAID
from labportal.settings import PASSWORD_HASHERS as REAL
from tests.process_settings import *  # noqa: F403

PASSWORD_HASHERS = REAL
LOGGING = SAID | {"loggers": {**SAID["loggers"], "axes": {"level": "ERROR"}, "clusters": {"level": "WARNING"}}}
