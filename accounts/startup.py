"""Runs once, when Django has loaded all models: what the audit log keeps of people."""

from auditlog.registry import auditlog
from django.contrib.auth.models import Group
from django.db.models.signals import m2m_changed

from accounts import checks, last_login  # noqa: F401 - registered by being imported
from accounts.models import ApiToken, OutsideRole, SignInIdentity, SignInRule, SignInSource, User
from accounts.models.sources import Directory, Provider, TrustedHeader
from accounts.sign_in import directory_sentences, roles  # noqa: F401 - registered by being imported
from accounts.sign_in.oidc import problems  # noqa: F401 - the same

auditlog.register(
    User,
    include_fields=[
        "username", "first_name", "last_name", "email", "is_active", "is_staff", "is_superuser", "password",
        "must_change_password",
    ],
    mask_fields=["password"],
    m2m_fields={"groups", "user_permissions"},
)  # fmt: skip
auditlog.register(Group, include_fields=["name"], m2m_fields={"permissions"})
SOURCE_FIELDS = [
    field.name
    for field in SignInSource._meta.concrete_fields
    if field.name not in {"id", "changed_at", "certificate_ends_at", "clock_offset"}
    and not field.name.startswith(("last_", "sync"))
]
for kind in (Directory, Provider, TrustedHeader):
    auditlog.register(kind, include_fields=SOURCE_FIELDS, mask_fields=["secret"])
auditlog.register(SignInRule, include_fields=["source", "on", "claim", "value", "gives", "role"])
auditlog.register(
    SignInIdentity,
    include_fields=[
        "user",
        "source",
        "subject",
        "name_there",
        "mail_there",
        "number_there",
        "left_at",
        "closed_reason",
    ],
)  # fmt: skip
auditlog.register(OutsideRole, include_fields=["user", "group", "source", "also_by_hand"])
m2m_changed.connect(roles.on_groups_changed, sender=User.groups.through, dispatch_uid="roles by hand")
auditlog.register(
    ApiToken,
    include_fields=[
        "owner", "name", "may_read", "may_write", "may_destroy", "as_staff", "scope", "scope_pk", "networks",
        "expires_at", "revoked_at", "revoked_by_name",
    ],
)  # fmt: skip
