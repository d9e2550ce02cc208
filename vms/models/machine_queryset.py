"""Which machines a person sees, operates and manages, in one place for all queries."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

from django.apps import apps
from django.contrib.auth.models import AnonymousUser
from django.db import connection, models
from django.db.models import Q
from django.db.models.expressions import RawSQL

from accounts.compiled_queries import CompiledQuery
from accounts.models import User

if TYPE_CHECKING:
    from vms.models.machines import VirtualMachine


class VirtualMachineQuerySet(models.QuerySet["VirtualMachine"]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Staff with the view permission see all present machines; others those assigned to or managed by them."""
        if user.is_staff and user.has_perm("vms.view_virtualmachine"):
            return self.filter(Q(gone_at=None) | Q(pk__in=_visible.subquery(user.pk)))
        return self._usable_by(user)

    def operable_by(self, user: User | AnonymousUser) -> Self:
        if user.is_staff and user.has_perm("vms.operate_virtualmachine"):
            return self
        return self._usable_by(user)

    def managed_by(self, user: User | AnonymousUser) -> Self:
        """Machines whose note and guest login the person may edit, as an administrator or as a manager."""
        if user.is_staff and user.has_perm("vms.change_virtualmachine"):
            return self
        if not user.is_authenticated or not user.is_active:
            return self.none()
        return self.filter(pk__in=_managed.subquery(user.pk))

    def rights(self, machine: int, user: User) -> tuple[bool, bool]:
        """Whether this person operates the machine of this key, and whether they manage it: in one query."""
        all_of = [user.is_staff and user.has_perm(f"vms.{what}_virtualmachine") for what in ("operate", "change")]
        if all(all_of) or not user.is_active:
            found = [user.is_active] * 2
        else:
            parts = [one.sql(user.pk) for one in (_usable, _managed)]
            sql = "SELECT " + ", ".join(f"CASE WHEN %s IN ({sql}) THEN 1 ELSE 0 END" for sql, _ in parts)
            with connection.cursor() as cursor:
                cursor.execute(sql, [one for _, parameters in parts for one in (machine, *parameters)])
                found = list(cursor.fetchone())
        return bool(all_of[0] or found[0]), bool(all_of[1] or found[1])

    def on_active_clusters(self) -> Self:
        return self.filter(cluster__is_active=True)

    def present(self) -> Self:
        """Without machines that are gone, whose VMID may belong to another machine now."""
        return self.filter(gone_at=None)

    def _usable_by(self, user: User | AnonymousUser) -> Self:
        if not user.is_authenticated or not user.is_active:
            return self.none()
        return self.filter(pk__in=_usable.subquery(user.pk))


def usable_by_users_in(column: str) -> RawSQL:
    """Primary keys of the machines that a user may use, not as staff; the outer query names the user in this column."""
    return _usable.subquery_for_each(column)


def _assigned_or_managed(person: int) -> models.QuerySet[Any, Any]:
    # A union, because with an `or` a database reads the whole table of machines.
    assigned = apps.get_model("vms", "Assignment").objects.live().filter(user=person).order_by().values("vm")
    either = assigned.union(_in_managed_groups(person))
    return either.order_by()  # Django 6.1 would take the model's order, of other columns


def _in_managed_groups(person: int) -> models.QuerySet[Any, Any]:
    machines: models.QuerySet[Any, Any] = apps.get_model("vms", "MachineSet").machines_managed_by(person)
    return machines


def _granted(among: CompiledQuery) -> Callable[[int], models.QuerySet[Any, Any]]:
    def build(person: int) -> models.QuerySet[Any, Any]:
        granted = apps.get_model("vms", "ClusterGrant").allows(person)
        machines: models.QuerySet[VirtualMachine] = apps.get_model("vms", "VirtualMachine").objects.filter(granted)
        return machines.filter(pk__in=among.subquery(person)).order_by().values("pk")

    return build


_visible = CompiledQuery(_assigned_or_managed)
_usable = CompiledQuery(_granted(_visible))
_managed = CompiledQuery(_granted(CompiledQuery(_in_managed_groups)))
