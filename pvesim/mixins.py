"""The methods of a cluster by which tests make and move accounts, rights and guests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pvesim import totp
from pvesim.accounts import Accounts, Realm, Token, User
from pvesim.acl import AccessList, Grants
from pvesim.console.consoles import Consoles
from pvesim.console.screen import Pointer
from pvesim.guest_config import GIB
from pvesim.guests import Agent, Guest, Kind, Status
from pvesim.nodes import Node
from pvesim.statd import Statd
from pvesim.timeline import Timeline


class AccountMixin:
    timeline: Timeline
    access: AccessList
    accounts: Accounts

    def add_user(
        self,
        userid: str,
        password: str,
        *,
        enabled: bool = True,
        expire: int = 0,
        totp: str | None = None,
        acl: Grants | None = None,
    ) -> User:
        """`totp` is the base32 secret of a second factor."""
        with self.timeline.lock:
            return self.accounts.add_user(userid, password=password, enabled=enabled, expire=expire, totp=totp, acl=acl)

    def add_token(
        self,
        userid: str,
        tokenid: str,
        *,
        privsep: bool = True,
        expire: int = 0,
        secret: str | None = None,
        acl: Grants | None = None,
    ) -> Token:
        with self.timeline.lock:
            return self.accounts.add_token(userid, tokenid, privsep=privsep, expire=expire, secret=secret, acl=acl)

    def user(self, userid: str) -> User:
        return self.accounts.users[userid]

    def token(self, full_id: str) -> Token:
        return self.accounts.tokens[full_id]

    def totp_code(self, userid: str) -> str:
        """What the user's authenticator shows at this moment."""
        secret = self.user(userid).totp
        if secret is None:
            raise ValueError(f"{userid} has no second factor")
        return totp.code(secret, self.timeline.now())

    def remove_user(self, userid: str) -> None:
        with self.timeline.lock:
            self.accounts.remove_user(userid)

    def remove_token(self, full_id: str) -> None:
        with self.timeline.lock:
            self.accounts.remove_token(full_id)

    def add_realm(self, name: str, kind: str, comment: str = "", *, default: bool = False) -> None:
        self.accounts.realms[name] = Realm(name, kind, comment, default)

    def add_group(self, name: str, users: Iterable[str] = (), acl: Grants | None = None) -> None:
        with self.timeline.lock:
            self.access.set_group(name, users)
            self.access.grant_all(f"@{name}", acl or {})

    def add_role(self, name: str, privileges: Iterable[str]) -> None:
        """A privilege which the release does not know is an error, as it is on a real one."""
        with self.timeline.lock:
            self.access.add_role(name, privileges)

    def grant(self, path: str, holder: str, role: str, propagate: bool = True) -> None:
        """The holder is a user, a token, or `@group`."""
        with self.timeline.lock:
            self.access.grant(path, holder, role, propagate)

    def revoke(self, path: str, holder: str, role: str | None = None) -> None:
        with self.timeline.lock:
            self.access.revoke(path, holder, role)

    def add_pool(self, name: str, comment: str = "", vmids: Iterable[int] = ()) -> None:
        with self.timeline.lock:
            self.access.pools.add(name, comment)
            for vmid in vmids:
                self.access.pools.put(vmid, name)

    def put_in_pool(self, vmid: int, name: str | None) -> None:
        with self.timeline.lock:
            self.access.pools.put(vmid, name)


class GuestMixin:
    timeline: Timeline
    access: AccessList
    statd: Statd
    nodes: Mapping[str, Node]

    def add_guest(
        self,
        vmid: int,
        name: str | None = None,
        node: str | None = None,
        kind: Kind = "qemu",
        status: Status = "stopped",
        *,
        pool: str | None = None,
        tags: Sequence[str] = (),
        template: bool = False,
        acpi: bool = True,
        agent: Agent = "off",
        lock: str | None = None,
        description: str = "",
        maxcpu: int = 1,
        maxmem: int = GIB,
        maxdisk: int = 8 * GIB,
        addresses: Sequence[str] = (),
        ha: bool = False,
        storage: str = "data",
        options: Mapping[str, str | int] | None = None,
    ) -> Guest:
        with self.timeline.lock:
            node = node or next(iter(self.nodes))
            if node not in self.nodes or vmid in self.statd.guests:
                raise ValueError(f"no node '{node}', or guest {vmid} exists already")
            guest = Guest(
                self.timeline,
                vmid,
                name or f"vm-{vmid}",
                node,
                kind,
                status,
                tags=tuple(tags),
                template=template,
                acpi=acpi,
                agent=agent,
                lock=lock,
                description=description,
                maxcpu=maxcpu,
                maxmem=maxmem,
                maxdisk=maxdisk,
                addresses=tuple(addresses),
                ha=("stopped" if status == "stopped" else "started") if ha else None,
                generation=self.statd.guests_per_vmid[vmid],
                storage=storage,
                options=dict(options or {}),
            )
            self.register(guest, pool)
            self.statd.publish([guest])
            return guest

    def register(self, guest: Guest, pool: str | None = None) -> None:
        """Anew, or again: a guest that comes back is the one that it was."""
        if guest.generation >= self.statd.guests_per_vmid[guest.vmid]:
            self.statd.guests_per_vmid[guest.vmid] = guest.generation + 1
        self.statd.guests[guest.vmid] = guest
        self.timeline.touch()
        if pool:
            self.access.pools.put(guest.vmid, pool)

    def remove_guest(self, vmid: int, *, is_listed: bool = False) -> None:
        """A removed guest takes its permissions and its place in a pool with it.

        What is `is_listed` is not forgotten by the list before the next tick: whoever gets the number until then
        appears under its name.
        """
        with self.timeline.lock:
            del self.statd.guests[vmid]
            if not is_listed:
                self.statd.forget(vmid)
            self.access.forget_path(f"/vms/{vmid}")
            self.access.pools.put(vmid, None)

    def guest(self, vmid: int) -> Guest:
        self.timeline.settle()
        return self.statd.guests[vmid]

    @property
    def guests(self) -> list[Guest]:
        with self.timeline.lock:
            self.timeline.settle()
            return [self.statd.guests[vmid] for vmid in sorted(self.statd.guests)]


class ConsoleMixin:
    """What tests ask about consoles; without a number, of all guests together."""

    consoles: Consoles
    statd: Statd

    def consoles_open(self, vmid: int | None = None) -> int:
        return self.consoles.count(vmid)

    def consoles_opened(self, vmid: int | None = None) -> int:
        """How many there have been, those included which are open."""
        opened = self.consoles.opened
        return opened.total() if vmid is None else opened[vmid]

    def drop_consoles(self, vmid: int | None = None) -> None:
        self.consoles.drop(vmid)

    def keys_typed(self, vmid: int) -> str:
        """As text: "\\n" for Return, "[Del]" for a key with a name, nothing for modifiers."""
        return self.statd.guests[vmid].screen.typed

    def key_events(self, vmid: int) -> list[tuple[int, bool]]:
        """Keysyms, and whether the key went down."""
        return list(self.statd.guests[vmid].screen.keys)

    def text_pasted(self, vmid: int) -> str:
        """What clients put on the clipboard."""
        return self.statd.guests[vmid].screen.pasted

    def pointer(self, vmid: int) -> Pointer | None:
        """Where it was last, since the guest started."""
        return self.statd.guests[vmid].screen.pointer
