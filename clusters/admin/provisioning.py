"""The access for making machines in the admin: its switch, and a token that goes in and never comes out."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clusters.forms import TokenField
from clusters.models import Cluster, ProvisioningAccess


class ProvisioningAccessForm(forms.ModelForm[ProvisioningAccess]):
    new_token = TokenField(gettext_lazy("Full API token"))

    class Meta:
        model = ProvisioningAccess
        fields = ("cluster", "is_enabled")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.token_secret and "new_token" in self.fields:
            self.fields["new_token"].help_text = _("A value is stored. Leave this empty to keep it.")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        new, cluster = data.get("new_token"), data.get("cluster") or getattr(self.instance, "cluster", None)
        if new and cluster and new[0] in self._used_otherwise(cluster):
            text = _("The portal already uses this token for something else. Create one for making machines alone.")
            self.add_error("new_token", text)
        if data.get("is_enabled") and not new and not self.instance.token_secret and "new_token" not in self.errors:
            self.add_error("new_token", _("Enter a token: machines are made with a token of their own."))
        return data

    def _used_otherwise(self, cluster: Cluster) -> set[str]:
        return {cluster.token_id, cluster.read_token_id}

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if new := self.cleaned_data.get("new_token"):
            self.instance.token_id, self.instance.token_secret = new


@admin.register(ProvisioningAccess)
class ProvisioningAccessAdmin(admin.ModelAdmin[ProvisioningAccess]):
    form = ProvisioningAccessForm
    list_display = ("cluster", "is_enabled", "token_in_words", "updated_at")
    list_select_related = ("cluster",)
    show_full_result_count = False
    fields = ("cluster", "is_enabled", "token_in_words", "new_token")
    readonly_fields = ("token_in_words",)

    def get_readonly_fields(self, request: HttpRequest, obj: ProvisioningAccess | None = None) -> Any:
        """A token belongs to the cluster that it was entered for."""
        return self.readonly_fields if obj is None else ("cluster", *self.readonly_fields)

    @admin.display(description=gettext_lazy("token"))
    def token_in_words(self, access: ProvisioningAccess) -> str:
        if not access.token_secret:
            return _("none")
        if access.rejected_version == access.credential_version:
            return _("%(token)s, rejected by the cluster") % {"token": access.token_id}
        return access.token_id
