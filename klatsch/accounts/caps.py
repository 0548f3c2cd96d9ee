"""Caps on the credentials that a person has, by kind.

The person's row is locked while they are counted, so that no race exceeds them.
"""

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Now
from knox.models import AuthToken

from klatsch.accounts.models import Session, Ticket, User
from klatsch.accounts.revocation import promise_end
from klatsch.core.errors import LimitReached, RateLimited
from klatsch.core.metrics import CAPPED


def check_token_room(person: User) -> None:
    """Raises LimitReached when the person has as many live bearer tokens as allowed."""
    if AuthToken.objects.filter(Q(expiry=None) | Q(expiry__gt=Now()), user=person).count() >= _most():
        CAPPED.labels("tokens").inc()
        raise LimitReached(f"You have {_most()} bearer tokens, which is the limit. End one first.")


def check_ticket_room(person: User) -> None:
    """Raises RateLimited when the person has as many live tickets as allowed: tickets expire within seconds."""
    if Ticket.objects.filter(user=person, expires_at__gt=Now()).count() >= _most():
        CAPPED.labels("tickets").inc()
        raise RateLimited(
            "You have too many unused tickets. Try again in a few seconds.",
            retry_after=settings.ENV["KLATSCH_TICKET_SECONDS"],
        )


def end_surplus_sessions(person: User, *, kept: str) -> None:
    """Ends the least recently used sessions beyond the cap, but never `kept`.

    A new sign-in is never refused for the cap: the person could then not sign in to end an old session.
    """
    live = Session.objects.filter(user=person, expire_date__gt=Now()).exclude(pk=kept)
    surplus = list(live.order_by("-last_used_at", "-created_at", "pk").values_list("digest", flat=True)[_most() - 1 :])
    if surplus:
        CAPPED.labels("sessions").inc(len(surplus))
        Session.objects.filter(digest__in=surplus).delete()
        promise_end(person, surplus)


def _most() -> int:
    most: int = settings.ENV["KLATSCH_CREDENTIALS_PER_PERSON"]
    return most
