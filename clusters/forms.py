"""The admin's form of a cluster: secrets go in and never come out."""

import hashlib
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from clusters.models import TARGET, Cluster


class SecretInput(forms.PasswordInput):
    """Never rendered with a value, and never filled in by the browser."""

    def __init__(self) -> None:
        super().__init__(render_value=False, attrs={"autocomplete": "new-password", "class": "vTextField"})


class PemField(forms.CharField):
    """A certificate as text. Browsers send other line ends than they were given; that is no change of trust."""

    widget = forms.Textarea(attrs={"class": "vLargeTextField", "spellcheck": "false"})

    def to_python(self, value: Any) -> str:
        return "\n".join(str(super().to_python(value) or "").split("\r\n")).strip()

    def has_changed(self, initial: Any, data: Any) -> bool:
        return self.to_python(initial) != self.to_python(data)


SETTINGS = (
    "cluster_id", "name", "host", "port", "user", "token_id", "verify_ssl", "ca_certificate", "fingerprint",
    "is_active",
)  # fmt: skip


class SeenField(forms.CharField):
    """Comes back with the form to tell what its person saw. It is no setting, so it never counts as changed."""

    def __init__(self) -> None:
        super().__init__(required=False, widget=forms.HiddenInput())

    def has_changed(self, initial: Any, data: Any) -> bool:
        return False


class ClusterForm(forms.ModelForm[Cluster]):
    new_password = forms.CharField(
        label="Password", required=False, strip=False, max_length=4096, widget=SecretInput(), empty_value=""
    )
    new_token_secret = forms.CharField(
        label="API token secret", required=False, max_length=4096, widget=SecretInput(), empty_value=""
    )
    remove_token = forms.BooleanField(
        label="Remove the API token", required=False, help_text="The cluster then uses user and password."
    )
    seen = SeenField()

    class Meta:
        model = Cluster
        field_classes = {"ca_certificate": PemField}
        fields = SETTINGS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kept = "One is stored. Leave this empty to keep it."
        if self.instance.password:
            self.fields["new_password"].help_text = kept
        if self.instance.token_secret:
            self.fields["new_token_secret"].help_text = kept
        self.initial["seen"] = self._digest() if self.instance.pk else ""

    def _digest(self) -> str:
        """Tells one state of the settings from another. The default is none of them: it has an action of its own."""
        shown = [getattr(self.instance, name) for name in (*SETTINGS, "credential_version")]
        return hashlib.sha256(repr(shown).encode()).hexdigest()

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("remove_token"):
            data["token_id"] = data["new_token_secret"] = ""
        if data.get("seen") and self.instance.pk and data["seen"] != self._digest():
            raise ValidationError(
                "Somebody else changed this cluster meanwhile. Open the page again; nothing was saved."
            )
        self._check_token(data)
        self._check_present(data)
        self._check_target(data)
        return data

    def _check_token(self, data: dict[str, Any]) -> None:
        stored = bool(self.instance.token_secret) and not data.get("remove_token")
        if data.get("token_id") and not data.get("new_token_secret") and not stored:
            self.add_error("new_token_secret", "Enter the secret that belongs to this token.")
        if not data.get("token_id") and (data.get("new_token_secret") or stored) and "token_id" not in self.errors:
            self.add_error("token_id", "Enter the ID of this token, or remove the token with the box below.")

    def _check_present(self, data: dict[str, Any]) -> None:
        password = data.get("new_password") or self.instance.password
        token = data.get("new_token_secret") or (self.instance.token_secret and not data.get("remove_token"))
        if not password and not token and not self.errors:
            self.add_error("new_password", "Enter a password or an API token: the portal has to log in with something.")

    def _check_target(self, data: dict[str, Any]) -> None:
        """A stored secret is not sent to a new place, or on a new certificate's word, without being entered again."""
        moved = [
            name for name in TARGET if name in self.changed_data and not (name == "token_id" and not data.get(name))
        ]
        if self.instance.pk is None or not moved:
            return
        labels = ", ".join(str(self.fields[name].label) for name in moved)
        text = f"You changed where the credential is sent or what vouches for the receiver ({labels}). Enter it again."
        if self.instance.password and not data.get("new_password"):
            self.add_error("new_password", ValidationError(text, code="again"))
        if self.instance.token_secret and data.get("token_id") and not data.get("new_token_secret"):
            self.add_error("new_token_secret", ValidationError(text, code="again"))

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        data = self.cleaned_data
        if data.get("new_password"):
            self.instance.password = data["new_password"]
        if data.get("new_token_secret"):
            self.instance.token_secret = data["new_token_secret"]
        if data.get("remove_token"):
            self.instance.token_secret = None  # type: ignore[assignment]
