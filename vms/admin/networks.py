"""Networks in the admin: one by one, or many at once with the lines that make them."""

from dataclasses import asdict
from typing import Any

from django import forms
from django.contrib import admin
from django.core.validators import RegexValidator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.deletion import ReadableDeletion
from accounts.plans.admin_page import AdminPlanPage
from accounts.plans.page import Facts
from accounts.printable import validate_printable_line
from clusters.models import Cluster
from vms.admin.filters import ClusterFilter
from vms.models import LeasableNetwork, NetworkLease
from vms.provisioning import network_plan
from vms.provisioning.network_plan import BRIDGES, KINDS, VLANS, VNETS, NetworkPlan, Wanted

# Proxmox VE's own limits: eight characters for a zone and a VNet, whose number takes some of them.
ZONE = RegexValidator(r"\A[a-z][a-z0-9]{1,7}\Z", gettext_lazy("Use 2 to 8 small letters and digits, a letter first."))
VNET = RegexValidator(r"\A[a-z][a-z0-9]{0,3}\Z", gettext_lazy("Use 1 to 4 small letters and digits, a letter first."))
BRIDGE = RegexValidator(r"\A[A-Za-z][A-Za-z0-9_.-]*\Z", gettext_lazy("Use the name of a bridge, like vmbr0."))


class NetworksForm(forms.Form):
    cluster = forms.ModelChoiceField(Cluster.objects.all(), label=gettext_lazy("Cluster"), to_field_name="cluster_id")
    kind = forms.ChoiceField(label=gettext_lazy("What they are"), choices=KINDS)
    first = forms.IntegerField(
        label=gettext_lazy("First number"),
        min_value=1,
        max_value=4094,
        help_text=gettext_lazy("Of the bridges, or the VLAN tags."),
    )
    count = forms.IntegerField(label=gettext_lazy("How many"), min_value=1, max_value=network_plan.MOST)
    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=50,
        initial="Lab",
        validators=[validate_printable_line],
        help_text=gettext_lazy("Teachers see it, followed by the number."),
    )
    bridge = forms.CharField(
        label=gettext_lazy("On the bridge"),
        max_length=15,
        required=False,
        validators=[BRIDGE],
        help_text=gettext_lazy("Of VNets and VLANs, like vmbr0."),
    )
    zone = forms.CharField(label=gettext_lazy("Zone of the VNets"), required=False, validators=[ZONE])
    vnet = forms.CharField(
        label=gettext_lazy("Beginning of the VNets' names"),
        required=False,
        validators=[VNET],
        help_text=gettext_lazy("Like “lab” for lab12."),
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        needed = {BRIDGES: (), VNETS: ("bridge", "zone", "vnet"), VLANS: ("bridge",)}.get(data.get("kind", ""), ())
        for name in needed:
            if not data.get(name) and name not in self.errors:
                self.add_error(name, _("This is needed for this kind of network."))
        if data.get("first") and data.get("count") and data["first"] + data["count"] - 1 > 4094:
            self.add_error("count", _("The last number would be beyond 4094."))
        return data


class NetworksPage(AdminPlanPage[NetworkPlan]):
    purpose = "networks"
    title = gettext_lazy("List many networks")
    template = "admin/vms/leasablenetwork/many.html"
    form_class = NetworksForm

    def facts(self, form: forms.Form) -> Facts:
        entered = form.cleaned_data
        same = {name: entered[name] for name in ("kind", "first", "count", "bridge", "zone", "vnet")}
        return same | {"cluster_id": entered["cluster"].cluster_id, "prefix": entered["name"]}

    def initial(self, facts: Facts) -> Facts:
        return facts | {"cluster": facts["cluster_id"], "name": facts["prefix"]}

    def plan(self, facts: Facts) -> NetworkPlan:
        return network_plan.plan(Wanted(**facts))

    def apply(self, facts: Facts, expected: str) -> NetworkPlan:
        return network_plan.apply(Wanted(**facts), expected=expected)

    def keep(self, facts: Facts, plan: NetworkPlan) -> Facts:
        return asdict(plan.wanted)


@admin.register(LeasableNetwork)
class LeasableNetworkAdmin(ReadableDeletion[LeasableNetwork]):
    list_display = ("name", "cluster", "bridge", "vlan", "leased_by")
    list_filter = (ClusterFilter,)
    list_select_related = ("cluster",)
    search_fields = ("name", "bridge")
    fields = ("cluster", "name", "bridge", "vlan", "leased_by")
    readonly_fields = ("leased_by",)
    list_per_page = 50
    change_list_template = "admin/vms/leasablenetwork/change_list.html"

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [path("many/", wrap(self.many_view), name="vms_leasablenetwork_many"), *super().get_urls()]

    def many_view(self, request: HttpRequest) -> HttpResponse:
        return NetworksPage(request, self).respond()

    def get_readonly_fields(self, request: HttpRequest, obj: LeasableNetwork | None = None) -> Any:
        """A machine that leases it was told where it is."""
        return self.readonly_fields if obj is None else (*self.readonly_fields, "cluster", "bridge", "vlan")

    def get_queryset(self, request: HttpRequest) -> QuerySet[LeasableNetwork]:
        return super().get_queryset(request).prefetch_related("leases__machine_set", "leases__user")

    @admin.display(description=gettext_lazy("leased by"))
    def leased_by(self, network: LeasableNetwork) -> str:
        live = (lease for lease in network.leases.all() if lease.returned_at is None) if network.pk else iter(())
        lease: NetworkLease | None = next(live, None)
        if lease is None:
            return _("nobody")
        return f"{lease.machine_set.title} ({lease.user})" if lease.user else lease.machine_set.title
