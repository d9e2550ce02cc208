"""Directories, providers and trusted headers in the admin: for superusers, since their rules give rights."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html_join
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import stored_messages
from accounts.admin.comparing import ComparePage
from accounts.admin.sign_in import pages
from accounts.admin.sign_in.forms import DirectoryForm, ProviderForm, RuleForm, TrustedHeaderForm
from accounts.deletion import ReadableDeletion
from accounts.models import Directory, Provider, SignInRule, SignInSource, TrustedHeader
from accounts.sign_in import health


class RuleInline(admin.StackedInline[SignInRule, SignInSource]):
    model = SignInRule
    form = RuleForm
    fields = (("gives", "role"), ("on", "claim"), "value")
    extra = 1
    verbose_name_plural = gettext_lazy("rules: who comes in, and what they become")

    def get_formset(self, request: HttpRequest, obj: SignInSource | None = None, **kwargs: Any) -> Any:
        formset: Any = super().get_formset(request, obj, **kwargs)
        kind = self.parent_model.KIND  # type: ignore[attr-defined]

        class OfThisKind(formset):  # type: ignore[misc]
            def get_form_kwargs(self, index: int | None) -> dict[str, Any]:
                return {**super().get_form_kwargs(index), "kind": kind}

        return OfThisKind

    # Whoever may change the source may change its rules: rows of their own have no permissions.

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    has_change_permission = has_delete_permission = has_add_permission


class SourceAdmin(ReadableDeletion[Any]):
    list_display = ("label", "name", "is_active", "people", "state")
    list_filter = ("is_active",)
    ordering = ("position", "name")
    search_fields = ("name", "label")
    readonly_fields: ClassVar[Any] = ("state",)
    inlines = (RuleInline,)
    list_per_page = 50
    show_full_result_count = False
    change_form_template = "admin/accounts/sign_in/change_form.html"
    delete_confirmation_template = "admin/accounts/sign_in/delete_confirmation.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        people = Count("identities", distinct=True)
        entry = Count("rules", filter=Q(rules__gives=SignInRule.Gives.ENTRY), distinct=True)
        found: QuerySet[Any] = super().get_queryset(request).annotate(people_total=people, lets_somebody_in=entry)
        return found

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (*super().get_readonly_fields(request, obj), *(("name",) if obj else ()))

    @admin.display(description=gettext_lazy("people"), ordering="people_total")
    def people(self, source: Any) -> int:
        return int(source.people_total)

    @admin.display(description=gettext_lazy("state"))
    def state(self, source: Any) -> str:
        if not source.pk:
            return _("Save it first.")
        if not source.is_active:
            tested = stored_messages.render(stored_messages.of(source, "last_test_sentence"))
            return " ".join(filter(None, [_("Not active."), tested]))
        found = health.of(source, timezone.now())
        return format_html_join(" ", "{}", ((finding.message.rendered,) for finding in found))

    def get_urls(self) -> list[URLPattern]:
        return [*pages.urls(self), *super().get_urls()]

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        source = form.instance
        if source.is_active and not source.rules.filter(gives=SignInRule.Gives.ENTRY).exists():
            text = _("Nobody can sign in with %(name)s yet: no rule lets anybody in.")
            messages.warning(request, text % {"name": source.label})

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """A form that changed nothing leaves nothing in the history."""
        return super().log_change(request, obj, message) if message else None

    # Whoever edits rules can give rights, so this is for superusers, whatever permissions somebody was given.

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)

    has_change_permission = has_delete_permission = has_view_permission

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)


GENERAL = ("name", "label", "is_active", "position", "state")
ACCOUNTS = (gettext_lazy("New accounts"), {"fields": ("makes_accounts", "username_rule")})


@admin.register(Directory)
class DirectoryAdmin(SourceAdmin):
    form = DirectoryForm
    readonly_fields: ClassVar[Any] = ("state", "comparison")
    fieldsets: ClassVar[Any] = (
        (None, {"fields": (*GENERAL, "comparison")}),
        (gettext_lazy("Connection"), {"fields": ("servers", "start_tls", "ca_certificates", "timeout_seconds")}),
        (
            gettext_lazy("Reader account"),
            {
                "fields": ("bind_dn", "new_secret"),
                "description": gettext_lazy("Finds people before their password is tried. Empty: anonymous."),
            },
        ),
        (
            gettext_lazy("People"),
            {"fields": ("flavour", "base_dn", "person_filter", "id_attribute", "name_attribute", "number_attribute")},
        ),
        (gettext_lazy("Groups"), {"fields": ("group_base_dn", "group_attribute", "nested")}),
        ACCOUNTS,
    )

    def get_urls(self) -> list[URLPattern]:
        compare = self.admin_site.admin_view(self.compare_view)
        return [path("<int:pk>/compare/", compare, name="accounts_directory_compare"), *super().get_urls()]

    def compare_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not self.has_change_permission(request):
            raise PermissionDenied
        return ComparePage(request, self, get_object_or_404(Directory, pk=pk)).respond()

    @admin.display(description=gettext_lazy("last comparison"))
    def comparison(self, directory: Directory) -> str:
        """What the nightly comparison of accounts said."""
        if not directory.synced_at:
            return "-"
        when = date_format(localtime(directory.synced_at), "SHORT_DATETIME_FORMAT")
        return f"{when}: {stored_messages.render(stored_messages.of(directory, 'sync_sentence'))}"

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Another attribute would make everybody somebody new."""
        fixed = ("id_attribute",) if obj and obj.identities.exists() else ()
        return (*super().get_readonly_fields(request, obj), *fixed)


@admin.register(Provider)
class ProviderAdmin(SourceAdmin):
    form = ProviderForm
    fieldsets: ClassVar[Any] = (
        (None, {"fields": GENERAL}),
        (
            gettext_lazy("Provider"),
            {"fields": ("issuer", "client_id", "new_secret", "addresses", "ca_certificates")},
        ),
        (
            gettext_lazy("Claims"),
            {"fields": ("scopes", "ask_userinfo", "name_claim", "groups_claim", "roles_claim", "number_claim")},
        ),
        (gettext_lazy("Shared computers"), {"fields": ("ask_again", "sign_out_there")}),
        ACCOUNTS,
        (gettext_lazy("Signatures"), {"fields": ("allowed_algorithms",), "classes": ("collapse",)}),
    )

    readonly_fields: ClassVar[Any] = ("state", "addresses")

    @admin.display(description=gettext_lazy("for the provider"))
    def addresses(self, source: Any) -> str:
        """What has to be entered there."""
        if not source.pk:
            return _("Save it first.")
        back = f"{source.portal_address}{reverse('sign-in-callback', args=[source.name])}"
        out = f"{source.portal_address}{reverse('login')}"
        lines = [(_("Redirect URI"), back), (_("after signing out"), out)]
        return format_html_join("", "<div>{}: <code>{}</code></div>", lines)

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        if obj := kwargs.get("obj"):  # by which the provider leads back: the same as of this page
            obj.portal_address = request.build_absolute_uri("/").rstrip("/")
        return super().render_change_form(request, context, *args, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """People are known by issuer and ID: with another issuer they would be somebody else's."""
        fixed = ("issuer",) if obj and obj.identities.exists() else ()
        return (*super().get_readonly_fields(request, obj), *fixed)


@admin.register(TrustedHeader)
class TrustedHeaderAdmin(SourceAdmin):
    form = TrustedHeaderForm
    fieldsets: ClassVar[Any] = (
        (None, {"fields": GENERAL}),
        (
            gettext_lazy("Proxy"),
            {
                "fields": ("header_name", "groups_header", "proxies"),
                "description": gettext_lazy(
                    "The proxy has to remove these headers from every request, and then set them itself. Otherwise "
                    "anybody can send them, and sign in as anybody."
                ),
            },
        ),
        ACCOUNTS,
    )
