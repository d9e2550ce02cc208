"""The page on which an administrator confirms that the portal may act by itself again."""

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.http import AuthenticatedHttpRequest, login_required
from vms import automation
from vms.models import Automation


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@permission_required("clusters.change_cluster", raise_exception=True)
def confirm(request: AuthenticatedHttpRequest) -> HttpResponse:
    """Why everything is held and what waits; by POST, go on, or drop what waits and go on."""
    if request.method == "POST":
        if automation.confirm(by=request.user.get_username(), drops_waiting="drop" in request.POST):
            messages.success(request, _("The portal acts by itself again."))
        return redirect("vms-automation")
    state = Automation.current()
    context = {"state": state if state and state.held_since else None, "waiting": automation.waiting()}
    return render(request, "vms/automation.html", context)
