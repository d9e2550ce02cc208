"""The form of the rules by which machines of a class start and stop by themselves."""

from django import forms

from classes.models import RunningRules


class RunningRulesForm(forms.ModelForm[RunningRules]):
    class Meta:
        model = RunningRules
        fields = ("starts", "starts_without_person", "stops", "allows_forced_stop", "keeps", "sends_mail")
