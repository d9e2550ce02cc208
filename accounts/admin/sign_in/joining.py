"""Joining accounts with people of a source in the admin: one after a look, or many by a plan. For superusers."""

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import signed
from accounts.forms import TableForm
from accounts.models import SignInIdentity, SignInSource, User
from accounts.plans.admin_page import AdminPlanPage
from accounts.plans.page import Facts
from accounts.sign_in import bulk_joining, joining, testing
from accounts.sign_in.bulk_joining import JoiningPlan
from accounts.sign_in.entering import Refused
from accounts.sign_in.facts import OutsidePerson
from accounts.sign_in.outages import SourceDown
from accounts.spreadsheet import Unreadable

Admin = admin.ModelAdmin[Any]
PURPOSE = "join"


class KeepsPassword(forms.Form):
    keep = forms.BooleanField(
        label=gettext_lazy("Keep the password of this portal, too"),
        required=False,
        help_text=gettext_lazy("Otherwise only the school account signs in, and all sessions of the account end now."),
    )


class JoinForm(KeepsPassword):
    source = forms.ModelChoiceField(SignInSource.objects.none(), label=gettext_lazy("Source"), empty_label=None)
    who = forms.CharField(
        label=gettext_lazy("Who it is there"),
        max_length=255,
        help_text=gettext_lazy("For a directory the user name, otherwise the ID: of a provider, its “sub”."),
    )
    field_order = ("source", "who", "keep")

    def __init__(self, person: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        free = SignInSource.objects.exclude(identities__user=person)
        self.fields["source"].queryset = free  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        source, who = data.get("source"), data.get("who")
        if source and who:
            data["found"] = self._found(source, who)
        return data

    def _found(self, source: SignInSource, who: str) -> OutsidePerson | None:
        if source.kind != SignInSource.Kind.DIRECTORY:
            return OutsidePerson(subject=who, username="")
        try:
            found = testing.find(source, who)
        except SourceDown as error:
            self.add_error("source", str(error.message))
            return None
        if found is None:
            self.add_error("who", _("The directory knows nobody by this name."))
        return found


def _superuser_alone(request: HttpRequest) -> None:
    """Whoever joins accounts decides who gets into them, and which roles come along."""
    if not request.user.is_superuser:
        raise PermissionDenied


def join(request: HttpRequest, model_admin: Admin, pk: int) -> HttpResponse:
    """GET: the form. POST: who was found. POST with `shown`: joined with exactly that person."""
    _superuser_alone(request)
    person: User | None = model_admin.get_object(request, str(pk))
    if person is None:
        raise Http404
    if "shown" in request.POST:
        return _confirmed(request, model_admin, person)
    form = JoinForm(person, request.POST or None, initial={"keep": person.is_superuser})
    context: dict[str, Any] = {"form": form}
    if request.method == "POST" and form.is_valid():
        found, source = form.cleaned_data["found"], form.cleaned_data["source"]
        kept = {"person": pk, "source": source.pk, "keep": form.cleaned_data["keep"], "who": _told(found)}
        context = {"found": found, "source": source, "keep": form.cleaned_data["keep"]}
        context["shown"] = signed.dumps(PURPOSE, request, kept)
    return _page(request, model_admin, person, context)


def _told(found: OutsidePerson) -> dict[str, str]:
    names = ("subject", "username", "first_name", "last_name", "email", "number")
    return {name: getattr(found, name) for name in names}


def _confirmed(request: HttpRequest, model_admin: Admin, person: User) -> HttpResponse:
    kept = signed.loads(PURPOSE, request, request.POST["shown"]) or {}
    source = SignInSource.objects.filter(pk=kept["source"]).first() if kept else None
    if kept.get("person") != person.pk or source is None:
        messages.error(request, _("This preview is too old, or not yours. Start again."))
        return redirect("admin:accounts_user_join", person.pk)
    # Without groups: roles and classes follow when the person signs in, or with the next comparison.
    found = OutsidePerson(**kept["who"])
    try:
        joining.by_administrator(source, found, user=person, keep_password=bool(kept["keep"]), now=timezone.now())
    except Refused as refused:
        messages.error(request, refused.sentence.rendered)
        return redirect("admin:accounts_user_join", person.pk)
    model_admin.log_change(request, person, f"Joined with {source.name}.")
    text = _("%(name)s can now sign in with %(source)s.")
    messages.success(request, text % {"name": person.get_username(), "source": source.label})
    return redirect("admin:accounts_user_change", person.pk)


def separate(request: HttpRequest, model_admin: Admin, pk: int, identity_pk: int) -> HttpResponse:
    """GET: the question. POST: undone."""
    _superuser_alone(request)
    found = SignInIdentity.objects.select_related("source", "user").filter(pk=identity_pk, user=pk).first()
    if found is None:
        raise Http404
    if request.method != "POST":
        return _page(request, model_admin, found.user, {"identity": found})
    joining.separate(found, by=cast("User", request.user), now=timezone.now())
    model_admin.log_change(request, found.user, f"Separated from {found.source.name}.")
    text = _("%(name)s can no longer sign in with %(source)s.")
    messages.success(request, text % {"name": found.user.get_username(), "source": found.source.label})
    return redirect("admin:accounts_user_change", pk)


def _page(request: HttpRequest, model_admin: Admin, person: User, context: dict[str, Any]) -> HttpResponse:
    title = _("Separate %(name)s") if "identity" in context else _("Join %(name)s with a school account")
    common = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "person": person,
        "title": title % {"name": person.get_username()},
    }
    answer = render(request, "admin/accounts/sign_in/join.html", common | context)
    answer["Cache-Control"] = "private, no-store"
    return answer


class BulkForm(TableForm):
    text_help = gettext_lazy(
        "One account per line: username,number. At a directory, the number is looked up in its number attribute; "
        "elsewhere it is the ID of the person. A list can have at most 1,000 lines."
    )

    source = forms.ModelChoiceField(SignInSource.objects.all(), label=gettext_lazy("Source"), empty_label=None)
    keep = forms.BooleanField(
        label=gettext_lazy("Keep the passwords of this portal, too"),
        required=False,
        help_text=gettext_lazy("Otherwise only the school account signs in, and all sessions of these accounts end."),
    )
    field_order = ("source", "upload", "text", "keep")


class BulkJoinPage(AdminPlanPage[JoiningPlan]):
    purpose = "join-accounts"
    title = gettext_lazy("Join accounts")
    form_class = BulkForm

    def __init__(self, request: HttpRequest, model_admin: Admin) -> None:
        _superuser_alone(request)
        super().__init__(request, model_admin)

    def facts(self, form: forms.Form) -> Facts:
        """With what the source says: it is asked once, and not when the plan is carried out."""
        text, source = form.cleaned_data["table"], form.cleaned_data["source"]
        lines = bulk_joining.read(text)
        try:
            found = bulk_joining.look_up(source, lines)
        except SourceDown as error:
            raise Unreadable(str(error.message), field="source") from None
        except ModuleNotFoundError:
            raise Unreadable(str(testing.run(source)[0].sentence), field="source") from None
        return {"text": text, "source": source.pk, "keep": form.cleaned_data["keep"], "found": found}

    def initial(self, facts: Facts) -> Facts:
        return {name: facts[name] for name in ("text", "source", "keep")}

    def plan(self, facts: Facts) -> JoiningPlan:
        return bulk_joining.plan(facts["text"], facts["found"], _options(facts))

    def apply(self, facts: Facts, expected: str) -> JoiningPlan:
        return bulk_joining.apply(facts["text"], facts["found"], _options(facts), expected=expected)


def _options(facts: Facts) -> bulk_joining.Options:
    return bulk_joining.Options(source=facts["source"], keep_passwords=facts["keep"])
