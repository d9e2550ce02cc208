"""Logging in and out, and a person's own page: language, time zone, colours, password."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import LoginView, LogoutView, PasswordChangeView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.first_passwords import Changed
from accounts.forms import OwnPasswordForm, ProfileForm
from accounts.models import User
from accounts.sign_in import own_joining
from accounts.sign_in.oidc.sign_out import way_out
from accounts.sign_in.ways import ways


class LogIn(LoginView):
    redirect_authenticated_user = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs, ways=ways(self.get_redirect_url()))


class LogOut(LogoutView):
    """Ends the session, and offers to end that at the provider, too."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        way = way_out(request)
        answer = super().post(request, *args, **kwargs)
        return render(request, "sign_in/signed_out.html", {"way": way}) if way else answer


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def profile(request: HttpRequest) -> HttpResponse:
    person = User.objects.get(pk=request.user.pk or 0)
    form = ProfileForm(request.POST or None, instance=person)
    if request.method == "POST" and form.is_valid():
        person.save(update_fields=form.changed_data)  # what others decide about an account is not written here
        with translation.override(person.language or None):
            messages.success(request, _("Your settings were saved."))
        return redirect("profile")
    shown = {"form": form, "identities": own_joining.identities(person), "joinable": own_joining.offered(person)}
    return render(request, "accounts/profile.html", shown, status=400 if form.errors else 200)


class ChangePassword(PasswordChangeView):
    """Changes the password, and logs out all other sessions of the person."""

    template_name = "accounts/password.html"
    form_class = OwnPasswordForm
    success_url = reverse_lazy("profile")

    def form_valid(self, form: object) -> HttpResponse:
        try:
            answer = super().form_valid(form)  # type: ignore[arg-type]
        except Changed:
            messages.error(self.request, _("Somebody else changed your password in the meantime. Log in again."))
            return redirect("login")
        messages.success(self.request, _("Your password was changed. Other devices have to log in again."))
        return answer
