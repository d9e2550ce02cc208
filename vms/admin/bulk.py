"""Many assignments at once in the admin: a preview of what would happen, then exactly that."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django_stubs_ext import StrOrPromise

from accounts import signed
from accounts.forms import TableForm
from accounts.spreadsheet import Unreadable
from clusters.models import Cluster
from vms import bulk_assignment
from vms.bulk_assignment import Pattern, Plan, PlanChanged, Share, Source, Table
from vms.bulk_assignment.sources import facts_of
from vms.models import Preparation, VirtualMachine

PURPOSE = "assignments"
TOO_OLD = gettext_lazy("This preview is too old. Choose again.")

Admin = admin.ModelAdmin[Any]


class WayForm(forms.Form):
    """What every way asks for."""

    end_first = forms.BooleanField(
        label=gettext_lazy("End existing assignments of these machines first"),
        required=False,
        help_text=gettext_lazy("Otherwise machines that are already assigned are skipped."),
    )
    prepare = forms.ChoiceField(
        label=gettext_lazy("Before the next person gets a reassigned machine"),
        required=False,
        choices=[("", gettext_lazy("As its class is set")), *Preparation.Way.choices],
        help_text=gettext_lazy("A machine without a baseline snapshot is shut down instead of reverted."),
    )

    def source(self) -> Source:
        raise NotImplementedError


class LinesForm(TableForm, WayForm):
    text_help = gettext_lazy(
        "Lines of username,cluster,vmid or username,machine name. Commas, semicolons or tabs; a "
        "heading is passed over; at most 5,000 lines."
    )
    field_order = ("upload", "text", "end_first", "prepare")

    def source(self) -> Source:
        return Table(self.table)


class PeopleForm(WayForm):
    people = forms.CharField(
        strip=False,
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false"}),
        help_text=gettext_lazy("User names, one a line, in this order."),
    )
    cluster = forms.ModelChoiceField(Cluster.objects.none(), to_field_name="cluster_id")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["cluster"].queryset = Cluster.objects.order_by("name")  # type: ignore[attr-defined]


class PatternForm(PeopleForm):
    pattern = forms.CharField(
        label=gettext_lazy("Names of the machines"),
        max_length=255,
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
    pool = forms.CharField(max_length=100, required=False)
    tag = forms.CharField(
        max_length=100, required=False, help_text=gettext_lazy("One of both. The free ones are given, one each.")
    )
    field_order = ("cluster", "pool", "tag", "people", "end_first", "prepare")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if bool(data.get("pool")) == bool(data.get("tag")):
            raise forms.ValidationError(_("Write a pool or a tag, one of both."))
        return data

    def source(self) -> Source:
        data = self.cleaned_data
        return Share(data["cluster"].cluster_id, data["people"], pool=data["pool"], tag=data["tag"])


WAYS: dict[str, tuple[StrOrPromise, type[WayForm]]] = {
    "table": (gettext_lazy("A table"), LinesForm),
    "pattern": (gettext_lazy("By name"), PatternForm),
    "share": (gettext_lazy("From a pool or tag"), ShareForm),
}


def view(request: HttpRequest, model_admin: Admin) -> HttpResponse:
    """GET: a form. POST: its preview. POST with `shown`: do what that preview showed."""
    if not (model_admin.has_add_permission(request) and model_admin.has_change_permission(request)):
        raise PermissionDenied
    if "shown" in request.POST:
        return _apply(request, model_admin)
    way = request.GET.get("way", "")
    way = way if way in WAYS else "table"
    kind = WAYS[way][1]
    form = kind(request.POST, request.FILES) if request.method == "POST" else kind()
    context: dict[str, Any] = {"form": form, "way": way}
    if request.method == "POST" and form.is_valid():
        try:
            chosen = form.cleaned_data
            plan = bulk_assignment.plan(form.source(), end_first=chosen["end_first"], way=chosen["prepare"])
        except Unreadable as error:
            form.add_error(None, str(error))
        else:
            context |= _shown(request, plan)
    return _page(request, model_admin, context)


def _shown(request: HttpRequest, plan: Plan) -> dict[str, Any]:
    kept = {
        "way": plan.source.way, "facts": facts_of(plan.source), "end_first": plan.end_first, "prepare": plan.way,
        "digest": plan.digest,
    }  # fmt: skip
    return {"plan": plan, "shown": signed.dumps(PURPOSE, request, kept) if plan.given else ""}


def _apply(request: HttpRequest, model_admin: Admin) -> HttpResponse:
    kept = signed.loads(PURPOSE, request, request.POST["shown"])
    if kept is None:
        messages.error(request, TOO_OLD)
        return redirect("admin:vms_assignment_bulk")
    source = bulk_assignment.source_from(kept["way"], kept["facts"])
    person: Any = request.user
    chosen = {"end_first": kept["end_first"], "way": kept["prepare"]}
    try:
        done = bulk_assignment.apply(source, **chosen, expected=kept["digest"], by=person)
    except PlanChanged as error:
        messages.warning(request, str(error))
        fresh = _shown(request, bulk_assignment.plan(source, **chosen))
        return _page(request, model_admin, {"way": kept["way"], **fresh})
    _tell(request, done)
    return redirect("admin:vms_assignment_changelist")


def _tell(request: HttpRequest, done: Plan) -> None:
    ended = sum(bool(row.ends) for row in done.given)
    given = len(done.given) - ended
    messages.success(request, ngettext("%(n)d machine assigned.", "%(n)d machines assigned.", given) % {"n": given})
    if ended:
        text = ngettext(
            "%(n)d machine is prepared first, and then given.", "%(n)d machines are prepared first, and then given.",
            ended,
        )  # fmt: skip
        messages.info(request, text % {"n": ended})


def _page(request: HttpRequest, model_admin: Admin, context: dict[str, Any]) -> HttpResponse:
    common = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.model._meta,
        "title": _("Assign many machines"),
        "ways": [(name, label) for name, (label, _) in WAYS.items()],
        "pools": _pools() if context["way"] == "share" and "plan" not in context else [],
    }
    return render(request, "admin/vms/assignment/bulk.html", common | context)


def _pools() -> list[tuple[str, str, int]]:
    """Cluster, pool and how many of its machines there are: what to write into the form."""
    present = VirtualMachine.objects.present().filter(template=False).exclude(pool="")
    counted = present.values_list("cluster__cluster_id", "pool").annotate(count=Count("pk"))
    return list(counted.order_by("cluster__cluster_id", "pool"))
