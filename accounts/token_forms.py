"""The form that creates a personal token."""

from datetime import timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth import authenticate
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts import tokens
from accounts.models import ApiToken, User
from accounts.models.api import validate_networks
from accounts.printable import validate_printable_line

MOST_DAYS = ApiToken.LONGEST.days
RIGHTS = [
    ("read", _("Read: lists, states, history")),
    ("write", _("Write: start, shut down, save snapshots, change classes")),
    ("destroy", _("Destroy: force off, revert, delete, remove")),
]


class TokenForm(forms.Form):
    """A person who has a password enters it again: unattended computers must not make tokens."""

    name = forms.CharField(
        label=_("Name"),
        max_length=60,
        validators=[validate_printable_line],
        help_text=_("What uses it, like “Ansible on my laptop”."),
    )
    rights = forms.MultipleChoiceField(
        label=_("Rights"), choices=RIGHTS, initial=["read"], widget=forms.CheckboxSelectMultiple
    )
    scope = forms.ChoiceField(label=_("For"), required=False)
    days = forms.IntegerField(
        label=_("Valid for (days)"), min_value=1, max_value=MOST_DAYS, initial=ApiToken.LASTS.days
    )
    networks = forms.CharField(
        label=_("Only from these networks"),
        max_length=1000,
        required=False,
        validators=[validate_networks],
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
        help_text=_("Like 192.0.2.0/24, one per line. Empty: from everywhere."),
    )
    as_staff = forms.BooleanField(
        label=_("With my rights as staff"),
        required=False,
        help_text=_("Without this, the token reaches only what is yours as a student or teacher."),
    )
    password = forms.CharField(
        label=_("Your password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def __init__(self, *args: Any, request: HttpRequest, owner: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request, self.owner = request, owner
        scope = self.fields["scope"]
        assert isinstance(scope, forms.ChoiceField)  # noqa: S101 - for the type checker
        scope.choices = tokens.scope_choices(owner)
        if not (owner.is_staff and settings.API_STAFF_TOKENS):
            del self.fields["as_staff"]
        if not owner.has_usable_password():
            del self.fields["password"]

    def clean_password(self) -> str:
        password = str(self.cleaned_data["password"])
        if authenticate(self.request, username=self.owner.get_username(), password=password) != self.owner:
            raise forms.ValidationError(gettext("This is not your password."))
        return password

    def save(self) -> tuple[ApiToken, str] | None:
        """The token, and its text, to be shown once. None, with an error, when the person has too many."""
        data = self.cleaned_data
        kind, _colon, pk = data["scope"].partition(":")
        try:
            return tokens.create(
                self.owner,
                name=data["name"],
                **{f"may_{right}": right in data["rights"] for right, _label in RIGHTS},
                as_staff=data.get("as_staff", False),
                scope=kind,
                scope_pk=int(pk) if pk else None,
                scope_name=self._scope_name(data["scope"]),
                networks="\n".join(data["networks"].replace(",", " ").split()),
                expires_at=timezone.now() + timedelta(days=data["days"]),
            )
        except tokens.TooMany:
            self.add_error(None, gettext("You have %(most)d tokens. Revoke one first.") % {"most": tokens.MOST})
            return None

    def _scope_name(self, chosen: str) -> str:
        things = [one for _kind, found in tokens.scope_choices(self.owner) if isinstance(found, list) for one in found]
        return next((str(name)[:150] for value, name in things if value == chosen), "")
