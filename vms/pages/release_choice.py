"""The form *What happens to the machine?* of every page that releases machines."""

from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from vms.models import Assignment, Preparation
from vms.preparation import outlook
from vms.preparation.outlook import Outlook

Way = Preparation.Way

LABELS = {
    Way.REVERT: gettext_lazy("Revert to the baseline: restores the screen and files of the baseline (recommended)"),
    Way.SHUT_DOWN: gettext_lazy("Shut down: clears the screen, keeps the files"),
    Way.AS_IT_IS: gettext_lazy("As it is: keeps the screen and the files"),
}
RECOMMENDED = gettext_lazy("Shut down: clears the screen, keeps the files (recommended, as there is no baseline)")


class WayForm(forms.Form):
    """Asks how machines are prepared for the next person. Without a machine there is nothing to choose."""

    way = forms.ChoiceField(label=gettext_lazy("How to prepare it for the next person"), widget=forms.RadioSelect)

    def __init__(self, *args: Any, outlooks: list[Outlook], more: list[tuple[str, Any]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not outlooks:
            del self.fields["way"]
            return
        field: Any = self.fields["way"]
        field.choices = [*_ways(outlooks), *more]
        field.initial = _proposed(outlooks)


def _ways(outlooks: list[Outlook]) -> list[tuple[str, Any]]:
    if any(one.baseline for one in outlooks):
        return [(way.value, label) for way, label in LABELS.items()]
    return [(Way.SHUT_DOWN.value, RECOMMENDED), (Way.AS_IT_IS.value, LABELS[Way.AS_IT_IS])]


def _proposed(outlooks: list[Outlook]) -> str:
    first = next((one for one in outlooks if one.baseline), outlooks[0])
    return first.possible_way(first.failed.way if first.failed else "")


class ReleaseChoice:
    """The machines of these assignments as the page shows them, and the way that was chosen for them.

    `more` are ways of the page's own. Those that are being prepared already are not asked about. A request that only
    leads to the page, though by POST, is no answer yet: `is_asked` is false.
    """

    def __init__(
        self,
        request: HttpRequest,
        assignments: QuerySet[Assignment],
        *,
        more: list[tuple[str, Any]] | None = None,
        is_asked: bool = True,
    ) -> None:
        self._request = request
        self.outlooks = [one for one in outlook.outlooks_for(assignments) if not one.is_under_way]
        data = request.POST if request.method == "POST" and is_asked else None
        self.form = WayForm(data, outlooks=self.outlooks, more=more or [])

    @property
    def is_made(self) -> bool:
        return self._request.method == "POST" and self.form.is_valid()

    @property
    def way(self) -> str:
        return str(self.form.cleaned_data.get("way", ""))

    @property
    def shown(self) -> str | None:
        """The digest of what the person saw. Restore points go only as they were shown."""
        loses = any(one.deleted_by_revert or one.deleted_otherwise for one in self.outlooks)
        return self._request.POST.get("shown", "" if loses else None)

    @property
    def context(self) -> dict[str, Any]:
        return {"outlooks": self.outlooks, "form": self.form, "shown": outlook.digest(self.outlooks)}

    @property
    def status(self) -> int:
        return 400 if self.form.errors else 200


def changed_message() -> str:
    return _("Nothing was done: something changed since this page was opened. Check it and choose again.")
