"""Users and API tokens."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass, field
from hmac import compare_digest

from pvesim import totp
from pvesim.acl import AccessList, Grants, Identity

# So many wrong codes in a row lock the second factor.
MOST_WRONG_CODES = 8


@dataclass(frozen=True)
class Realm:
    name: str
    type: str
    comment: str = ""
    default: bool = False


BUILT_IN = (
    Realm("pam", "pam", "Linux PAM standard authentication"),
    Realm("pve", "pve", "Proxmox VE authentication server"),
)


@dataclass
class User:
    """With `totp`, a base32 secret, the password is only the first half of a login."""

    userid: str
    password: str = field(repr=False)
    enabled: bool = True
    expire: int = 0
    totp: str | None = field(default=None, repr=False)
    wrong_codes: int = 0
    comment: str = ""
    email: str = ""

    @property
    def realm(self) -> str:
        return self.userid.rpartition("@")[2]

    def is_active(self, now: float) -> bool:
        return self.enabled and not 0 < self.expire <= now

    def has_password(self, password: str) -> bool:
        return compare_digest(self.password.encode(), password.encode())

    def has_code(self, given: str, now: float) -> bool:
        if self.totp is None or self.wrong_codes >= MOST_WRONG_CODES:
            return False
        right = totp.is_valid(self.totp, given, now)
        self.wrong_codes = 0 if right else self.wrong_codes + 1
        return right


@dataclass
class Token:
    user: str
    tokenid: str
    secret: str = field(repr=False)
    privsep: bool = True
    expire: int = 0
    comment: str = ""

    @property
    def full_id(self) -> str:
        return f"{self.user}!{self.tokenid}"

    @property
    def header(self) -> str:
        """The value of the Authorization header."""
        return f"PVEAPIToken={self.full_id}={self.secret}"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": self.header}

    @property
    def identity(self) -> Identity:
        return Identity(self.user, self.tokenid, separated=self.privsep)

    def is_active(self, now: float) -> bool:
        return not 0 < self.expire <= now


class Accounts:
    def __init__(self, access: AccessList, rng: random.Random) -> None:
        self.access = access
        self._rng = rng
        self.realms = {realm.name: realm for realm in BUILT_IN}
        self.users: dict[str, User] = {}
        self.tokens: dict[str, Token] = {}

    def add_user(
        self,
        userid: str,
        *,
        password: str,
        enabled: bool = True,
        expire: int = 0,
        totp: str | None = None,
        acl: Grants | None = None,
    ) -> User:
        name, _, realm = userid.rpartition("@")
        if not name or realm not in self.realms:
            raise ValueError(f"'{userid}' is not a user of the realms {', '.join(self.realms)}")
        user = self.users[userid] = User(userid, password, enabled, expire, totp)
        self.access.grant_all(userid, acl or {})
        return user

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
        if userid not in self.users:
            raise ValueError(f"no such user: {userid}")
        token = Token(userid, tokenid, secret or self.new_secret(), privsep, expire)
        self.tokens[token.full_id] = token
        self.access.grant_all(token.full_id, acl or {})
        return token

    def remove_user(self, userid: str) -> None:
        for full_id in [one.full_id for one in self.tokens.values() if one.user == userid]:
            self.remove_token(full_id)
        self.users.pop(userid)
        self.access.forget_holder(userid)
        for members in self.access.groups.values():
            members.discard(userid)
        self.access.touch()

    def remove_token(self, full_id: str) -> None:
        self.tokens.pop(full_id)
        self.access.forget_holder(full_id)

    def user_may_enter(self, userid: str, now: float) -> bool:
        user = self.users.get(userid)
        return user is not None and user.is_active(now)

    def token_may_enter(self, full_id: str, secret: str, now: float) -> Token | None:
        token = self.tokens.get(full_id)
        if token is None or not compare_digest(token.secret.encode(), secret.encode()):
            return None
        return token if token.is_active(now) and self.user_may_enter(token.user, now) else None

    def new_secret(self) -> str:
        return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))
