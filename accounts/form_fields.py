"""Fields of the admin's forms: secrets that go in and never come out, lines, certificates."""

from typing import Any

from django import forms


class SecretInput(forms.PasswordInput):
    """Never rendered with a value, and never filled in by the browser."""

    def __init__(self) -> None:
        super().__init__(render_value=False, attrs={"autocomplete": "new-password", "class": "vTextField"})


class LinesField(forms.CharField):
    """Lines, of whatever system's ends, without the space around them."""

    widget = forms.Textarea(attrs={"class": "vLargeTextField", "rows": 3, "spellcheck": "false"})

    def to_python(self, value: Any) -> str:
        return "\n".join(line.strip() for line in str(super().to_python(value) or "").splitlines()).strip()

    def has_changed(self, initial: Any, data: Any) -> bool:
        return self.to_python(initial) != self.to_python(data)


class PemField(forms.CharField):
    """A certificate as text. Browsers send other line ends than they were given; that is no change of trust."""

    widget = forms.Textarea(attrs={"class": "vLargeTextField", "spellcheck": "false"})

    def to_python(self, value: Any) -> str:
        return "\n".join(str(super().to_python(value) or "").split("\r\n")).strip()

    def has_changed(self, initial: Any, data: Any) -> bool:
        return self.to_python(initial) != self.to_python(data)


class SeenField(forms.CharField):
    """Comes back with the form to tell what its person saw. It is no setting, so it never counts as changed."""

    def __init__(self) -> None:
        super().__init__(required=False, widget=forms.HiddenInput())

    def has_changed(self, initial: Any, data: Any) -> bool:
        return False
