"""A person joins their own account with who they are at a source, and proves both: first the password here, then there.

What the form proved travels in a signed link, for this person and a while: a form that is answered by a redirect to
another host stops at the Content-Security-Policy.
"""

from dataclasses import asdict
from typing import Any
from urllib.parse import urlencode

from axes.handlers.proxy import AxesProxyHandler
from django import forms
from django.contrib.auth import authenticate
from django.contrib.auth.signals import user_login_failed
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from accounts import first_passwords, signed
from accounts.http import AuthenticatedHttpRequest, login_required
from accounts.models import SignInIdentity, SignInSource, User
from accounts.models.sources import Directory
from accounts.sign_in import directories, going_in
from accounts.sign_in.facts import OutsidePerson
from accounts.sign_in.going_in import Joining

PURPOSE = "join"
MOST_NAME = 150  # characters


class JoinForm(forms.Form):
    password = forms.CharField(
        label=gettext_lazy("Your password in this portal"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    keep_password = forms.BooleanField(
        label=gettext_lazy("Keep this password"),
        required=False,
        help_text=gettext_lazy("You can then still log in with it, also while the school's sign-in does not work."),
    )


class JoinDirectoryForm(JoinForm):
    their_name = forms.CharField(
        label=gettext_lazy("User name there"),
        max_length=MOST_NAME,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    their_password = forms.CharField(
        label=gettext_lazy("Password there"), strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "off"})
    )


def offered(user: User) -> list[SignInSource]:
    """The sources that this person can still join, by their own password."""
    if not user.has_usable_password():
        return []
    return list(SignInSource.objects.filter(is_active=True).exclude(identities__user=user))


def identities(user: User) -> list[SignInIdentity]:
    return list(SignInIdentity.objects.filter(user=user).select_related("source").order_by("first_seen_at"))


@sensitive_variables()
@sensitive_post_parameters()
@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def join(request: AuthenticatedHttpRequest, name: str) -> HttpResponse:
    """GET: the form. POST: joined with a directory at once, and with others by way of the link that it answers."""
    source = going_in.active_or_404(SignInSource, name)
    if not request.user.has_usable_password() or request.user.identities.filter(source=source).exists():
        raise Http404
    kind = JoinDirectoryForm if source.kind == SignInSource.Kind.DIRECTORY else JoinForm
    form = kind(request.POST or None, initial={"keep_password": request.user.is_superuser})
    if request.method == "POST" and form.is_valid():
        joining = Joining(request.user.pk, form.cleaned_data["keep_password"])
        if not _is_right(request, form.cleaned_data["password"]):
            form.add_error("password", _("This is not your password."))
        elif not isinstance(form, JoinDirectoryForm):
            return render(
                request, "sign_in/join_onward.html", {"source": source, "onward": _link(request, source, joining)}
            )
        elif person := _at_directory(request, source, form):
            return going_in.let_in(request, source, person, "", now=timezone.now(), joining=joining)
    return render(request, "sign_in/join.html", {"form": form, "source": source}, status=400 if form.errors else 200)


@sensitive_variables()
def _is_right(request: AuthenticatedHttpRequest, password: str) -> bool:
    """A wrong one counts as at the login, and locks as there."""
    found = authenticate(request, username=request.user.get_username(), password=password)
    return found is not None and found.pk == request.user.pk


@sensitive_variables()
def _at_directory(
    request: AuthenticatedHttpRequest, source: SignInSource, form: JoinDirectoryForm
) -> OutsidePerson | None:
    """Raises what the login raises, whose pages say it. Wrong passwords count and lock as at the login, too."""
    directory = Directory.objects.get(pk=source.pk)
    credentials = {"username": form.cleaned_data["their_name"]}
    person = None
    if AxesProxyHandler.is_allowed(request, credentials):
        person = directories.ask(directory, form.cleaned_data["their_name"], form.cleaned_data["their_password"])
        if person is None:
            user_login_failed.send(__name__, credentials=credentials, request=request)
            form.add_error("their_password", _("User name and password there don't match."))
    if AxesProxyHandler.is_allowed(request, credentials):  # again: many guesses may have been sent at once
        return person
    form.add_error("their_password", _("Too many wrong passwords. Wait 15 minutes."))
    return None


def _link(request: AuthenticatedHttpRequest, source: SignInSource, joining: Joining) -> str:
    told = {"source": source.pk, "password": first_passwords.state(request.user), **asdict(joining)}
    query = urlencode({"joining": signed.dumps(PURPOSE, request, told)})
    return f"{reverse('sign-in', args=[source.name])}?{query}"


def joining_of(request: HttpRequest, source: SignInSource) -> Joining | None:
    """What the link of the form says, for the person who sent it. None: it says nothing that holds."""
    told: Any = signed.loads(PURPOSE, request, request.GET.get("joining", ""))
    if not told or told["source"] != source.pk or not isinstance(request.user, User):
        return None
    if told["password"] != first_passwords.state(request.user):
        return None
    return Joining(told["user"], told["keep_password"])
