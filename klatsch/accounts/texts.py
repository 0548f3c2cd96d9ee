"""The texts of a person's rows and their lengths, shared by models, services and the API."""

from typing import Final

from django.core.validators import RegexValidator

USERNAME_CHARACTERS_MOST: Final = 64
DEVICE_CHARACTERS_MOST: Final = 64
DISPLAY_NAME_CHARACTERS_MOST: Final = 64
ABOUT_CHARACTERS_MOST: Final = 500
USERNAME: Final = RegexValidator(
    r"\A[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}\Z",
    "1 to 64 letters, digits, dots, dashes and underscores; the first is a letter, a digit or an underscore.",
)
