"""The import in the admin: a preview of what would happen, then exactly that."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.forms import Upload
from accounts.plans.admin_page import AdminPlanPage
from accounts.plans.page import Facts
from clusters import importing
from clusters.config import MAX_BYTES, ClusterFileError, inspect, read_bytes
from clusters.importing import ClusterPlan, Options
from clusters.models import PendingImport

# An encrypted password fits every cluster of this portal: one found in a backup could be sent to any host.
NOT_UPLOADED = gettext_lazy(
    "Encrypted passwords are not accepted in an upload. Put the file on the server and import it "
    "there, here or with bin/manage import_clusters; or enter the passwords."
)


class ImportForm(forms.Form):
    upload = forms.FileField(
        label=gettext_lazy("File"),
        required=False,
        widget=Upload(most_bytes=MAX_BYTES),
        help_text=gettext_lazy("Leave this empty to import the file on the server, named above."),
    )
    restore = forms.BooleanField(label=gettext_lazy("Restore clusters that were deleted here"), required=False)
    update = forms.BooleanField(label=gettext_lazy("Apply differences to existing clusters"), required=False)
    update_secrets = forms.BooleanField(
        label=gettext_lazy("Include differences in addresses, user, certificate settings and credential"),
        required=False,
    )
    partial = forms.BooleanField(label=gettext_lazy("Import the valid entries if some are wrong"), required=False)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("update_secrets") and not data.get("update"):
            self.add_error("update_secrets", _("Select “Apply differences to existing clusters” as well."))
        return data


class ImportPage(AdminPlanPage[ClusterPlan]):
    """The file may hold passwords, so it waits encrypted in the database: the page holds no more than where."""

    purpose = "clusters"
    title = gettext_lazy("Import clusters")
    template = "admin/clusters/cluster/import.html"
    form_class = ImportForm

    def facts(self, form: forms.Form) -> Facts:
        upload = form.cleaned_data["upload"]
        try:
            content, source = (upload.read(MAX_BYTES + 1), upload.name) if upload else _server_file()
            has_sealed = inspect(content, source=source).has_sealed
        except FileNotFoundError as error:
            text = _("There is no file %(path)s on the server. Choose one to upload.")
            raise forms.ValidationError({"upload": text % {"path": error.filename}}) from None
        except ClusterFileError as error:
            wrong = [f"{error.source}: {problem}" for problem in error.problems]
            raise forms.ValidationError({"upload": wrong}) from None
        if upload and has_sealed:
            raise forms.ValidationError({"upload": NOT_UPLOADED})
        options = {name: value for name, value in form.cleaned_data.items() if name != "upload"}
        return {"content": content, "source": source[:255], "options": options}

    def initial(self, facts: Facts) -> Facts:
        return dict(facts["options"])

    def keep(self, facts: Facts, plan: ClusterPlan) -> Facts:
        PendingImport.forget_old()
        pending = PendingImport.objects.create(
            user_id=self.request.user.pk or 0,
            source=facts["source"],
            content=facts["content"].decode("utf-8-sig"),
            options=asdict(plan.options),
            digest=plan.digest,
        )
        return {"pending": pending.pk}

    def recall(self, kept: Facts) -> Facts | None:
        """Once: who comes second, or too late, chooses the file again."""
        PendingImport.forget_old()
        pending = PendingImport.objects.filter(pk=kept["pending"], user=self.request.user.pk).first()
        if pending is None or not PendingImport.objects.filter(pk=pending.pk).delete()[0]:
            return None
        content = pending.content.reveal().encode()
        return {"content": content, "source": pending.source, "options": pending.options}

    def plan(self, facts: Facts) -> ClusterPlan:
        return importing.plan(inspect(facts["content"], source=facts["source"]), Options(**facts["options"]))

    def apply(self, facts: Facts, expected: str) -> ClusterPlan:
        options = Options(**facts["options"])
        return importing.import_content(facts["content"], source=facts["source"], options=options, expected=expected)

    def done(self, plan: ClusterPlan) -> HttpResponse:
        answer = super().done(plan)
        for notice in plan.notices:
            messages.warning(self.request, str(notice))
        return answer

    def page(self, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
        return super().page({"server_file": importing.find_file(), **context}, status=status)


def _server_file() -> tuple[bytes, str]:
    path: Path = importing.find_file()
    return read_bytes(path), str(path)
