"""How many credentials one person has, of each kind: counted while the person's row is locked, so exactly."""

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Now
from knox.models import AuthToken

from klatsch.accounts.models import Session, Ticket, User
from klatsch.accounts.revocation import promise_end
from klatsch.core.errors import LimitReached, RateLimited
from klatsch.core.metrics import CAPPED


def check_token_room(person: User) -> None:
    """Raises LimitReached when the person has as many live bearer tokens as one may."""
    if AuthToken.objects.filter(Q(expiry=None) | Q(expiry__gt=Now()), user=person).count() >= _most():
        CAPPED.labels("tokens").inc()
        raise LimitReached(f"You have {_most()} bearer tokens: end one first.")


def check_ticket_room(person: User) -> None:
    """Raises RateLimited when the person has as many live tickets as one may: they expire within seconds."""
    if Ticket.objects.filter(user=person, expires_at__gt=Now()).count() >= _most():
        CAPPED.labels("tickets").inc()
        raise RateLimited("You have too many tickets.", retry_after=settings.ENV["KLATSCH_TICKET_SECONDS"])


def end_surplus_sessions(person: User, *, kept: str) -> None:
    """Ends the live sessions beyond what a person may have, those first that were used longest ago; never `kept`.

    A new sign-in is no reason to refuse somebody who then could not end an old one.
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
