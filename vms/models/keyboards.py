"""The keyboard layouts of guests that pasted text can be typed with, by the names that Proxmox VE has for them."""

from django.db import models
from django.utils.translation import gettext_lazy


class KeyboardLayout(models.TextChoices):
    """Their keys are in `console-layouts.js`."""

    US = "en-us", gettext_lazy("English (US)")
    UK = "en-gb", gettext_lazy("English (UK)")
    SPANISH = "es", gettext_lazy("Spanish")
    GERMAN = "de", gettext_lazy("German")
    FRENCH = "fr", gettext_lazy("French")
    PORTUGUESE = "pt", gettext_lazy("Portuguese")
    ITALIAN = "it", gettext_lazy("Italian")
