"""The form of the rules by which machines of a class start and stop by themselves."""

from typing import Any

from django import forms

from accounts.models import User
from classes.models import LabClass, Membership, RunningRules
from classes.models.hours import MOST_EXTRA_HOURS


class RunningRulesForm(forms.ModelForm[RunningRules]):
    class Meta:
        model = RunningRules
        fields = (
            "starts",
            "starts_without_person",
            "stops",
            "idle_minutes",
            "hours",
            "hours_per",
            "allows_forced_stop",
            "keeps",
            "sends_mail",
        )


class ExtraHoursForm(forms.Form):
    person = forms.ModelChoiceField(User.objects.none())
    hours = forms.IntegerField(min_value=1, max_value=MOST_EXTRA_HOURS)

    def __init__(self, *args: Any, lab_class: LabClass, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        joined = Membership.objects.joined().filter(lab_class=lab_class).values("user")
        self.fields["person"].queryset = User.objects.filter(pk__in=joined)  # type: ignore[attr-defined]
