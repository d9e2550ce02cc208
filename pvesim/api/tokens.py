"""/access/users/{userid}/token: API tokens are made, changed and deleted."""

from __future__ import annotations

from pvesim.accounts import Token
from pvesim.api.call import Call, Json, Routes
from pvesim.api.users import writing
from pvesim.errors import bad_parameters, failed
from pvesim.parameters import COUNT, FLAG, TEXT, Param, required, since

ROUTES = Routes()
PLACE = "/access/users/{userid}/token"
TOKENID = required(Param(pattern=r"[A-Za-z][A-Za-z0-9._-]+"))
SETTINGS = {"comment": TEXT, "expire": COUNT, "privsep": FLAG}
ROTATION = {"regenerate": since((9, 1), FLAG)}


@ROUTES.add("GET", PLACE, unordered=True)
def tokens(call: Call) -> list[Json]:
    userid = _user(call, "User.Modify", "Sys.Audit")
    owned = [token for token in call.cluster.accounts.tokens.values() if token.user == userid]
    return [{"tokenid": token.tokenid, **info(token)} for token in owned]


@ROUTES.add("GET", f"{PLACE}/{{tokenid}}", {"tokenid": TOKENID})
def token(call: Call) -> Json:
    _user(call, "User.Modify", "Sys.Audit")
    return info(_token(call))


@ROUTES.add("POST", f"{PLACE}/{{tokenid}}", {"tokenid": TOKENID, **SETTINGS}, protected=True)
def create(call: Call) -> Json:
    """The secret is told once, here. What was given comes back as the text that it was."""
    userid, values = _user(call, "User.Modify"), call.values
    full_id = f"{userid}!{values['tokenid']}"
    if full_id in call.cluster.accounts.tokens:
        raise bad_parameters({"tokenid": "Token already exists."})
    made: list[Token] = []

    def change() -> None:
        privsep, expire = values.get("privsep", True), values.get("expire", 0)
        made.append(call.cluster.add_token(userid, values["tokenid"], privsep=privsep, expire=expire))
        made[0].comment = values.get("comment", "")

    writing(call, "generating token", change)
    as_given = {name: str(int(values[name])) for name in ("expire", "privsep") if name in values}
    return {"full-tokenid": full_id, "value": made[0].secret, "info": info(made[0]) | as_given}


@ROUTES.add("PUT", f"{PLACE}/{{tokenid}}", {"tokenid": TOKENID, **SETTINGS, **ROTATION}, protected=True)
def change(call: Call) -> Json:
    """The settings as they are now; with `regenerate`, a new secret beside them."""
    _user(call, "User.Modify")
    found, values = _token(call), call.values

    def update() -> None:
        for name in SETTINGS.keys() & values.keys():
            setattr(found, name, values[name])
        if values.get("regenerate"):
            found.secret = call.cluster.accounts.new_secret()
        call.cluster.access.touch()

    writing(call, "updating token info", update)
    if not values.get("regenerate"):
        return info(found)
    return {**info(found), "value": found.secret, "full-tokenid": found.full_id}


@ROUTES.add("DELETE", f"{PLACE}/{{tokenid}}", {"tokenid": TOKENID}, protected=True)
def delete(call: Call) -> None:
    _user(call, "User.Modify")
    found = _token(call)
    writing(call, "deleting token", lambda: call.cluster.remove_token(found.full_id))


def info(token: Token) -> Json:
    return {
        "expire": token.expire,
        "privsep": int(token.privsep),
        **({"comment": token.comment} if token.comment else {}),
    }


def _user(call: Call, *privileges: str) -> str:
    """Users manage their own tokens; others need a privilege, even to hear that there is no such user."""
    userid = str(call.values["userid"])
    if userid != call.identity.user:
        call.require("/access/groups", *privileges)
    if userid not in call.cluster.accounts.users:
        raise failed(f"no such user ('{userid}')")
    return userid


def _token(call: Call) -> Token:
    userid, tokenid = call.values["userid"], call.values["tokenid"]
    found = call.cluster.accounts.tokens.get(f"{userid}!{tokenid}")
    if found is None:
        raise failed(f"no such token '{tokenid}' for user '{userid}'")
    return found
