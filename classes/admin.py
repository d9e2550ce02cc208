"""Classes in the admin. Machines, people and invites have pages of their own in the portal."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_variables

from accounts.autocomplete import CheckedAutocomplete
from accounts.confirmation import ConfirmedPeopleForm
from accounts.deletion import ReadableDeletion
from accounts.forms import time_zones, with_stored
from accounts.models import SignInSource, User
from classes import access, co_owners, lifecycle
from classes.enrolment import invites
from classes.models import ClassSignInRule, Holiday, Invite, LabClass, Membership
from classes.timetable import occurrences
from vms.admin.common import ReadOnly
from vms.models import ClusterGrant


class LabClassAdminForm(ConfirmedPeopleForm):
    gives_control = ("owner", "co_owners")

    old_link = forms.CharField(
        label=gettext_lazy("Honour an old link"),
        max_length=300,
        required=False,
        help_text=gettext_lazy(
            "A join link of the old portal, or its last part. It can be guessed, so it admits only people on the "
            "list of the class. The link is not shown again."
        ),
    )

    time_zone = forms.ChoiceField(label=gettext_lazy("Time zone"), required=False)

    class Meta:
        model = LabClass
        fields = (
            "name", "description", "lesson", "links", "starts_on", "ends_on", "time_zone", "baseline",
            "freed_machines", "owner", "co_owners", "confirmed",
        )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "time_zone" in self.fields:  # not for those who only look
            choices = with_stored(time_zones(), self.instance.time_zone)
            self.fields["time_zone"].choices = choices  # type: ignore[attr-defined]

    def introduce(self, person: User) -> str:
        known = super().introduce(person)
        is_student = self.instance.pk and access.is_student(person, self.instance)
        return f"{known} · " + _("a student of this class") if is_student else known

    def clean_old_link(self) -> str:
        token = str(self.cleaned_data["old_link"]).rstrip("/").rpartition("/")[2]
        if token and Invite.objects.by_token(token):
            raise forms.ValidationError(_("This link already opens a class."))
        return token


class MembershipInline(ReadOnly, admin.TabularInline[Membership, LabClass]):
    template = "admin/read_only_inline.html"
    model = Membership
    fields = ("user", "joined_at", "left_at", "waiting_since")
    readonly_fields = fields
    extra = 0
    show_change_link = False


class SignInRuleInline(admin.StackedInline[ClassSignInRule, LabClass]):
    """Shown where there is a source, or a rule of one: other schools do not read of it."""

    model = ClassSignInRule
    fields = ("source", "value")
    extra = 1

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("classes.view_labclass") and SignInSource.objects.exists()

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever may change the class may say who is in it."""
        return request.user.has_perm("classes.change_labclass") and SignInSource.objects.exists()

    has_change_permission = has_delete_permission = has_add_permission


class StateFilter(admin.SimpleListFilter):
    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("current", _("current")), ("ended", _("ended"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == "current":
            return queryset.filter(ended_at=None)
        return queryset.ended() if self.value() == "ended" else queryset


class WaitingFilter(admin.SimpleListFilter):
    title = gettext_lazy("waiting list")
    parameter_name = "waiting"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", _("people wait for a machine"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[LabClass]) -> QuerySet[LabClass]:
        waiting = Membership.objects.waiting().filter(lab_class=OuterRef("pk"))
        return queryset.filter(Exists(waiting)) if self.value() == "yes" else queryset


@admin.register(LabClass)
class LabClassAdmin(CheckedAutocomplete[LabClass], ReadableDeletion[LabClass]):
    form = LabClassAdminForm
    list_display = ("name", "owner", "starts_on", "ends_on", "machine_count", "member_count")
    list_filter = (StateFilter, WaitingFilter, "starts_on", "ends_on")
    list_select_related = ("owner",)
    search_fields = ("name", "owner__username", "co_owners__username")
    autocomplete_fields = ("owner", "co_owners")
    readonly_fields = ("granted",)
    inlines = (SignInRuleInline, MembershipInline)
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> QuerySet[LabClass]:
        joined = Q(memberships__left_at=None, memberships__joined_at__isnull=False)
        return (
            super()
            .get_queryset(request)
            .annotate(
                machine_total=Count("class_machines", distinct=True),
                member_total=Count("memberships", filter=joined, distinct=True),
            )
        )

    @admin.display(description=gettext_lazy("machines"), ordering="machine_total")
    def machine_count(self, row: LabClass) -> int:
        return int(getattr(row, "machine_total", 0))

    @admin.display(description=gettext_lazy("members"), ordering="member_total")
    def member_count(self, row: LabClass) -> int:
        return int(getattr(row, "member_total", 0))

    @admin.display(description=gettext_lazy("granted clusters and pools"))
    def granted(self, row: LabClass) -> str:
        if not row.pk:
            return _("Save the class first.")
        grants = ClusterGrant.objects.filter(machine_set=row.machine_set_id).select_related("cluster")
        words = "; ".join(grant.where for grant in grants) or _("none")
        url = f"{reverse('admin:vms_clustergrant_add')}?{urlencode({'machine_set': row.machine_set_id})}"
        return format_html('{}. <a href="{}">{}</a>', words, url, _("Grant another"))

    def view_on_site(self, lab_class: LabClass) -> str:
        return reverse("classes-page", args=[lab_class.pk])

    def save_model(self, request: HttpRequest, obj: LabClass, form: Any, change: bool) -> None:
        if change:
            lifecycle.save(obj, changed=form.changed_data)
        else:
            lifecycle.create(obj, owner=obj.owner, grants=())

    @sensitive_variables("form")
    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """The managers of the machine group follow the people chosen here."""
        super().save_related(request, form, formsets, change)
        form.instance.co_owners.remove(form.instance.owner)
        co_owners.sync_managers(form.instance)
        if token := form.cleaned_data.get("old_link"):
            person: Any = request.user
            invites.accept_legacy_link(form.instance, token, by=person)

    def delete_model(self, request: HttpRequest, obj: LabClass) -> None:
        """Prepares the machines as the class is set, which the page of confirmation says."""
        person: Any = request.user
        if not lifecycle.delete(obj, way="", by=person):
            messages.info(request, _("The class will be deleted when its machines are ready for the next person."))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[LabClass]) -> None:
        for lab_class in queryset:
            self.delete_model(request, lab_class)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Asks no permission of its own for the objects that are deleted with a class."""
        objects, counts, _perms, protected = super().get_deleted_objects(objs, request)
        return objects, counts, set(), protected


@admin.register(Holiday)
class HolidayAdmin(admin.ModelAdmin[Holiday]):
    """The lessons of all classes follow in the same transaction."""

    list_display = ("name", "first_day", "last_day")
    search_fields = ("name",)
    date_hierarchy = "first_day"

    def save_model(self, request: HttpRequest, obj: Holiday, form: Any, change: bool) -> None:
        with transaction.atomic():
            occurrences.lock_all()
            before = Holiday.objects.filter(pk=obj.pk).first()
            super().save_model(request, obj, form, change)
            for holiday in filter(None, (before, obj)):
                occurrences.rebuild_days(holiday.first_day, holiday.last_day)

    def delete_model(self, request: HttpRequest, obj: Holiday) -> None:
        self.delete_queryset(request, Holiday.objects.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Holiday]) -> None:
        with transaction.atomic():
            occurrences.lock_all()
            gone = list(queryset)
            queryset.delete()
            for holiday in gone:
                occurrences.rebuild_days(holiday.first_day, holiday.last_day)
