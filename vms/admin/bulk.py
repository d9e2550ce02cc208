"""Many assignments at once in the admin: a preview of what would happen, then exactly that."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_stubs_ext import StrOrPromise

from accounts.forms import TableForm
from accounts.plans.admin_page import AdminPlanPage
from accounts.plans.page import Facts
from accounts.printable import validate_printable_line
from clusters.models import Cluster
from vms import bulk_assignment, registry
from vms.bulk_assignment import AssignmentPlan, Pattern, Share, Source, Table
from vms.bulk_assignment.sources import facts_of
from vms.models import Preparation, VirtualMachine


class WayForm(forms.Form):
    """The fields that every source of wishes has."""

    end_first = forms.BooleanField(
        label=gettext_lazy("End existing assignments of these machines first"),
        required=False,
        help_text=gettext_lazy("Otherwise machines that are already assigned are skipped."),
    )
    prepare = forms.ChoiceField(
        label=gettext_lazy("Before the next person gets a reassigned machine"),
        required=False,
        choices=[("", gettext_lazy("Use the class's setting")), *Preparation.Way.choices],
        help_text=gettext_lazy("A machine without a baseline snapshot is shut down instead of reverted."),
    )

    def source(self) -> Source:
        raise NotImplementedError


class LinesForm(TableForm, WayForm):
    text_help = gettext_lazy(
        "Lines of username,cluster,vmid or username,machine name. Machines may also be written as net-01 "
        "(building-a/101). Commas, semicolons or tabs. With a header row, the columns may be in any order. At most "
        "5,000 lines."
    )
    field_order = ("upload", "text", "end_first", "prepare")

    def source(self) -> Source:
        return Table(self.table)


class PeopleForm(WayForm):
    source_field = "people"

    people = forms.CharField(
        strip=False,
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false"}),
        help_text=gettext_lazy("User names in this order, one per line or all in one line."),
    )
    cluster = forms.ModelChoiceField(Cluster.objects.none(), to_field_name="cluster_id")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["cluster"].queryset = Cluster.objects.order_by("name")  # type: ignore[attr-defined]
        default = registry.default()
        self.fields["cluster"].initial = default.cluster_id if default else None


class PatternForm(PeopleForm):
    pattern = forms.CharField(
        label=gettext_lazy("Names of the machines"),
        max_length=255,
        validators=[validate_printable_line],
        help_text=gettext_lazy(
            "Like net101-{n}: net101-1, net101-2 and so on. With {n:02} it is net101-01, net101-02."
        ),
    )
    start = forms.IntegerField(label=gettext_lazy("First number"), initial=1, min_value=0, max_value=999_999)
    field_order = ("pattern", "start", "cluster", "people", "end_first", "prepare")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["cluster"].required = False
        self.fields["cluster"].empty_label = _("all clusters")  # type: ignore[attr-defined]

    def source(self) -> Source:
        data = self.cleaned_data
        cluster = data["cluster"].cluster_id if data["cluster"] else ""
        return Pattern(data["pattern"], data["people"], start=data["start"], cluster=cluster)


class ShareForm(PeopleForm):
    pool = forms.CharField(
        max_length=100,
        required=False,
        validators=[validate_printable_line],
        help_text=gettext_lazy("Machines of nested pools are not included: enter a nested pool like labs/net101."),
    )
    tag = forms.CharField(
        max_length=100,
        validators=[validate_printable_line],
        required=False,
        help_text=gettext_lazy("Enter a pool or a tag. Each person gets one of its free machines."),
    )
    field_order = ("cluster", "pool", "tag", "people", "end_first", "prepare")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if bool(data.get("pool")) == bool(data.get("tag")):
            raise forms.ValidationError(_("Enter a pool or a tag, not both."))
        return data

    def source(self) -> Source:
        data = self.cleaned_data
        return Share(data["cluster"].cluster_id, data["people"], pool=data["pool"], tag=data["tag"])


WAYS: dict[str, tuple[StrOrPromise, type[WayForm]]] = {
    "table": (gettext_lazy("A table"), LinesForm),
    "pattern": (gettext_lazy("By name"), PatternForm),
    "share": (gettext_lazy("From a pool or tag"), ShareForm),
}


class BulkPage(AdminPlanPage[AssignmentPlan]):
    title = gettext_lazy("Assign many machines")
    template = "admin/vms/assignment/bulk.html"

    def __init__(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> None:
        super().__init__(request, model_admin)
        way = request.GET.get("way", "")
        self.way = way if way in WAYS else "table"
        self.form_class = WAYS[self.way][1]
        self.purpose = f"assignments.{self.way}"

    def facts(self, form: forms.Form) -> Facts:
        assert isinstance(form, WayForm)  # noqa: S101 - for the type checker
        chosen = {name: form.cleaned_data[name] for name in ("end_first", "prepare")}
        return {"source": facts_of(form.source()), **chosen}

    def initial(self, facts: Facts) -> Facts:
        return {**facts["source"], **facts}

    def plan(self, facts: Facts) -> AssignmentPlan:
        return bulk_assignment.plan(self._source(facts), end_first=facts["end_first"], way=facts["prepare"])

    def apply(self, facts: Facts, expected: str) -> AssignmentPlan:
        person: Any = self.request.user
        return bulk_assignment.apply(
            self._source(facts), end_first=facts["end_first"], way=facts["prepare"], expected=expected, by=person
        )

    def page(self, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
        own = {
            "way": self.way,
            "ways": [(name, label) for name, (label, _) in WAYS.items()],
            "pools": _pools() if self.way == "share" and "form" in context else [],
        }
        return super().page(own | context, status=status)

    def _source(self, facts: Facts) -> Source:
        return bulk_assignment.source_from(self.way, facts["source"])


def _pools() -> list[tuple[str, str, int]]:
    """Cluster, pool and how many of its machines there are: what to write into the form."""
    present = VirtualMachine.objects.present().filter(template=False).exclude(pool="")
    counted = present.values_list("cluster__cluster_id", "pool").annotate(count=Count("pk"))
    return list(counted.order_by("cluster__cluster_id", "pool"))
