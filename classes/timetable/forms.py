"""The forms of lessons. `facts` is what was entered as plain JSON, which a signed preview keeps."""

from datetime import date, time
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.dates import WEEKDAYS
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from classes.models import LabClass, Lesson, LessonException, LessonMode

Facts = dict[str, Any]

# Reckoning with days at the ends of what a computer calls a date fails.
FIRST_YEAR, LAST_YEAR = 1970, 2199
POSSIBLE_DAYS = [MinValueValidator(date(FIRST_YEAR, 1, 1)), MaxValueValidator(date(LAST_YEAR, 12, 31))]
DAY = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
CLOCK = forms.TimeInput(format="%H:%M", attrs={"type": "time"})
WEEKDAY_CHOICES = [(1 << number, capfirst(name)) for number, name in WEEKDAYS.items()]


def plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    return f"{value:%H:%M}" if isinstance(value, time) else value


def numbers(weekdays: int) -> list[int]:
    """The choices that a sum of weekdays stands for."""
    return [bit for bit, _name in WEEKDAY_CHOICES if weekdays & bit]


class LessonForm(forms.ModelForm[Lesson]):
    weekdays = forms.MultipleChoiceField(
        label=gettext_lazy("Weekdays"),
        choices=WEEKDAY_CHOICES,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("Choose none for a lesson that takes place once, on the first day."),
    )

    class Meta:
        model = Lesson
        fields = (
            "first_day", "begins", "ends", "weekdays", "every_weeks", "last_day", "mode", "also_on_holidays", "note",
        )  # fmt: skip
        labels = {"every_weeks": gettext_lazy("Every how many weeks")}
        help_texts = {"last_day": gettext_lazy("Needed for lessons that repeat.")}
        widgets = {"first_day": DAY, "last_day": DAY, "begins": CLOCK, "ends": CLOCK}

    def __init__(self, *args: Any, lab_class: LabClass | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lab_class = lab_class
        self.fields["last_day"].required = False
        for name in ("first_day", "last_day"):
            self.fields[name].validators += POSSIBLE_DAYS

    def clean_weekdays(self) -> int:
        return sum(int(number) for number in self.cleaned_data["weekdays"])

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if not data.get("weekdays"):
            data["last_day"] = data.get("first_day")
        elif not data.get("last_day"):
            self.add_error("last_day", _("Enter the last day of the series."))
        return data

    @property
    def facts(self) -> Facts:
        return {name: plain(self.cleaned_data[name]) for name in self._meta.fields or ()}


class DayForm(forms.ModelForm[LessonException]):
    """One lesson on one day."""

    class Meta:
        model = LessonException
        fields = ("new_day", "begins", "ends", "mode", "note")
        labels = {"new_day": gettext_lazy("Day")}
        widgets = {"new_day": DAY, "begins": CLOCK, "ends": CLOCK}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("new_day", "begins", "ends"):
            self.fields[name].required = True
        self.fields["new_day"].validators += POSSIBLE_DAYS
        choices: Any = [("", _("As usual")), *LessonMode.choices]
        self.fields["mode"].choices = choices  # type: ignore[attr-defined]
        self.fields["mode"].help_text = ""

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("begins") and data.get("begins") == data.get("ends"):
            self.add_error("ends", _("A lesson can't end when it begins."))
        return data

    @property
    def facts(self) -> Facts:
        return {name: plain(self.cleaned_data[name]) for name in self._meta.fields or ()}
