from django.apps import AppConfig
from django.utils.translation import gettext_lazy


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = gettext_lazy("Accounts")

    def ready(self) -> None:
        from auditlog.registry import auditlog  # noqa: PLC0415
        from django.contrib.auth.models import Group  # noqa: PLC0415

        from accounts.models import User  # noqa: PLC0415

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
