"""What a token says of itself; with the audit log, the calls of this app."""

from datetime import datetime

from ninja import Router
from pydantic import BaseModel, Field

from accounts.api import audit
from accounts.api.auth import READ, ApiRequest
from accounts.models import ApiToken

router = Router()
router.add_router("", audit.router)


class TokenOut(BaseModel):
    """The token that made this call, and whose it is."""

    name: str
    owner: str = Field(description="User name.")
    rights: list[str] = Field(examples=[["read", "write"]])
    as_staff: bool = Field(description="Whether it has the owner's rights as staff, if the portal allows it.")
    scope: str = Field(description="Empty: everything of the owner's. Otherwise like `class:7`.", examples=["class:7"])
    scope_name: str
    expires_at: datetime


@router.get("/token", response=TokenOut, auth=READ, tags=["token"])
def token(request: ApiRequest) -> TokenOut:
    """The token itself: rights, scope and end."""
    return token_out(request.auth)


def token_out(token: ApiToken) -> TokenOut:
    return TokenOut(
        name=token.name,
        owner=token.owner.get_username(),
        rights=[right for right in ("read", "write", "destroy") if getattr(token, f"may_{right}")],
        as_staff=token.as_staff,
        scope=f"{token.scope}:{token.scope_pk}" if token.scope else "",
        scope_name=token.scope_name,
        expires_at=token.expires_at,
    )
