"""Pages of signing in from outside."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from accounts.models import Provider, SignInSource, TrustedHeader
from accounts.sign_in import going_in, own_joining, trusted_header
from accounts.sign_in.oidc import pages as oidc


@never_cache
@require_GET
def begin(request: HttpRequest, name: str) -> HttpResponse:
    """Where the login page's link leads. What is switched off is not there."""
    source = going_in.active_or_404(SignInSource, name)
    joining = own_joining.joining_of(request, source)
    if joining is None and "joining" in request.GET:
        return redirect("profile")  # the link is too old, or was somebody else's
    if source.kind == SignInSource.Kind.PROVIDER:
        return oidc.begin(request, Provider.objects.get(pk=source.pk), joining=joining)
    if source.kind == SignInSource.Kind.HEADER:
        return trusted_header.begin(request, TrustedHeader.objects.get(pk=source.pk), joining=joining)
    return redirect("login")
