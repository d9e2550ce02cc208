"""A person's own settings, and the form of every table that is uploaded or pasted."""

import zoneinfo
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.forms import PasswordChangeForm
from django.forms.widgets import Script
from django.utils.functional import lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts import first_passwords, spreadsheet
from accounts.models import User


class OwnPasswordForm(PasswordChangeForm):
    def clean_new_password1(self) -> str:
        new = str(self.cleaned_data.get("new_password1", ""))
        if new and self.user.check_password(new):
            raise forms.ValidationError(gettext("This is your current password. Choose another one."))
        return new

    def save(self, commit: bool = True) -> User:
        """Writes the password alone, and in the place of the old one. Raises `first_passwords.Changed`."""
        seen = first_passwords.state(self.user)
        super().save(commit=False)
        self.user.must_change_password = False
        if commit:
            first_passwords.store(self.user, seen=seen)
        return self.user


def languages() -> list[Any]:
    """The languages that a person may choose, with what holds without a choice."""
    return [("", _("Browser default")), *settings.LANGUAGES]


# Time zones of other names, like US/Eastern, are aliases. Who has one keeps it.
REGIONS = {
    "Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific",
}  # fmt: skip


def time_zones() -> list[Any]:
    """The time zones that a person may choose, with what holds without a choice."""
    portals = _("Portal default (%(zone)s)") % {"zone": settings.TIME_ZONE}
    places = [name for name in sorted(zoneinfo.available_timezones()) if name.partition("/")[0] in REGIONS]
    return [("", portals), ("UTC", "UTC"), *((name, name.replace("_", " ")) for name in places)]


def with_stored(choices: list[Any], stored: str | None) -> list[Any]:
    """The choices and the stored value, which may be one that is no longer offered."""
    return choices if not stored or stored in dict(choices) else [*choices, (stored, stored)]


class ProfileForm(forms.ModelForm[User]):
    language = forms.ChoiceField(label=_("Language"), required=False)
    time_zone = forms.ChoiceField(label=_("Time zone"), required=False)

    class Meta:
        model = User
        fields = ("language", "time_zone", "theme")
        labels = {"theme": _("Colours")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._choose_from("language", languages())
        self._choose_from("time_zone", time_zones())
        self.fields["theme"].help_text = _("System follows the setting of your device.")

    def _choose_from(self, name: str, choices: list[Any]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - for the type checker
        field.choices = with_stored(choices, self.initial.get(name))


class Upload(forms.FileInput):
    """A file, whose size the page can tell before it is sent: a proxy in front may refuse it without a word."""

    class Media:
        js = [Script("portal/upload.js", defer=True)]

    def __init__(self, *, most_bytes: int) -> None:
        told = lazy(spreadsheet.too_large, str)(most_bytes)
        super().__init__({"data-most-bytes": most_bytes, "data-too-large": told})


class TableForm(forms.Form):
    """A table as a file or as text, not both. `text_help` says what its lines are."""

    text_help: Any = ""

    upload = forms.FileField(label=_("CSV file"), required=False, widget=Upload(most_bytes=spreadsheet.MOST_BYTES))
    text = forms.CharField(
        label=_("Or paste it"),
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["text"].help_text = self.text_help

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        upload, text = data.get("upload"), data.get("text") or ""
        if bool(upload) == bool(text.strip()):
            raise forms.ValidationError(gettext("Choose a file or paste its text, not both."))
        try:
            data["table"] = spreadsheet.decode(upload.read(spreadsheet.MOST_BYTES + 1)) if upload else text
        except spreadsheet.Unreadable as error:
            self.add_error("upload", str(error))
        return data

    @property
    def table(self) -> str:
        return str(self.cleaned_data["table"])

    @property
    def source_field(self) -> str:
        """The field at which an error in the table is shown."""
        return "upload" if self.cleaned_data.get("upload") else "text"
