"""The boxes of the admin's lists are those that Django would render."""

import pytest
from django.contrib import admin
from django.utils import translation

from accounts.models import User
from vms.models import Assignment


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("model", [User, Assignment])
def test_a_box_is_as_django_renders_it(model: type, language: str):
    shown, row = admin.site.get_model_admin(model), User(pk=7, username="<i>\"o'&")
    with translation.override(language):
        assert shown.action_checkbox(row) == admin.ModelAdmin.action_checkbox(shown, row)
