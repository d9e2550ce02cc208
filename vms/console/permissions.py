"""Who is let in, and who may stay. All of this waits for the database or a cluster, so it runs on a thread."""

import logging
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib import auth
from django.http import HttpRequest, parse_cookie
from django.http.request import split_domain_port, validate_host
from django.utils.translation import gettext_noop

from accounts.models import User
from clusters import gateway, proxmox
from vms import registry
from vms.access.context import context_for
from vms.console import close_codes
from vms.console.close_codes import Ended
from vms.inventory import identity
from vms.models import ConsoleGrant, ConsoleSession, VirtualMachine

logger = logging.getLogger("vms.console")

Scope = dict[str, Any]


@dataclass(frozen=True)
class Visitor:
    """A console that was let in."""

    session_key: str
    user: User
    row: ConsoleSession
    machine: VirtualMachine
    way: proxmox.ConsoleEndpoint


def is_ours(scope: Scope) -> bool:
    """Whether a page of this very portal asks: cookies come along from everywhere, and there is no CSRF token."""
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


def enter(token: str, key: str) -> Visitor:
    """Use the permit, ask the rules, take a place, and open the display's port. Raises `Ended`."""
    user = _who(key)
    grant = ConsoleGrant.redeem(token, user=user, session_key=key)
    if grant is None:
        raise Ended(close_codes.DENIED, "this permit is used, too old or not yours")
    machine = VirtualMachine.objects.select_related("cluster").filter(pk=grant.vm_id).first()
    if machine is None or machine.gone_at:
        raise Ended(close_codes.NOT_THERE, gettext_noop("the machine is gone"))
    if refused := close_codes.refusal(context_for(machine, person=user)):
        raise Ended(close_codes.CODES[refused[0]], refused[0])
    row = ConsoleSession.begin(machine, user=user, mode=grant.mode)
    if row is None:
        raise Ended(close_codes.LIMIT, "too many consoles of this person")
    try:
        return Visitor(key, user, row, machine, _way_to(machine))
    except Ended as ended:
        row.end(gettext_noop("Not opened: %(reason)s.") % {"reason": ended.reason})
        raise


def stay(visitor: Visitor) -> None:
    """Renew the lease. Raises `Ended` when the person may not go on."""
    user = _who(visitor.session_key)
    machines = VirtualMachine.objects.operable_by(user).filter(pk=visitor.machine.pk)
    machine = machines.select_related("cluster").first()
    if user.pk != visitor.user.pk or machine is None:
        raise Ended(close_codes.WITHDRAWN, gettext_noop("the right to this machine was withdrawn"))
    if machine.gone_at:
        raise Ended(close_codes.NOT_THERE, gettext_noop("the machine is gone"))
    if not machine.cluster.is_active:
        raise Ended(close_codes.CLUSTER_OFF, gettext_noop("the cluster was switched off"))
    if not visitor.row.renew():
        raise Ended(close_codes.UNREACHABLE, gettext_noop("the portal was interrupted"))


def why_it_ended(visitor: Visitor) -> Ended:
    """After the display has closed: whether the machine is off."""
    try:
        with registry.resolved_once(), gateway.read(registry.get(visitor.machine.cluster_id), deadline=3.0) as pve:
            status = pve.guest_status(visitor.machine.node, visitor.machine.kind, visitor.machine.vmid)
    except (proxmox.ProxmoxError, registry.UnknownCluster):
        return Ended(close_codes.UNREACHABLE, gettext_noop("the display ended"))
    if status.status == "stopped":
        return Ended(close_codes.OFF, gettext_noop("the machine was switched off"))
    return Ended(close_codes.UNREACHABLE, gettext_noop("the display ended"))


def _way_to(machine: VirtualMachine) -> proxmox.ConsoleEndpoint:
    """The cluster opens a port for machines that are off, too, so it is asked before."""
    place = (machine.node, machine.kind, machine.vmid)
    try:
        with registry.resolved_once(), gateway.connect(registry.get(machine.cluster_id)) as pve:
            if not identity.confirm(pve, machine):
                raise Ended(close_codes.REPLACED, gettext_noop("another machine has this number now"))
            if pve.guest_status(*place).status != "running":
                raise Ended(close_codes.OFF, gettext_noop("the machine does not run"))
            return pve.console_endpoint(*place)
    except registry.UnknownCluster:
        raise Ended(close_codes.UNREACHABLE, gettext_noop("the cluster is switched off")) from None
    except proxmox.ProxmoxError as failure:
        logger.warning("The console of %s/%s: %s", machine.cluster_id, machine.vmid, failure.plain)
    raise Ended(close_codes.UNREACHABLE, gettext_noop("the cluster did not open the display"))


def _who(key: str) -> User:
    """Whose login this is. Raises `Ended` when it is nobody's (any more)."""
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(key or None)
    user = auth.get_user(request)
    if not isinstance(user, User) or not user.is_active:
        raise Ended(close_codes.LOGIN, gettext_noop("nobody is logged in"))
    if user.must_change_password:
        raise Ended(close_codes.LOGIN, "the password has to be changed first")
    return user


def _headers(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope.get("headers", ()) if key == name]


def _allowed_hosts() -> list[str]:
    return settings.ALLOWED_HOSTS or ([".localhost", "127.0.0.1", "[::1]"] if settings.DEBUG else [])
