"""/access/users and what belongs to it: accounts, roles and the access control list."""

from __future__ import annotations

from collections.abc import Callable

from pvesim.api.call import Call, Json, Permission, Routes
from pvesim.errors import ApiError, bad_parameters, failed
from pvesim.parameters import COUNT, FLAG, TEXT, Param, required

ROUTES = Routes()
USERID = required(Param(longest=64, pattern=r"[^\s:/]+@[A-Za-z][A-Za-z0-9._-]+"))
ROLEID = required(Param(pattern=r"[A-Za-z0-9._-]+"))
WRITES_ROLES = Permission("/access", ("Sys.Modify",))
WRITES_USERS = Permission("/access/groups", ("User.Modify",))
NEW_USER = {"userid": USERID, "password": TEXT, "comment": TEXT, "email": TEXT, "enable": FLAG, "expire": COUNT}
OLD_USER = {"userid": USERID, "comment": TEXT, "email": TEXT, "enable": FLAG, "expire": COUNT, "append": FLAG}
GRANT = {
    "path": required(TEXT),
    "roles": required(TEXT),
    "users": TEXT,
    "groups": TEXT,
    "tokens": TEXT,
    "propagate": FLAG,
    "delete": FLAG,
}


def writing(call: Call, what: str, change: Callable[[], object]) -> None:
    """Accounts are written under a lock of the whole cluster, which nobody gets without quorum."""
    if not call.cluster.is_quorate(call.entry_node):
        text = f"{what} failed: cfs-lock 'file-user_cfg' error: no quorum!\n"
        raise ApiError(500, text, delay=call.cluster.durations.account_lock)
    change()


@ROUTES.add("GET", "/access/users", {"enabled": FLAG, "full": FLAG}, protected=True)
def users(call: Call) -> list[Json]:
    sees_all = call.may("/access/groups", "User.Modify", "Sys.Audit")
    return [
        {
            "userid": user.userid,
            "enable": int(user.enabled),
            "expire": user.expire,
            "realm-type": call.cluster.accounts.realms[user.realm].type,
            **({"comment": user.comment} if user.comment else {}),
            **({"email": user.email} if user.email else {}),
            **(_belongings(call, user.userid) if call.values.get("full") else {}),
        }
        for user in call.cluster.accounts.users.values()
        if (sees_all or user.userid == call.identity.user) and call.values.get("enabled", user.enabled) == user.enabled
    ]


@ROUTES.add("POST", "/access/users", NEW_USER, permission=WRITES_USERS, protected=True)
def add_user(call: Call) -> None:
    values, cluster = call.values, call.cluster
    if values["userid"] in cluster.accounts.users:
        raise failed(f"create user failed: user '{values['userid']}' already exists")
    if values["userid"].rpartition("@")[2] not in cluster.accounts.realms:
        raise failed(f"create user failed: domain '{values['userid'].rpartition('@')[2]}' does not exist")

    def change() -> None:
        user = cluster.add_user(values["userid"], values.get("password", ""), enabled=values.get("enable", True))
        user.comment, user.expire = values.get("comment", ""), values.get("expire", 0)
        user.email = values.get("email", "")

    writing(call, "create user", change)


@ROUTES.add("GET", "/access/users/{userid}")
def read_user(call: Call) -> Json:
    accounts, userid = call.cluster.accounts, call.values["userid"]
    user = accounts.users.get(userid)
    if user is None:
        raise failed(f"no such user ('{userid}')")
    if not call.may("/access/groups", "User.Modify", "Sys.Audit"):
        raise ApiError(403, "Permission check failed\n")
    tokens = [token for token in accounts.tokens.values() if token.user == userid]
    by_name = {token.tokenid: {"expire": token.expire, "privsep": int(token.privsep)} for token in tokens}
    return {
        "enable": int(user.enabled),
        "expire": user.expire,
        **({"comment": user.comment} if user.comment else {}),
        **({"email": user.email} if user.email else {}),
        "groups": _groups_of(call, userid),
        "tokens": by_name or None,
    }


def _groups_of(call: Call, userid: str) -> list[str]:
    return sorted(name for name, members in call.cluster.access.groups.items() if userid in members)


def _belongings(call: Call, userid: str) -> Json:
    """As lists show them: groups in one text, tokens as rows, or null where there are none."""
    tokens = [token for token in call.cluster.accounts.tokens.values() if token.user == userid]
    rows = [{"tokenid": token.tokenid, "expire": token.expire, "privsep": int(token.privsep)} for token in tokens]
    return {"groups": ",".join(_groups_of(call, userid)), "tokens": rows or None}


@ROUTES.add("PUT", "/access/users/{userid}", OLD_USER, permission=WRITES_USERS, protected=True)
def change_user(call: Call) -> None:
    user = call.cluster.accounts.users.get(call.values["userid"])
    if user is None:
        raise failed(f"update user failed: no such user ('{call.values['userid']}')")

    def change() -> None:
        user.enabled = call.values.get("enable", user.enabled)
        user.expire = call.values.get("expire", user.expire)
        user.comment = call.values.get("comment", user.comment)
        user.email = call.values.get("email", user.email)

    writing(call, "update user", change)


@ROUTES.add("DELETE", "/access/users/{userid}", permission=WRITES_USERS, protected=True)
def remove_user(call: Call) -> None:
    userid = call.values["userid"]
    if userid not in call.cluster.accounts.users:
        raise failed(f"delete user failed: user '{userid}' does not exist")
    writing(call, "delete user", lambda: call.cluster.remove_user(userid))


@ROUTES.add("GET", "/access/groups")
def groups(call: Call) -> list[Json]:
    if not call.may("/access/groups", "User.Modify", "Sys.Audit", "Group.Allocate"):
        return []
    found = sorted(call.cluster.access.groups.items())
    return [{"groupid": name, "users": ",".join(sorted(members))} for name, members in found]


@ROUTES.add("GET", "/access/roles", unordered=True)
def roles(call: Call) -> list[Json]:
    access = call.cluster.access
    return [
        {"roleid": name, "privs": ",".join(sorted(held)), "special": int(name in access.catalogue.roles)}
        for name, held in access.roles.items()
    ]


@ROUTES.add("POST", "/access/roles", {"roleid": ROLEID, "privs": TEXT}, permission=WRITES_ROLES, protected=True)
def add_role(call: Call) -> None:
    name = call.values["roleid"]
    if name in call.cluster.access.roles:
        raise failed(f"create role failed: role '{name}' already exists")
    writing(call, "create role", lambda: call.cluster.access.add_role(name, _privileges(call)))


@ROUTES.add(
    "PUT", "/access/roles/{roleid}", {"roleid": ROLEID, "privs": TEXT, "append": FLAG}, permission=WRITES_ROLES,
    protected=True,
)  # fmt: skip
def change_role(call: Call) -> None:
    access, name = call.cluster.access, _own_role(call)
    kept = access.roles[name] if call.values.get("append") else frozenset[str]()
    writing(call, "modify role", lambda: access.add_role(name, kept | _privileges(call)))


@ROUTES.add("DELETE", "/access/roles/{roleid}", permission=WRITES_ROLES, protected=True)
def remove_role(call: Call) -> None:
    name = _own_role(call)
    writing(call, "delete role", lambda: call.cluster.access.remove_role(name))


def _own_role(call: Call) -> str:
    name, access = str(call.values["roleid"]), call.cluster.access
    if name not in access.roles:
        raise failed(f"role '{name}' does not exist")
    if name in access.catalogue.roles:
        raise failed(f"auto-generated role '{name}' cannot be modified")
    return name


def _privileges(call: Call) -> frozenset[str]:
    found = frozenset(listed(call.values.get("privs")))
    if unknown := sorted(found - call.cluster.access.catalogue.privileges):
        raise bad_parameters({"privs": f"invalid privilege '{unknown[0]}'\n"})
    return found


@ROUTES.add("GET", "/access/roles/{roleid}")
def role(call: Call) -> Json:
    name = call.values["roleid"]
    if name not in call.cluster.access.roles:
        raise failed(f"role '{name}' does not exist")
    return dict.fromkeys(call.cluster.access.roles[name], 1)


@ROUTES.add("GET", "/access/acl", unordered=True)
def acl(call: Call) -> list[Json]:
    """Entries which one may not audit are left out."""
    if not call.may("/access", "Sys.Audit", "Permissions.Modify"):
        return []
    return [
        {
            "path": entry.path,
            "roleid": entry.role,
            "ugid": entry.holder.removeprefix("@"),
            "type": "group" if entry.holder.startswith("@") else "token" if "!" in entry.holder else "user",
            "propagate": int(entry.propagate),
        }
        for entry in call.cluster.access.entries()
    ]


@ROUTES.add("PUT", "/access/acl", GRANT, protected=True)
def change_acl(call: Call) -> None:
    values, access = call.values, call.cluster.access
    call.require(values["path"], "Permissions.Modify")
    names = [name for key in ("users", "tokens") for name in listed(values.get(key))]
    holders = [*names, *(f"@{name}" for name in listed(values.get("groups")))]
    unknown = [role for role in listed(values["roles"]) if role not in access.roles]
    if unknown:
        raise bad_parameters({"roles": f"role '{unknown[0]}' does not exist"})

    def change() -> None:
        for holder in holders:
            for role in listed(values["roles"]):
                if values.get("delete"):
                    access.revoke(values["path"], holder, role)
                else:
                    access.grant(values["path"], holder, role, values.get("propagate", True))

    writing(call, "update ACL", change)


def listed(text: str | None) -> list[str]:
    return [name for name in (text or "").replace(";", ",").split(",") if name]
