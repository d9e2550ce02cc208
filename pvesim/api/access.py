"""/access and /version."""

from __future__ import annotations

from pvesim.accounts import REALMS
from pvesim.acl import Identity
from pvesim.api.call import Call, Json, Routes
from pvesim.errors import ApiError
from pvesim.parameters import FLAG, TEXT, Param, required

ROUTES = Routes()
VERSION: Json = {"version": "9.2.11", "release": "9.2", "repoid": "14a22df3"}


@ROUTES.add("GET", "/version")
def version(call: Call) -> Json:
    return VERSION


@ROUTES.add("GET", "/access/ticket", public=True)
def ticket_dummy(call: Call) -> None:
    """Exists, and says nothing."""


@ROUTES.add(
    "POST",
    "/access/ticket",
    {
        "username": required(Param(longest=64)),
        "password": required(TEXT),
        "realm": Param(longest=32),
        "otp": TEXT,
        "path": Param(longest=64),
        "privs": Param(longest=64),
        "tfa-challenge": TEXT,
        "new-format": FLAG,
    },
    public=True,
    protected=True,
    for_tokens=False,
)
def ticket(call: Call) -> Json:
    user = _login_name(call)
    if not _is_authentic(call, user):
        raise ApiError(401, "authentication failure\n")
    return {
        "username": user,
        "ticket": call.cluster.tickets.ticket(user, call.now),
        "CSRFPreventionToken": call.cluster.tickets.csrf_token(user, call.now),
        "cap": call.cluster.access.capabilities(Identity(user)),
        **_cluster_name(call, user),
    }


@ROUTES.add("GET", "/access/domains", public=True)
def domains(call: Call) -> list[Json]:
    return [{"realm": realm, "type": realm, "comment": comment} for realm, comment in REALMS.items()]


@ROUTES.add("GET", "/access/permissions", {"path": TEXT, "userid": TEXT})
def permissions(call: Call) -> Json:
    identity = _whose_permissions(call)
    access = call.cluster.access
    path = call.values.get("path")
    found = access.effective(identity) if path is None else {path: access.privileges(identity, path)}
    return {place: {name: int(flag) for name, flag in flags.items()} for place, flags in found.items()}


def _login_name(call: Call) -> str:
    name, realm = call.values["username"], call.values.get("realm")
    return name if realm is None or name.endswith(f"@{realm}") else f"{name}@{realm}"


def _is_authentic(call: Call, user: str) -> bool:
    """By password, or by a ticket which is still good: that is how one is renewed."""
    account, password = call.cluster.accounts.users.get(user), call.values["password"]
    if account is None or not account.is_active(call.now):
        return False
    return account.has_password(password) or call.cluster.tickets.owner_of(password, call.now) == user


def _cluster_name(call: Call, user: str) -> Json:
    knows = call.cluster.access.allows(Identity(user), "/", "Sys.Audit")
    return {"clustername": call.cluster.name} if knows and not call.cluster.standalone else {}


def _whose_permissions(call: Call) -> Identity:
    userid = call.values.get("userid")
    if userid is None or userid == str(call.identity):
        return call.identity
    token = call.cluster.accounts.tokens.get(userid)
    if token is None or token.user != str(call.identity):
        call.require("/access", "Sys.Audit")
    return token.identity if token else Identity(userid)
