"""The admin's form of a cluster: secrets go in and never come out."""

import hashlib
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_stubs_ext import StrOrPromise

from accounts.encrypted_fields import Secret
from accounts.form_fields import LinesField, PemField, SecretInput, SeenField
from clusters.config import host_and_port, pins, split_token, tidy, token_user
from clusters.models import TARGET, Cluster


class TidyField(forms.CharField):
    """A name as its writer means it: see `tidy`."""

    def to_python(self, value: Any) -> str:
        return tidy(super().to_python(value) or "")

    def has_changed(self, initial: Any, data: Any) -> bool:
        return self.to_python(initial) != self.to_python(data)


class HostField(TidyField):
    """A host, behind which the port may stand: `take_port` tells them apart."""

    def to_python(self, value: Any) -> str:
        text = super().to_python(value)
        host, port = host_and_port(text)
        return text if port else host


def take_port(form: forms.BaseForm) -> None:
    """A port behind the host counts where the field of the port says nothing else. To be called by `clean`."""
    data = form.cleaned_data
    host, port = host_and_port(data.get("host") or "")
    if port is None:
        return
    usual = Cluster._meta.get_field("port").default
    if data.get("port") in {None, port, usual}:
        if data.get("port") != port and "port" not in form.changed_data:
            form.changed_data.append("port")  # what is not in it is not saved, and asks for no credential
        data |= {"host": host, "port": port}
        form.errors.pop("port", None)
    else:
        form.add_error("host", _("This host has port %(port)s, and the field “Port” another one.") % {"port": port})


class PinsField(LinesField):
    """Fingerprints, however they are written, in the one way that they are kept in."""

    def to_python(self, value: Any) -> str:
        text = super().to_python(value)
        try:
            return ", ".join(pins(text)) if text else ""
        except ValidationError:
            return text  # which the field's validator says, too


class TokenField(forms.CharField):
    """A whole API token, which becomes its ID and its secret; None for an empty box."""

    def __init__(self, label: StrOrPromise) -> None:
        super().__init__(
            label=label,
            required=False,
            max_length=4096,
            widget=SecretInput(),
            help_text=gettext_lazy(
                "Paste it as Proxmox VE shows it: portal@pve!labs=01234567-89ab-cdef-0123-456789abcdef."
            ),
        )

    def clean(self, value: Any) -> Any:
        if not (text := super().clean(value)):
            return None
        token_id, secret = split_token(text)
        return token_id, Secret(secret)


SETTINGS = (
    "cluster_id", "name", "host", "port", "addresses", "user", "verify_ssl", "ca_certificate", "fingerprint",
    "is_active", "is_restricted",
)  # fmt: skip

# What the form's boxes for secrets change in the table.
STORED_AS = {
    "new_password": ("password",),
    "remove_password": ("password",),
    "new_token": ("token_id", "token_secret"),
    "remove_token": ("token_id", "token_secret"),
    "new_read_token": ("read_token_id", "read_token_secret"),
    "remove_read_token": ("read_token_id", "read_token_secret"),
}


class ClusterForm(forms.ModelForm[Cluster]):
    new_password = forms.CharField(
        label=gettext_lazy("Password"),
        required=False,
        strip=False,
        max_length=4096,
        widget=SecretInput(),
        empty_value="",
    )
    remove_password = forms.BooleanField(
        label=gettext_lazy("Remove the password"),
        required=False,
        help_text=gettext_lazy("The portal does not use the password when there is an API token."),
    )
    new_token = TokenField(gettext_lazy("Full API token"))
    remove_token = forms.BooleanField(
        label=gettext_lazy("Remove the API token"),
        required=False,
        help_text=gettext_lazy(
            "The portal then logs in with user and password. Enter the password above, even if one is stored."
        ),
    )
    new_read_token = TokenField(gettext_lazy("Full read-only token"))
    remove_read_token = forms.BooleanField(
        label=gettext_lazy("Remove the read-only token"),
        required=False,
        help_text=gettext_lazy("The portal then reads the cluster with the credential above."),
    )
    seen = SeenField()

    class Meta:
        model = Cluster
        field_classes = {
            "host": HostField,
            "user": TidyField,
            "addresses": LinesField,
            "ca_certificate": PemField,
            "fingerprint": PinsField,
        }
        fields = SETTINGS
        # The admin's own text boxes are for texts, and ten lines high.
        widgets = {"addresses": LinesField.widget, "fingerprint": PinsField.widget}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kept = _("A value is stored. Leave this empty to keep it.")
        stored = {
            "new_password": self.instance.password,
            "new_token": self.instance.token_secret,
            "new_read_token": self.instance.read_token_secret,
        }
        for name, secret in stored.items():
            if secret:
                self.fields[name].help_text = kept
        if "user" in self.fields:
            self.fields["user"].required = False
            self.fields["user"].help_text = _("With its realm, like portal@pve. Empty: the token's. Avoid root@pam.")
        self.initial["seen"] = self._digest() if self.instance.pk else ""

    def _digest(self) -> str:
        """Tells one state of the settings from another. The default is none of them: it has an action of its own."""
        names = (*SETTINGS, "token_id", "read_token_id", "credential_version")
        return hashlib.sha256(repr([getattr(self.instance, name) for name in names]).encode()).hexdigest()

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("seen") and self.instance.pk and data["seen"] != self._digest():
            raise ValidationError(
                _("Nothing was saved: somebody else changed this cluster in the meantime. Open the page again.")
            )
        for token in ("token", "read_token"):
            if data.get(f"new_{token}") and data.get(f"remove_{token}"):
                self.add_error(f"remove_{token}", _("Paste a new token or remove the stored one, not both."))
        if data.get("new_password") and data.get("remove_password"):
            self.add_error("remove_password", _("Enter a new password or remove the stored one, not both."))
        take_port(self)
        self._fill_in_user(data)
        self._check_present(data)
        self._check_target(data)
        self._check_unused_password(data)
        return data

    def _keeps(self, token: str, data: dict[str, Any]) -> bool:
        """Whether the stored token stays in use. `token` is what its column begins with."""
        return bool(getattr(self.instance, f"{token}_secret")) and not data.get(f"remove_{token}")

    def _fill_in_user(self, data: dict[str, Any]) -> None:
        if data.get("user") or "user" in self.errors:
            return
        if new := data.get("new_token"):
            data["user"] = token_user(new[0])
        elif self._keeps("token", data):
            data["user"] = token_user(self.instance.token_id)
        elif "new_token" not in self.errors:
            self.add_error("user", _("Enter the user, or paste an API token below."))

    def _sends_password(self, data: dict[str, Any]) -> bool:
        """A token wins over it."""
        return not data.get("new_token") and not self._keeps("token", data) and "new_token" not in self.errors

    def _check_present(self, data: dict[str, Any]) -> None:
        password = data.get("new_password") or (self.instance.password and not data.get("remove_password"))
        if not password and self._sends_password(data) and not self.errors:
            self.add_error(
                "new_password", _("Enter a password or an API token: the portal needs one of them to log in.")
            )

    def _check_target(self, data: dict[str, Any]) -> None:
        """A stored secret is not sent to a new place, or on a new certificate's word, without being entered again."""
        moved = [name for name in TARGET if name in self.changed_data and data.get(name) != self.initial.get(name)]
        if self.instance.pk is None or not moved:
            return
        labels = ", ".join(str(self.fields[name].label) for name in moved)
        text = _(
            "You changed where the credential is sent or how the cluster is verified (%(labels)s). Enter the "
            "credential again."
        ) % {"labels": labels}
        if self.instance.password and not data.get("new_password") and self._sends_password(data):
            self.add_error("new_password", ValidationError(text, code="again"))
        for token in ("token", "read_token"):
            if self._keeps(token, data) and not data.get(f"new_{token}") and f"new_{token}" not in self.errors:
                self.add_error(f"new_{token}", ValidationError(text, code="again"))

    def _check_unused_password(self, data: dict[str, Any]) -> None:
        """While a token was used, the cluster may have moved without anybody entering the stored password again."""
        kept = self.instance.password and not data.get("new_password") and "new_password" not in self.errors
        if kept and self.instance.token_secret and self._sends_password(data):
            text = _("Without the token the portal logs in with the password. Enter the password again.")
            self.add_error("new_password", ValidationError(text, code="again"))

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        data = self.cleaned_data
        if data.get("remove_password"):
            self.instance.password = None  # type: ignore[assignment]
        if data.get("new_password"):
            self.instance.password = data["new_password"]
        for token in ("token", "read_token"):
            if data.get(f"remove_{token}"):
                self._set(token, "", None)
            elif new := data.get(f"new_{token}"):
                self._set(token, *new)

    def _set(self, token: str, token_id: str, secret: Secret | None) -> None:
        setattr(self.instance, f"{token}_id", token_id)
        setattr(self.instance, f"{token}_secret", secret)
