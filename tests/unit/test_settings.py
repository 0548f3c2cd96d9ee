"""Django's settings name only what exists."""

import pytest
from django.conf import settings
from django.utils.module_loading import import_string


@pytest.mark.parametrize("name", [name for name in dir(settings) if name.endswith("_APPLICATION")])
def test_every_application_that_the_settings_name_can_be_imported(name: str) -> None:
    named = getattr(settings, name)
    assert named is None or callable(import_string(named))
