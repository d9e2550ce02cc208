"""As much of Proxmox VE's `pveum` as the portal tells people to type, carried out at a simulated cluster."""

import argparse
import shlex
from collections.abc import Iterable

import pvesim


def run(pve: pvesim.Cluster, lines: Iterable[str]) -> dict[str, str]:
    """Type these lines in one shell after another. Returns what was printed of tokens: full ID to secret."""
    printed: dict[str, str] = {}
    for line in lines:
        program, *words = shlex.split(line)
        if program != "pveum":
            raise ValueError(f"{program}: command not found")
        printed |= _carry_out(pve, _parser().parse_args(words))
    return printed


def _carry_out(pve: pvesim.Cluster, given: argparse.Namespace) -> dict[str, str]:
    if given.command == "user add":
        if given.userid in pve.accounts.users:
            raise ValueError(f"user '{given.userid}' already exists")
        pve.add_user(given.userid, password="none")
    elif given.command == "user token add":
        token = pve.add_token(given.userid, given.tokenid, privsep=bool(given.privsep))
        return {token.full_id: token.secret}
    elif given.command == "acl modify":
        _grant(pve, given)
    elif given.command == "role delete":
        pve.access.remove_role(given.role)
    else:
        _role(pve, given)
    return {}


def _role(pve: pvesim.Cluster, given: argparse.Namespace) -> None:
    there = pve.access.roles.get(given.role)
    if (there is None) is not (given.command == "role add"):
        raise ValueError(f"role '{given.role}' {'does not exist' if there is None else 'already exists'}")
    kept = there if there and given.append else frozenset()
    pve.add_role(given.role, kept | frozenset(given.privs.split()))


def _grant(pve: pvesim.Cluster, given: argparse.Namespace) -> None:
    known = {*pve.accounts.users, *pve.accounts.tokens}
    holders = [name for names in (given.users, given.tokens) for name in names.split(",") if name]
    if not holders or not known.issuperset(holders):
        raise ValueError(f"no such user or token: {holders}")
    for holder in holders:
        for role in given.roles.split(","):
            pve.grant(given.path, holder, role, bool(given.propagate))


def _parser() -> argparse.ArgumentParser:
    pveum = argparse.ArgumentParser("pveum")
    commands = pveum.add_subparsers(required=True)
    nouns = {noun: commands.add_parser(noun).add_subparsers(required=True) for noun in ("role", "user", "acl")}
    for verb in ("add", "modify"):
        role = _verb(nouns["role"], "role", verb, "role")
        role.add_argument("--privs", required=True)
        role.add_argument("--append", type=int, choices=(0, 1), default=0)
    _verb(nouns["role"], "role", "delete", "role")
    _verb(nouns["user"], "user", "add", "userid").add_argument("--comment")
    tokens = nouns["user"].add_parser("token").add_subparsers(required=True)
    _verb(tokens, "user token", "add", "userid", "tokenid").add_argument("--privsep", type=int, default=1)
    acl = _verb(nouns["acl"], "acl", "modify", "path")
    for option in ("--users", "--tokens", "--roles"):
        acl.add_argument(option, default="")
    acl.add_argument("--propagate", type=int, choices=(0, 1), default=1)
    return pveum


def _verb(
    of: "argparse._SubParsersAction[argparse.ArgumentParser]", noun: str, verb: str, *places: str
) -> argparse.ArgumentParser:
    made = of.add_parser(verb)
    made.set_defaults(command=f"{noun} {verb}")
    for place in places:
        made.add_argument(place)
    return made
