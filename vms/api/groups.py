"""Machine groups in the API."""

from django.db.models import QuerySet
from ninja import Query, Router

from accounts import tokens
from accounts.api.auth import ApiRequest
from accounts.api.paging import Page, Paging, page_of
from vms.access import lookups
from vms.api.schemas import GroupOut
from vms.models import MachineSet

router = Router(tags=["machine groups"])


def groups_for(request: ApiRequest) -> QuerySet[MachineSet]:
    return tokens.narrowed(request.auth, lookups.groups_for(request.user))


@router.get("/groups", response=Page[GroupOut])
def list_groups(request: ApiRequest, page: Query[Paging]) -> Page[GroupOut]:
    """The machine groups that you manage, those of your classes among them."""
    found, next_page = page_of(groups_for(request), page, by="id")
    shown = [GroupOut(id=one.pk, name=one.title, is_class=one.is_managed) for one in found]
    return Page[GroupOut](items=shown, next=next_page)
