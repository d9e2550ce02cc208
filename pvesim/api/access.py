"""/access and /version."""

from __future__ import annotations

from pvesim.accounts import User
from pvesim.acl import Identity
from pvesim.api.call import Call, Json, Routes
from pvesim.errors import ApiError
from pvesim.parameters import FLAG, TEXT, Param, required

ROUTES = Routes()


@ROUTES.add("GET", "/version")
def version(call: Call) -> Json:
    return call.cluster.release.row


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
    account = call.cluster.accounts.users.get(user)
    if account is None or not account.is_active(call.now):
        raise _refusal()
    given, challenge = call.values["password"], call.values.get("tfa-challenge")
    if challenge is not None:
        return _second_step(call, account, given, challenge)
    # A ticket which is still good renews itself, and is not asked for a second factor again.
    if call.cluster.tickets.owner_of(given, call.now) == user:
        return _login(call, user)
    if not account.has_password(given):
        raise _refusal()
    return _login(call, user) if account.totp is None else _first_step(call, account)


@ROUTES.add("GET", "/access/domains", public=True, unordered=True)
def domains(call: Call) -> list[Json]:
    return [
        {
            "realm": realm.name,
            "type": realm.type,
            **({"comment": realm.comment} if realm.comment else {}),
            **({"default": 1} if realm.default else {}),
        }
        for realm in call.cluster.accounts.realms.values()
    ]


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


def _first_step(call: Call, account: User) -> Json:
    """The password is right; a code which came along spares the challenge."""
    code = call.values.get("otp")
    if code is not None:
        if not account.has_code(code, call.now):
            raise _refusal()
        return _login(call, account.userid)
    tickets = call.cluster.tickets
    return {
        "username": account.userid,
        "ticket": tickets.challenge(account.userid, call.now),
        "CSRFPreventionToken": tickets.csrf_token(account.userid, call.now),
        "NeedTFA": 1,
    }


def _second_step(call: Call, account: User, given: str, challenge: str) -> Json:
    kind, _, code = given.partition(":")
    genuine = call.cluster.tickets.is_challenge_of(account.userid, challenge, call.now)
    if not genuine or kind != "totp" or not account.has_code(code, call.now):
        raise _refusal()
    return _login(call, account.userid)


def _login(call: Call, user: str) -> Json:
    return {
        "username": user,
        "ticket": call.cluster.tickets.ticket(user, call.now),
        "CSRFPreventionToken": call.cluster.tickets.csrf_token(user, call.now),
        "cap": call.cluster.access.capabilities(Identity(user)),
        **_cluster_name(call, user),
    }


def _refusal() -> ApiError:
    return ApiError(401, "authentication failure\n")


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
