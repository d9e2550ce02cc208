"""Console permissions: opening a console, and keeping it open. All of it blocks, so it runs in a thread."""

import logging
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib import auth
from django.http import HttpRequest, parse_cookie
from django.http.request import split_domain_port, validate_host

from accounts.models import User
from clusters import gateway, proxmox
from vms import registry
from vms.access.context import context_for
from vms.console import close_codes
from vms.console.close_codes import Ended
from vms.inventory import identity
from vms.models import ConsoleGrant, ConsoleSession, VirtualMachine
from vms.sentences import say

logger = logging.getLogger("vms.console")

Scope = dict[str, Any]


@dataclass(frozen=True)
class Viewer:
    """A person at an open console, and the endpoint of the display."""

    session_key: str
    user: User
    row: ConsoleSession
    machine: VirtualMachine
    endpoint: proxmox.ConsoleEndpoint


def is_same_origin(scope: Scope) -> bool:
    """Whether a page of this portal asks. Cookies are sent from other origins, too, and there is no CSRF token."""
    origins, hosts = _headers(scope, b"origin"), _headers(scope, b"host")
    if len(origins) != 1 or len(hosts) != 1:
        return False
    domain, _port = split_domain_port(hosts[0])
    if not domain or not validate_host(domain, _allowed_hosts()):
        return False
    scheme = "https" if scope.get("scheme") == "wss" else "http"
    return origins[0].lower() == f"{scheme}://{hosts[0].lower()}"


def session_key(scope: Scope) -> str:
    cookies = parse_cookie("; ".join(_headers(scope, b"cookie")))
    return str(cookies.get(settings.SESSION_COOKIE_NAME, ""))


def open_console(token: str, key: str) -> Viewer:
    """Redeem the grant, ask the rules, take a slot, and open the display's port. Raises `Ended`."""
    user = _logged_in_user(key)
    grant = ConsoleGrant.redeem(token, user=user, session_key=key)
    if grant is None:
        raise Ended(close_codes.DENIED, "this permit is used, too old or not yours")
    machine = VirtualMachine.objects.select_related("cluster").filter(pk=grant.vm_id).first()
    if machine is None or machine.gone_at:
        raise Ended(close_codes.NOT_THERE, say("end-machine-gone"))
    if refused := close_codes.refusal(context_for(machine, person=user)):
        raise Ended(close_codes.CODES[refused[0]], refused[0])
    row = ConsoleSession.begin(machine, user=user, mode=grant.mode)
    if row is None:
        raise Ended(close_codes.LIMIT, "too many consoles of this person")
    try:
        return Viewer(key, user, row, machine, _open_endpoint(machine))
    except Ended as ended:
        row.end(say("console-not-opened", reason=ended.why))
        raise


def recheck(viewer: Viewer) -> None:
    """Renew the lease. Raises `Ended` when the person may not use this console any more."""
    user = _logged_in_user(viewer.session_key)
    machines = VirtualMachine.objects.operable_by(user).filter(pk=viewer.machine.pk)
    machine = machines.select_related("cluster").first()
    if user.pk != viewer.user.pk or machine is None:
        raise Ended(close_codes.WITHDRAWN, say("end-right-withdrawn"))
    if machine.gone_at:
        raise Ended(close_codes.NOT_THERE, say("end-machine-gone"))
    if not machine.cluster.is_active:
        raise Ended(close_codes.CLUSTER_OFF, say("end-cluster-switched-off"))
    if not viewer.row.renew():
        raise Ended(close_codes.UNREACHABLE, say("end-portal-interrupted"))


def reason_for_end(viewer: Viewer) -> Ended:
    """Why the display closed: ask the cluster whether the machine is off."""
    try:
        with registry.resolved_once(), gateway.read(registry.get(viewer.machine.cluster_id), deadline=3.0) as pve:
            status = pve.guest_status(viewer.machine.node, viewer.machine.kind, viewer.machine.vmid)
    except (proxmox.ProxmoxError, registry.UnknownCluster):
        return Ended(close_codes.UNREACHABLE, say("end-display-ended"))
    if status.status == "stopped":
        return Ended(close_codes.OFF, say("end-machine-switched-off"))
    return Ended(close_codes.UNREACHABLE, say("end-display-ended"))


def _open_endpoint(machine: VirtualMachine) -> proxmox.ConsoleEndpoint:
    """Have the cluster open a port for the display. It does so for stopped machines, too, so ask the status first."""
    try:
        with registry.resolved_once(), gateway.connect(registry.get(machine.cluster_id)) as pve:
            return identity.ask_where_it_is(pve, machine, lambda: _endpoint(pve, machine))
    except registry.UnknownCluster:
        raise Ended(close_codes.UNREACHABLE, say("end-cluster-off")) from None
    except proxmox.ProxmoxError as failure:
        logger.warning("The console of %s/%s: %s", machine.cluster_id, machine.vmid, failure)
    raise Ended(close_codes.UNREACHABLE, say("end-display-not-opened"))


def _endpoint(pve: proxmox.Client, machine: VirtualMachine) -> proxmox.ConsoleEndpoint:
    guest = (machine.node, machine.kind, machine.vmid)
    if not identity.confirm(pve, machine):
        raise Ended(close_codes.REPLACED, say("end-another-machine"))
    if pve.guest_status(*guest).status != "running":
        raise Ended(close_codes.OFF, say("end-machine-off"))
    return pve.console_endpoint(*guest)


def _logged_in_user(key: str) -> User:
    """The user of this login session. Raises `Ended` when nobody is logged in (any more)."""
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(key or None)
    user = auth.get_user(request)
    if not isinstance(user, User) or not user.is_active:
        raise Ended(close_codes.LOGIN, say("end-not-logged-in"))
    if user.must_change_password:
        raise Ended(close_codes.LOGIN, "the password has to be changed first")
    return user


def _headers(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope.get("headers", ()) if key == name]


def _allowed_hosts() -> list[str]:
    return settings.ALLOWED_HOSTS or ([".localhost", "127.0.0.1", "[::1]"] if settings.DEBUG else [])
