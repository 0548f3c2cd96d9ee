"""Decides whom a person may add to groups without asking: it joins the archive, which `conversations` cannot see."""

from collections.abc import Collection
from uuid import UUID

from django.conf import settings

from klatsch.archive.writers import find_writers


def find_addable(person_id: UUID, people: Collection[UUID]) -> set[UUID]:
    """Returns those of some people whom a person may add to groups: they have sent the person a direct message.

    With `KLATSCH_INVITE_STRANGERS` off, everybody may add everybody.
    """
    if not settings.ENV["KLATSCH_INVITE_STRANGERS"]:
        return set(people)
    return find_writers(to=person_id, among=people)
