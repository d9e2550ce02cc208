"""The forms of teachers and students."""

from typing import Any

from django import forms
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.html import format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.forms import TableForm, time_zones, with_stored
from accounts.models import MAX_NAME, User
from classes import access
from classes.models import Invite, LabClass
from vms.models import Assignment, ClusterGrant, MachineTemplate, Preparation, ProvisioningRun, VirtualMachine
from vms.provisioning.machines_plan import MOST as MOST_MACHINES

DAY = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})


class LabClassForm(forms.ModelForm[LabClass]):
    time_zone = forms.ChoiceField(label=gettext_lazy("Time zone"), required=False)

    class Meta:
        model = LabClass
        fields = (
            "name",
            "description",
            "lesson",
            "links",
            "starts_on",
            "ends_on",
            "time_zone",
            "baseline",
            "freed_machines",
        )
        widgets = {
            "description": forms.Textarea(attrs={"rows": 3}),
            "lesson": forms.Textarea(attrs={"rows": 10}),
            "links": forms.Textarea(attrs={"rows": 4, "spellcheck": "false"}),
            "starts_on": DAY,
            "ends_on": DAY,
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = with_stored(time_zones(), self.instance.time_zone)
        self.fields["time_zone"].choices = choices  # type: ignore[attr-defined]


SAME_PLACE = {"cluster": OuterRef("cluster"), "pool": OuterRef("pool")}


class GrantChoice(forms.ModelMultipleChoiceField[ClusterGrant]):
    def label_from_instance(self, grant: ClusterGrant) -> str:
        return str(grant.where)


class GrantsForm(forms.Form):
    """Asks which of their own grants a person passes on to a class."""

    grants = GrantChoice(
        ClusterGrant.objects.none(),
        label=gettext_lazy("Clusters and pools"),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": gettext_lazy("Choose at least one cluster or pool.")},
        help_text=gettext_lazy("An administrator decides which ones you can choose."),
    )

    def __init__(self, *args: Any, teacher: User, lab_class: LabClass | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offered = access.own_grants(teacher)
        if lab_class:
            granted = ClusterGrant.objects.filter(machine_set=lab_class.machine_set_id, **SAME_PLACE)
            self.offered = self.offered.filter(~Exists(granted))
            self.fields["grants"].label = _("Add clusters and pools")
        self.fields["grants"].queryset = self.offered  # type: ignore[attr-defined]
        if lab_class is None:
            self.fields["grants"].initial = _only(self.offered)


def _only(grants: QuerySet[ClusterGrant]) -> list[ClusterGrant]:
    """Who can choose one only gets it proposed."""
    found = list(grants[:2])
    return found if len(found) == 1 else []


class PersonForm(forms.Form):
    username = forms.CharField(
        label=gettext_lazy("User name"), max_length=MAX_NAME, widget=forms.TextInput(attrs={"autocapitalize": "none"})
    )

    def clean_username(self) -> User:
        name = self.cleaned_data["username"]
        person = User.objects.filter(username__iexact=name, is_active=True).first()
        if person is None:
            raise forms.ValidationError(_("No account with this user name. Check the spelling."))
        return person


class RosterForm(TableForm):
    text_help = gettext_lazy(
        "User names, one per line or all in one line, or a table. With a header row, the user names may be in any "
        "column."
    )

    at_once = forms.BooleanField(
        label=gettext_lazy("Enrol now"),
        required=False,
        initial=True,
        help_text=gettext_lazy("Otherwise they are put on the list and join with the invite."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["text"].label = gettext_lazy("Or type them here")


class AssignmentTableForm(TableForm):
    text_help = gettext_lazy("One assignment per line: username,cluster,vmid or username,machine name.")

    end_first = forms.BooleanField(
        label=gettext_lazy("Reassign machines that are already assigned"),
        required=False,
        help_text=gettext_lazy("Otherwise machines that are already assigned are skipped."),
    )
    way = forms.ChoiceField(
        label=gettext_lazy("Before the next person gets a reassigned machine"),
        required=False,
        choices=[("", gettext_lazy("Use the class's setting")), *Preparation.Way.choices],
        help_text=gettext_lazy("A machine without the baseline snapshot is shut down instead of reverted."),
    )


class InviteForm(forms.ModelForm[Invite]):
    class Meta:
        model = Invite
        fields = ("expires_at", "max_uses", "restricted_to_roster")
        widgets = {"expires_at": forms.DateTimeInput(format="%Y-%m-%dT%H:%M", attrs={"type": "datetime-local"})}


class CodeForm(forms.Form):
    code = forms.CharField(
        label=gettext_lazy("Code"),
        max_length=40,
        widget=forms.TextInput(attrs={"autocapitalize": "characters", "autocomplete": "off", "spellcheck": "false"}),
        help_text=gettext_lazy("The code from your teacher. Upper and lower case and dashes don't matter."),
    )


class MachineChoice(forms.ModelChoiceField[VirtualMachine]):
    def label_from_instance(self, machine: VirtualMachine) -> str:
        return _("%(machine)s (not ready)") % {"machine": machine} if getattr(machine, "waits", False) else str(machine)


class AssignForm(forms.Form):
    """Assign one machine to one person, both in the class."""

    vm = MachineChoice(VirtualMachine.objects.none(), label=gettext_lazy("Machine"))
    person = forms.ModelChoiceField(User.objects.none(), label=gettext_lazy("Person"))

    def __init__(self, *args: Any, lab_class: LabClass, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        own = lab_class.class_machines.filter(is_leaving=False).values("vm")
        unreleased = Assignment.objects.unreleased().filter(vm=OuterRef("pk"))
        machines = VirtualMachine.objects.present().filter(~Exists(unreleased.live()), pk__in=own)
        machines = machines.annotate(waits=Exists(unreleased))
        joined = lab_class.memberships.filter(left_at=None, joined_at__isnull=False).values("user")
        self.fields["vm"].queryset = machines  # type: ignore[attr-defined]
        self.fields["person"].queryset = User.objects.filter(pk__in=joined, is_active=True).order_by("username")  # type: ignore[attr-defined]


class TemplateChoice(forms.ModelChoiceField[MachineTemplate]):
    def label_from_instance(self, template: MachineTemplate) -> str:
        sizes = {"cores": template.cores, "memory": template.memory_mib, "disk": template.disk_gib}
        said = {"name": template.name, "cluster": template.cluster.name}
        text = ngettext(
            "%(name)s (%(cluster)s; %(cores)d core, %(memory)d MiB, %(disk)d GiB)",
            "%(name)s (%(cluster)s; %(cores)d cores, %(memory)d MiB, %(disk)d GiB)",
            template.cores,
        )
        return text % (said | sizes)


class TemplateForm(forms.Form):
    """Asks out of which template machines are made, and on which networks."""

    template = TemplateChoice(MachineTemplate.objects.none(), label=gettext_lazy("Template"))
    networks = forms.ChoiceField(
        label=gettext_lazy("Network"),
        choices=ProvisioningRun.Networks.choices,
        help_text=gettext_lazy("An administrator decides which networks a template may use."),
    )

    def __init__(self, *args: Any, templates: QuerySet[MachineTemplate], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choice: Any = self.fields["template"]
        choice.queryset = templates.select_related("cluster")
        if choice.queryset.count() == 1:
            choice.empty_label = None
        described = choice.queryset.exclude(description="").values_list("name", "description")
        choice.help_text = format_html_join("", "<p><strong>{}</strong>: {}</p>", described)


class MakeMachinesForm(TemplateForm):
    field_order = ("template", "for_everybody", "spare", "networks")

    for_everybody = forms.BooleanField(
        label=gettext_lazy("One for everybody in the class who has none"), required=False, initial=True
    )
    spare = forms.IntegerField(
        label=gettext_lazy("Further machines"),
        min_value=0,
        max_value=MOST_MACHINES,
        initial=0,
        help_text=gettext_lazy("For people who join later."),
    )


class JoiningForm(TemplateForm):
    field_order = ("template", "limit", "networks")

    limit = forms.IntegerField(
        label=gettext_lazy("Most machines of the class"),
        min_value=1,
        max_value=MOST_MACHINES,
        help_text=gettext_lazy("Made out of templates, all together. Who joins afterwards waits for a machine."),
    )
