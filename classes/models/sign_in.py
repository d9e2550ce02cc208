"""Rules by which people of a sign-in source are in a class."""

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import SignInSource
from accounts.printable import PrintableTexts
from accounts.sign_in.syntax import parse_dn
from classes.models.labs import LabClass


class ClassSignInRule(PrintableTexts, models.Model):
    """Who is in this group at the source is in the class, from the next sign-in or comparison on."""

    source = models.ForeignKey(
        SignInSource, models.CASCADE, related_name="class_rules", verbose_name=gettext_lazy("source")
    )
    value = models.CharField(
        gettext_lazy("group there"),
        max_length=500,
        help_text=gettext_lazy("The whole DN for a directory, otherwise the name exactly as the source writes it."),
    )
    lab_class = models.ForeignKey(
        LabClass, models.CASCADE, related_name="sign_in_rules", verbose_name=gettext_lazy("class")
    )

    class Meta:
        verbose_name = gettext_lazy("sign-in rule")
        verbose_name_plural = gettext_lazy("sign-in rules: groups whose people are in the class")
        ordering = ["source", "value"]
        constraints = [
            models.UniqueConstraint(fields=["source", "value", "lab_class"], name="classsigninrule_once"),
        ]

    def __str__(self) -> str:
        return f"{self.value} ({self.source})"

    def clean(self) -> None:
        super().clean()
        is_directory = self.source_id and self.source.kind == SignInSource.Kind.DIRECTORY
        if is_directory and self.value and parse_dn(self.value) is None:
            text = _("Enter the whole DN, like CN=Teachers,OU=Groups,DC=school,DC=example.")
            raise ValidationError({"value": text})
