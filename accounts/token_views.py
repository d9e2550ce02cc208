"""The page of a person's own tokens."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from accounts.http import AuthenticatedHttpRequest, login_required
from accounts.models import ApiToken, User
from accounts.token_forms import TokenForm


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@sensitive_post_parameters("password")
@sensitive_variables("made", "text", "context")
def token_list(request: AuthenticatedHttpRequest) -> HttpResponse:
    """The tokens, and a form for a new one, whose text is in the answer to that form and nowhere else."""
    owner = User.objects.get(pk=request.user.pk)
    posted = request.method == "POST"
    form = TokenForm(request.POST if posted else None, request=request, owner=owner)
    made = form.save() if posted and form.is_valid() else None
    context = {
        "form": TokenForm(request=request, owner=owner) if made else form,
        "made": {"token": made[0], "text": made[1]} if made else None,
        "tokens": owner.api_tokens.all(),
        "now": timezone.now(),
        "address": request.build_absolute_uri("/api/v1/"),
    }
    answer = render(request, "accounts/tokens.html", context, status=400 if form.errors else 200)
    answer["Cache-Control"] = "private, no-store"
    return answer


@require_POST
@login_required
def revoke(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    token = get_object_or_404(ApiToken, pk=pk, owner=request.user.pk)
    if token.revoke(by=request.user.get_username()):
        messages.success(request, _("The token “%(name)s” was revoked. It no longer works.") % {"name": token.name})
    else:
        messages.info(request, _("The token “%(name)s” was already revoked.") % {"name": token.name})
    return redirect("profile-tokens")
