"""Confirmation forms of the admin for people who get control over others' machines: each is named once more."""

from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User


class PeopleField(forms.MultipleChoiceField):
    """Boxes for the people that `clean` of the form finds to be new."""

    def valid_value(self, value: str) -> bool:
        return True

    def has_changed(self, initial: Any, data: Any) -> bool:
        return False


class ConfirmedPeopleForm(forms.ModelForm[Any]):
    """`gives_control` are fields with people. Who is new there may teach, and is ticked by name, account and groups."""

    gives_control: ClassVar[tuple[str, ...]] = ()

    class Media:
        css: ClassVar[dict[str, tuple[str, ...]]] = {"all": ("portal/admin.css",)}

    confirmed = PeopleField(
        label=gettext_lazy("Confirm"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy(
            "The people you add get control over other people's machines. When you save, confirm them here."
        ),
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        new = {person.pk: person for name in self.gives_control for person in self._new(name)}
        unfit = [person for person in new.values() if not person.may_teach]
        boxes: Any = self.fields["confirmed"]
        boxes.choices = [(str(pk), self.introduce(person)) for pk, person in new.items() if person not in unfit]
        if unfit:
            self.add_error(None, may_not_teach(unfit))
        elif not {str(pk) for pk in new} <= {*data.get("confirmed", ())}:
            self.add_error("confirmed", _("Not saved yet. Tick the people you mean, and save again."))
        return data

    def introduce(self, person: User) -> str:
        return " · ".join(filter(None, [person.get_full_name(), person.get_username(), person.role_in_words]))

    def _new(self, name: str) -> list[User]:
        chosen = self.cleaned_data.get(name)
        if chosen is None:
            return []
        if isinstance(chosen, User):
            return [] if chosen.pk == self.initial.get(name) else [chosen]
        there = getattr(self.instance, name).all() if self.instance.pk else User.objects.none()
        return list(chosen.exclude(pk__in=there.values("pk")).order_by("username"))


def may_not_teach(people: list[User]) -> str:
    """Why these get no control over others' machines."""
    return _(
        "%(people)s can't control other people's machines: the account is not allowed to create classes. An "
        "administrator can add it to the group Teacher."
    ) % {"people": ", ".join(person.get_username() for person in people)}
