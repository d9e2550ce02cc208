"""Runs once, when Django has loaded all models: what the audit log keeps of people."""

from auditlog.registry import auditlog
from django.contrib.auth.models import Group

from accounts.models import User

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
