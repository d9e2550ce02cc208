"""Published templates, and the machines made out of them, in the admin."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import URLPattern, reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from accounts.autocomplete import CheckedAutocomplete
from accounts.deletion import ReadableDeletion
from vms.admin import making
from vms.admin.common import NamesKnownPools, ReadOnly
from vms.admin.filters import ClusterFilter, ClusterNameFilter
from vms.models import MachineTemplate, MadeMachine, TemplateCopy
from vms.provisioning import template_check

# The pages that delete what machines belong to, by the beginning of the name of their address; and who may.
GOES_WITH = {"clusters_cluster_": "clusters.delete_cluster", "vms_machinetemplate_": "vms.delete_machinetemplate"}


class TemplateCopyInline(admin.StackedInline[TemplateCopy, MachineTemplate]):
    model = TemplateCopy
    fields = ("node", "vmid", "storage", "is_shared")
    extra = 1


@admin.register(MachineTemplate)
class MachineTemplateAdmin(NamesKnownPools, CheckedAutocomplete[MachineTemplate], ReadableDeletion[MachineTemplate]):
    list_display = ("name", "cluster", "clone_kind", "pool", "copy_count", "made_count", "checked_at", "is_active")
    list_filter = (ClusterFilter, "is_active")
    list_select_related = ("cluster",)
    search_fields = ("name", "description", "pool")
    autocomplete_fields = ("users", "machine_sets", "networks")
    inlines = (TemplateCopyInline,)
    list_per_page = 50
    pool_help = gettext_lazy("Keep the template itself out of this pool. Known pools: %(pools)s.")
    fieldsets = (
        (None, {"fields": ("name", "description", "cluster", "is_active")}),
        (
            gettext_lazy("Where machines are made"),
            {"fields": ("clone_kind", "storage", "pool", "vmid_from", "vmid_to", "name_pattern")},
        ),
        (
            gettext_lazy("What one machine needs"),
            {"fields": ("guest_os", "cores", "memory_mib", "disk_gib")},
        ),
        (
            gettext_lazy("Limits of all machines together"),
            {"fields": ("most_machines", "most_cores", "most_memory_mib", "most_disk_gib")},
        ),
        (gettext_lazy("Who may use it, and on which networks"), {"fields": ("users", "machine_sets", "networks")}),
        (
            gettext_lazy("Configuration of new machines"),
            {"fields": ("ci_user", "ssh_keys", "ip_config", "baseline_running")},
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[MachineTemplate]:
        copies = TemplateCopy.objects.filter(template=OuterRef("pk")).order_by().values("template")
        made = MadeMachine.objects.unremoved().filter(run__template=OuterRef("pk")).order_by().values("run__template")
        return (
            super()
            .get_queryset(request)
            .annotate(
                copy_total=Coalesce(Subquery(copies.annotate(n=Count("pk")).values("n")), 0),
                made_total=Coalesce(Subquery(made.annotate(n=Count("pk")).values("n")), 0),
            )
        )

    def get_readonly_fields(self, request: HttpRequest, obj: MachineTemplate | None = None) -> Any:
        """Its machines are on this cluster."""
        return ("cluster", "check_in_words", "check_result") if obj else ()

    def get_fieldsets(self, request: HttpRequest, obj: MachineTemplate | None = None) -> Any:
        """A template that is being added has no copies that could be checked."""
        shown = "check_in_words" if self.has_change_permission(request, obj) else "check_result"
        checked = ((gettext_lazy("Check"), {"fields": (shown,)}),)
        return (*super().get_fieldsets(request, obj), *(checked if obj else ()))

    def get_urls(self) -> list[URLPattern]:
        return [*making.urls(self), *super().get_urls()]

    @admin.display(description=gettext_lazy("result"))
    def check_in_words(self, template: MachineTemplate) -> SafeString:
        """With the buttons."""
        return _check_in_words(template, may_check=True)

    @admin.display(description=gettext_lazy("result"))
    def check_result(self, template: MachineTemplate) -> SafeString:
        return _check_in_words(template, may_check=False)

    @admin.display(description=gettext_lazy("copies"), ordering="copy_total")
    def copy_count(self, template: MachineTemplate) -> int:
        return int(getattr(template, "copy_total", 0))

    @admin.display(description=gettext_lazy("made machines"), ordering="made_total")
    def made_count(self, template: MachineTemplate) -> int:
        return int(getattr(template, "made_total", 0))


def _check_in_words(template: MachineTemplate, *, may_check: bool) -> SafeString:
    context = {"template": template, "copies": template_check.stored(template), "may_check": may_check}
    return render_to_string("admin/vms/machinetemplate/_check.html", context)


@admin.register(MadeMachine)
class MadeMachineAdmin(ReadOnly, admin.ModelAdmin[MadeMachine]):
    list_display = ("name", "cluster_id", "vmid", "node", "template", "group", "for_user", "state", "step", "message")
    list_filter = ("state", ClusterNameFilter)
    list_select_related = ("run__template", "run__machine_set", "for_user")
    search_fields = ("name", "vmid", "for_user__username", "run__machine_set__name")
    list_per_page = 50
    show_full_result_count = False
    fields = (
        "name", "cluster_id", "vmid", "node", "template", "group", "for_user", "network", "mark", "uuid", "state",
        "step", "message", "upid", "cores", "memory_mib", "disk_gib", "created_at", "ready_at", "keep_until",
        "removed_at",
    )  # fmt: skip
    readonly_fields = ("template", "group", "message", "mark")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Rows go with their cluster or template, whose confirmation page asks for this permission."""
        name = str(request.resolver_match.url_name) if request.resolver_match else ""
        goes_with = {
            "clusters_cluster_": "clusters.delete_cluster",
            "vms_machinetemplate_": "vms.delete_machinetemplate",
        }
        needed = next((right for begin, right in goes_with.items() if name.startswith(begin)), "")
        return bool(needed) and request.user.has_perm(needed)

    def view_on_site(self, made: MadeMachine) -> str:
        """The page of its run."""
        return reverse("vms-run", args=[made.run_id])

    @admin.display(description=gettext_lazy("machine template"), ordering="run__template__name")
    def template(self, made: MadeMachine) -> str:
        return made.run.template.name

    @admin.display(description=gettext_lazy("machine group"), ordering="run__machine_set__name")
    def group(self, made: MadeMachine) -> str:
        return made.run.machine_set.title

    @admin.display(description=gettext_lazy("outcome"), ordering="outcome")
    def message(self, made: MadeMachine) -> str:
        return made.rendered_outcome
