"""Open consoles, and grants to open one. A closed console is recorded as an `Operation`."""

import os
import secrets
import socket
import uuid
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, ClassVar, NamedTuple, Self

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.models import Session
from django.db import IntegrityError, models, transaction
from django.db.models import Case, CharField, Q, Value, When
from django.db.models.functions import Cast
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy

from accounts import stored_messages
from accounts.models import User
from vms.models.machine_queryset import usable_by_users_in
from vms.models.machines import VirtualMachine
from vms.models.operations import Operation
from vms.sentences import say


class Mode(models.TextChoices):
    CONTROL = "control", gettext_lazy("control")
    VIEW = "view", gettext_lazy("view only")


RIGHTS = "django.contrib.auth.backends.ModelBackend"
TEXT = CharField()


class ConsoleGrant(models.Model):
    """Allows this person to open one console, once, within seconds, with this login, machine and mode.

    Only hashes of the token and of the session key are stored.
    """

    LIFE = timedelta(seconds=20)

    token_hash = models.CharField(gettext_lazy("token hash"), max_length=64, primary_key=True)
    session_hash = models.CharField(gettext_lazy("session hash"), max_length=64)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, verbose_name=gettext_lazy("user"), related_name="+"
    )
    vm = models.ForeignKey(VirtualMachine, models.CASCADE, verbose_name=gettext_lazy("vm"), related_name="+")
    mode = models.CharField(gettext_lazy("mode"), max_length=10, choices=Mode)
    created_at = models.DateTimeField(gettext_lazy("created at"), default=timezone.now)
    used_at = models.DateTimeField(gettext_lazy("used at"), null=True)

    class Meta:
        verbose_name = gettext_lazy("console grant")
        verbose_name_plural = gettext_lazy("console grants")
        indexes = [models.Index(fields=["user", "created_at"], name="grants_by_person")]

    def __str__(self) -> str:
        return f"{self.mode} for {self.user_id}"

    @classmethod
    def issue(cls, machine: VirtualMachine, *, user: User, session_key: str, mode: str) -> str:
        """Returns the token."""
        token = secrets.token_urlsafe(32)
        cls.objects.create(
            token_hash=_hash(token), session_hash=_hash(session_key), user=user, vm=machine, mode=Mode(mode).value
        )
        return token

    @classmethod
    def forget_old(cls) -> None:
        cls.objects.filter(created_at__lt=timezone.now() - timedelta(hours=1)).delete()

    @classmethod
    def redeem(cls, token: str, *, user: User, session_key: str) -> Self | None:
        """Use a grant up. None when it is another person's or login's, was used, is too old, or does not exist."""
        now = timezone.now()
        mine = cls.objects.filter(token_hash=_hash(token), session_hash=_hash(session_key), user=user)
        if not mine.filter(used_at=None, created_at__gt=now - cls.LIFE).update(used_at=now):
            return None
        return mine.get()


def _hash(secret: str) -> str:
    return salted_hmac("vms.console", secret, algorithm="sha256").hexdigest()


class ConsoleStatus(NamedTuple):
    """`password` is the stored hash of the account: a changed one ends its logins. None: the account is gone."""

    closed_by: str
    password: str | None
    may_stay: bool


def _may_stay() -> Case:
    """The condition of `operable_by`, for the person and the machine of each console."""
    usable = Q(vm__in=usable_by_users_in('"vms_consolesession"."user_id"'))
    operators = User.objects.with_perm("vms.operate_virtualmachine", backend=RIGHTS).filter(is_staff=True)
    is_there = Q(user__is_active=True, vm__gone_at=None, vm__cluster__is_active=True)
    return Case(When((usable | Q(user__in=operators)) & is_there, then=True), default=False)


class ConsoleSessionQuerySet(models.QuerySet["ConsoleSession"]):
    def alive(self) -> Self:
        """Without consoles whose process died."""
        return self.filter(leased_until__gt=timezone.now())

    def statuses(self, keys: Collection[uuid.UUID], logins: Collection[str]) -> dict[uuid.UUID | str, ConsoleStatus]:
        """The status of these consoles, and which of these login sessions are still valid, in one query."""
        consoles = self.filter(pk__in=keys).order_by()
        found = consoles.values_list(Cast("pk", TEXT), "closed_by_name", "user__password", _may_stay())
        sessions = Session.objects.filter(session_key__in=logins, expire_date__gt=timezone.now())
        valid = sessions.values_list("session_key", Value("", TEXT), Value("", TEXT), Value(value=True))
        rows = found.union(valid, all=True).order_by()  # Django 6.1 would take the model's, of other columns
        return {key if key in logins else uuid.UUID(key): ConsoleStatus(*rest) for key, *rest in rows}

    def end_dead(self) -> int:
        """Record the end of consoles whose process died. Returns how many."""
        dead = self.filter(leased_until__lte=timezone.now())
        return sum(row.end(say("console-process-ended"), at=row.leased_until) for row in dead)


class ConsoleSession(models.Model):
    """An open console. At its end the row is deleted, and an `Operation` is written instead.

    Its process renews the lease; a console without a renewed lease is dead. `place` is one of the slots of a person.
    """

    PER_PERSON = 2
    LEASE = timedelta(seconds=75)

    id = models.UUIDField(gettext_lazy("id"), primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, verbose_name=gettext_lazy("user"), null=True, related_name="+"
    )
    user_name = models.CharField(gettext_lazy("user name"), max_length=150)
    vm = models.ForeignKey(
        VirtualMachine, models.SET_NULL, verbose_name=gettext_lazy("vm"), null=True, related_name="consoles"
    )
    cluster_id = models.CharField(gettext_lazy("cluster"), max_length=50)
    vmid = models.PositiveIntegerField(gettext_lazy("VMID"))
    vm_name = models.CharField(gettext_lazy("vm name"), max_length=255, blank=True)
    node = models.CharField(gettext_lazy("node"), max_length=63, blank=True)
    mode = models.CharField(gettext_lazy("mode"), max_length=10, choices=Mode)
    place = models.PositiveSmallIntegerField(gettext_lazy("place"))
    process = models.CharField(
        gettext_lazy("process"), max_length=100, blank=True, help_text=gettext_lazy("Which web process carries it.")
    )
    opened_at = models.DateTimeField(gettext_lazy("opened at"), default=timezone.now)
    leased_until = models.DateTimeField(gettext_lazy("leased until"))
    closed_by_name = models.CharField(gettext_lazy("closed by"), max_length=150, blank=True)

    objects: ClassVar[Any] = ConsoleSessionQuerySet.as_manager()

    class Meta:
        verbose_name_plural = gettext_lazy("open consoles")
        verbose_name = gettext_lazy("open console")
        ordering = ["opened_at"]
        constraints = [
            models.UniqueConstraint(fields=["user", "place"], name="one_console_per_person_and_place"),
            models.CheckConstraint(condition=Q(place__gte=1, place__lte=2), name="console_places"),
        ]

    def __str__(self) -> str:
        return f"{self.user_name} at {self.vm_name or self.vmid} ({self.cluster_id}/{self.vmid})"

    @classmethod
    def begin(cls, machine: VirtualMachine, *, user: User, mode: str) -> Self | None:
        """Open a console in a free slot of this person; None when there is none."""
        cls.objects.filter(user=user).end_dead()
        for slot in range(1, cls.PER_PERSON + 1):
            try:
                with transaction.atomic():
                    return cls._begin_in(slot, machine, user, mode)
            except IntegrityError:
                continue
        return None

    @classmethod
    def _begin_in(cls, slot: int, machine: VirtualMachine, user: User, mode: str) -> Self:
        found = cls(
            user=user,
            user_name=user.get_username(),
            vm=machine,
            cluster_id=machine.cluster_id,
            vmid=machine.vmid,
            vm_name=machine.name,
            node=machine.node,
            mode=mode,
            place=slot,
            process=_this_process(),
            leased_until=timezone.now() + cls.LEASE,
        )
        found.save(force_insert=True)
        return found

    def renew(self) -> bool:
        """Extend the lease. False when the console was recorded as dead."""
        return bool(ConsoleSession.objects.filter(pk=self.pk).update(leased_until=timezone.now() + self.LEASE))

    def close(self, *, by: User | AnonymousUser) -> bool:
        """Ask its process to close it within seconds. False when somebody did so before, or it is closed."""
        open_now = ConsoleSession.objects.alive().filter(pk=self.pk, closed_by_name="")
        return bool(open_now.update(closed_by_name=by.get_username()))

    def end(self, outcome: str, *, at: datetime | None = None) -> bool:
        """Record its end, once. False when that was done before."""
        with transaction.atomic():
            row = ConsoleSession.objects.filter(pk=self.pk).select_for_update(of=("self",)).first()
            if row is None or not ConsoleSession.objects.filter(pk=self.pk).delete()[0]:
                return False
            Operation.objects.create(
                vm_id=row.vm_id,
                cluster_id=row.cluster_id,
                vmid=row.vmid,
                vm_name=row.vm_name,
                node=row.node,
                action=Operation.Action.CONSOLE,
                state=Operation.State.DONE,
                requested_by_id=row.user_id,
                requested_by_name=row.user_name,
                requested_at=row.opened_at,
                admitted_at=row.opened_at,
                sent_at=row.opened_at,
                finished_at=at or timezone.now(),
                **stored_messages.columns("outcome", say(f"console-{row.mode}", outcome=outcome), most=500),
            )
        return True


def _this_process() -> str:
    return f"{socket.gethostname()[:80]}, {os.getpid()}"
