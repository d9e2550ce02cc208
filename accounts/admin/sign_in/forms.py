"""The forms of sources and their rules. A secret goes in and never comes out, and is not sent to a new place."""

from typing import Any, ClassVar
from urllib.parse import urlsplit

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.form_fields import LinesField, PemField, SecretInput
from accounts.models import Directory, Provider, SignInRule, SignInSource, TrustedHeader, rights_of_staff
from accounts.sign_in import syntax

COMMON = ("name", "label", "is_active", "position", "makes_accounts", "username_rule")
LOCAL = {"localhost", "127.0.0.1", "::1"}
ON = SignInRule.On


class SourceForm(forms.ModelForm[Any]):
    """`target` are the fields that say where the secret is sent and who is believed to be there."""

    target: ClassVar[tuple[str, ...]] = ()
    required: ClassVar[tuple[str, ...]] = ()

    new_secret = forms.CharField(
        label=gettext_lazy("Password"),
        required=False,
        strip=False,
        max_length=4096,
        widget=SecretInput(),
        empty_value="",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self.required:
            if name in self.fields:
                self.fields[name].required = True
        if self.instance.secret and "new_secret" in self.fields:
            self.fields["new_secret"].help_text = _("A value is stored. Leave this empty to keep it.")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        moved = [name for name in self.target if name in self.changed_data]
        if self.instance.pk and moved and self.instance.secret and not data.get("new_secret"):
            labels = ", ".join(str(self.fields[name].label) for name in moved)
            text = _("You changed where the secret is sent or who is trusted (%(labels)s). Enter it again.")
            self.add_error("new_secret", ValidationError(text % {"labels": labels}, code="again"))
        return data

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if secret := self.cleaned_data.get("new_secret"):
            self.instance.secret = secret


class DirectoryForm(SourceForm):
    target = ("servers", "start_tls", "ca_certificates")
    required = ("servers", "base_dn", "id_attribute", "name_attribute", "group_attribute")

    class Meta:
        model = Directory
        fields = (
            *COMMON, "servers", "start_tls", "ca_certificates", "timeout_seconds", "bind_dn", "flavour", "base_dn",
            "person_filter", "id_attribute", "name_attribute", "number_attribute", "group_base_dn", "group_attribute",
            "nested",
        )  # fmt: skip
        field_classes = {"servers": LinesField, "ca_certificates": PemField}
        widgets = {"servers": LinesField.widget, "ca_certificates": PemField.widget}

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        addresses = [urlsplit(line) for line in syntax.lines(data.get("servers") or "")]
        plain = [one for one in addresses if one.scheme == "ldap" and one.hostname not in LOCAL]
        if plain and not data.get("start_tls"):
            self.add_error(
                "servers", _("Passwords would travel in the clear. Use ldaps://, or tick StartTLS for ldap://.")
            )
        if data.get("start_tls") and any(one.scheme == "ldaps" for one in addresses):
            self.add_error("start_tls", _("StartTLS is for ldap:// alone: ldaps:// is encrypted already."))
        return data


class ProviderForm(SourceForm):
    target = ("issuer", "ca_certificates")
    required = ("issuer", "client_id", "scopes", "name_claim", "allowed_algorithms")

    class Meta:
        model = Provider
        fields = (
            *COMMON, "issuer", "client_id", "ca_certificates", "scopes", "allowed_algorithms", "name_claim",
            "groups_claim", "roles_claim", "number_claim", "ask_userinfo", "ask_again", "sign_out_there",
        )  # fmt: skip
        field_classes = {"ca_certificates": PemField}
        widgets = {"ca_certificates": PemField.widget}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "new_secret" in self.fields:
            self.fields["new_secret"].label = _("Client secret")


class TrustedHeaderForm(SourceForm):
    required = ("header_name", "proxies")
    new_secret = None  # type: ignore[assignment]  # how Django removes a field: there is none

    class Meta:
        model = TrustedHeader
        fields = (*COMMON, "header_name", "proxies", "groups_header")
        field_classes = {"proxies": LinesField}
        widgets = {"proxies": LinesField.widget}


class RuleForm(forms.ModelForm[SignInRule]):
    class Meta:
        model = SignInRule
        fields = ("gives", "role", "on", "claim", "value")

    def __init__(self, *args: Any, kind: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kind = kind
        if "role" in self.fields:  # groups are made on their own page
            wrapper: Any = self.fields["role"].widget
            wrapper.can_add_related = wrapper.can_change_related = False
            wrapper.can_delete_related = wrapper.can_view_related = False
        if "value" in self.fields:
            self.fields["value"].widget.attrs["class"] = "vLargeTextField"
        if "claim" in self.fields and ON.CLAIM not in _conditions(kind) and not self.instance.claim:
            self.fields["claim"].widget = forms.HiddenInput()
        if "on" in self.fields:
            known = _conditions(kind)
            choices = [choice for choice in ON.choices if choice[0] in known or choice[0] == self.instance.on]
            self.fields["on"].choices = choices  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        on, value = data.get("on"), data.get("value") or ""
        if on == ON.EVERYONE:
            data["value"] = ""
        elif not value:
            self.add_error("value", _("Enter what the group, claim or domain is."))
        if on == ON.CLAIM and not data.get("claim"):
            self.add_error("claim", _("Enter the name of the claim."))
        if on != ON.CLAIM:
            data["claim"] = ""
        if on == ON.GROUP and value and self.kind == SignInSource.Kind.DIRECTORY and syntax.parse_dn(value) is None:
            self.add_error("value", _("Enter the whole DN, like CN=Teachers,OU=Groups,DC=school,DC=example."))
        self._check_role(data)
        return data

    def _check_role(self, data: dict[str, Any]) -> None:
        role, gives = data.get("role"), data.get("gives")
        if gives == SignInRule.Gives.ENTRY and role:
            self.add_error("role", _("A rule that lets people in gives no role. Add another one for the role."))
        if gives == SignInRule.Gives.ROLE and not role:
            self.add_error("role", _("Choose the role."))
        is_wide = data.get("on") in {ON.EVERYONE, ON.DOMAIN}
        if role and is_wide and role.permissions.filter(rights_of_staff()).exists():
            self.add_error(
                "role", _("%(role)s is not for everyone of a source. Name a group or a claim.") % {"role": role}
            )


def _conditions(kind: str) -> set[str]:
    """What a source of this kind tells of people."""
    if kind == SignInSource.Kind.DIRECTORY:
        return {ON.GROUP, ON.DOMAIN, ON.EVERYONE}
    return {ON.GROUP, ON.EVERYONE} if kind == SignInSource.Kind.HEADER else {*ON}


class TypedPersonForm(forms.Form):
    """Whom the test looks up in a directory."""

    person = forms.CharField(
        label=gettext_lazy("User name"),
        required=False,
        max_length=150,
        help_text=gettext_lazy("Shows what this person would become. Nobody is signed in, and no password is needed."),
    )


class ToldPersonForm(forms.Form):
    """What a provider or a proxy would tell of somebody: it cannot be asked about people who are not there."""

    person = forms.CharField(
        label=gettext_lazy("User name"),
        required=False,
        max_length=150,
        help_text=gettext_lazy(
            "To see what somebody would become, enter what the source would tell of them: the portal can't ask it for "
            "people. Leave everything empty to test the connection alone."
        ),
    )
    subject = forms.CharField(
        label=gettext_lazy("ID there"),
        required=False,
        max_length=255,
        help_text=gettext_lazy("Finds the account of somebody who is known already. Empty: somebody new."),
    )
    email = forms.CharField(label=gettext_lazy("Email"), required=False, max_length=254)
    groups = forms.CharField(
        label=gettext_lazy("Groups"),
        required=False,
        widget=LinesField.widget,
        help_text=gettext_lazy("One per line, exactly as the source writes them."),
    )
    claims = forms.CharField(
        label=gettext_lazy("Claims"),
        required=False,
        widget=LinesField.widget,
        help_text=gettext_lazy("One per line, like department=science."),
    )
