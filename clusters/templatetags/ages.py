"""Template filters for ages in words, which never say "0 minutes"."""

from datetime import datetime

from django import template
from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

register = template.Library()


@register.filter
def age(moment: datetime) -> str:
    """The time since a moment in one unit: `under a minute`, `12 minutes`, `3 days`."""
    if (timezone.now() - moment).total_seconds() < 60:
        return _("under a minute")
    return timesince(moment, depth=1)


@register.filter
def ago(moment: datetime) -> str:
    """How long ago, in one unit: `just now`, `12 minutes ago`."""
    if (timezone.now() - moment).total_seconds() < 60:
        return _("just now")
    return _("%(age)s ago") % {"age": age(moment)}
