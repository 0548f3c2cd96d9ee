"""The limits as docs/protocol.md shows them, with numbers from the code or from the defaults of settings."""

from typing import Final

from klatsch.accounts.texts import USERNAME_CHARACTERS_MOST
from klatsch.api.pages import ROWS_MOST
from klatsch.api.users import PEOPLE_MOST
from klatsch.archive.overview import MEMBERS_SHOWN
from klatsch.conversations.caps import INVITED_BY_MOST, INVITED_MOST, INVITED_PAIR_MOST, OWN_SHARE
from klatsch.conversations.group_rows import MEMBERS_MOST
from klatsch.conversations.invitation_queries import INVITATION_DAYS
from klatsch.conversations.rights import DESCRIPTION_MOST, TITLE_MOST
from klatsch.conversations.services import RECORD_MEMBERS_MOST
from klatsch.core.bucket import PEOPLE_A_TOKEN
from klatsch.core.http_limits import BODY_BYTES_MOST, BODY_S, HEAD_BYTES_MOST, HEAD_S, REQUESTS_A_THREAD
from klatsch.core.ids import CLIENT_ID_MOST, FRESH_WINDOW_MS
from klatsch.core.problems import ERRORS_MOST
from klatsch.gateway.allowance import BEFORE_HELLO, Allowances
from klatsch.gateway.language.protocol import FRAME_BYTES_MOST, HELLO_DEADLINE_S, MALFORMED_MOST, UNANSWERED_MOST
from klatsch.gateway.language.requests import OPENED_MOST, SHOWN_PEOPLE_MOST
from klatsch.gateway.lookups import AT_ONCE_MOST
from klatsch.gateway.signals.signals import OPS_PER_SECOND
from klatsch.gateway.signals.typing import EVERY_S, PER_SECOND
from klatsch.gateway.signals.typing import MEMBERS_MOST as TYPING_MEMBERS_MOST
from klatsch.gateway.signals.watching import PUSH_EVERY_S, SHOWN_MOST
from klatsch.gateway.socket import FRAGMENTS_MOST
from klatsch.moderation.reporting import OPEN_MOST
from klatsch.processes.tables.markdown import table
from klatsch.processes.wiring import GROUP_CHANGES_PER_SECOND
from klatsch.records.messages import CONTENT_MOST
from klatsch.variables import VARIABLES

_DEFAULTS: Final = {variable.name: variable.default for variable in VARIABLES}
_RATE: Final = "KLATSCH_MESSAGES_PER_SECOND"
_OF_A_PERSON: Final = "KLATSCH_CONVERSATIONS_PER_PERSON"


def limits_table() -> str:
    """Returns a table with a row for each limit and what happens beyond it."""
    return table(
        ("what", "limit"),
        (*_texts(), *_requests(), *_frames(), *_sockets(), *_people(), *_groups(), *_signals(), *_signing_in()),
    )


def _setting(name: str, unit: str = "") -> str:
    return f"{_DEFAULTS[name]:,}{unit} (`{name}`)"


def _texts() -> tuple[tuple[str, str], ...]:
    return (
        (
            "text of a message",
            (
                f"1 to {CONTENT_MOST:,} characters: valid Unicode, no control characters but tab and line ends; "
                "stored verbatim"
            ),
        ),
        ("`client_id`", f"{CLIENT_ID_MOST} characters"),
        (
            "time in a `client_id` (UUIDv7) that needs no lookup",
            f"within {FRESH_WINDOW_MS // 1000} s of the server's clock",
        ),
        ("title of a group", f"1 to {TITLE_MOST} characters, one line"),
        ("description of a group", f"{DESCRIPTION_MOST} characters, one or more lines; may be empty"),
        (
            "username",
            (
                f"1 to {USERNAME_CHARACTERS_MOST} of letters, digits, dots, dashes and underscores; "
                "does not begin with a dot or a dash"
            ),
        ),
    )


def _requests() -> tuple[tuple[str, str], ...]:
    return (
        (
            "head of a request: its address and headers",
            f"{HEAD_BYTES_MOST:,} bytes, else 431; within {HEAD_S:.0f} s, else 408",
        ),
        ("body of a request", f"{BODY_BYTES_MOST:,} bytes, else 413; within {BODY_S:.0f} s, else 408"),
        (
            "requests at once to one process",
            f"{REQUESTS_A_THREAD} for each of `KLATSCH_API_THREADS` that read, as many for the rest, else 503",
        ),
        ("fields that an answer names as wrong", f"{ERRORS_MOST}"),
        ("page of a list", f"{ROWS_MOST}; of people {PEOPLE_MOST}"),
    )


def _frames() -> tuple[tuple[str, str], ...]:
    usual = Allowances(_DEFAULTS[_RATE])
    one, least, unlimited = usual.connection, Allowances(1).connection, Allowances(0).connection
    return (
        ("frame from a client", f"{FRAME_BYTES_MOST:,} bytes, else 1009"),
        ("unanswered sends of a connection", f"{UNANSWERED_MOST}, else `rate_limited`"),
        ("malformed frames in a row", f"{MALFORMED_MOST}, then 4400"),
        (
            "frames of a connection: messages, fragments, pings and pongs",
            (
                f"{one.frames_per_s:,} a second and {one.frames:,} at once (twice `{_RATE}`, at least "
                f"{least.frames_per_s:,}; {unlimited.frames_per_s:,} where that is 0), then 4429"
            ),
        ),
        (
            "bytes of a connection",
            (
                f"{one.size // one.frames:,} for each of these frames: {one.size_per_s:,} a second and "
                f"{one.size:,} at once, then 4429"
            ),
        ),
        (
            "frames and bytes of a person, over all connections to one gateway",
            f"{usual.person.frames // one.frames} times those of a connection, then 4429",
        ),
        (
            "frames and bytes before `hello`",
            f"{BEFORE_HELLO.frames} frames and {BEFORE_HELLO.size:,} bytes in all, then 4429",
        ),
        ("fragments of a message", f"{FRAGMENTS_MOST}, then 4429"),
    )


def _sockets() -> tuple[tuple[str, str], ...]:
    return (
        ("`hello` of a new socket", f"within {HELLO_DEADLINE_S:.0f} s, then 4304"),
        ("what waits for one socket", f"{_setting('KLATSCH_OUTBOX_BYTES', ' bytes')}, then 4302"),
        ("a socket that takes nothing", f"{_setting('KLATSCH_STALL_SECONDS', ' s')}, then 4302"),
        ("ping without an answer", f"{_setting('KLATSCH_PING_SECONDS', ' s')}, then 1011"),
    )


def _people() -> tuple[tuple[str, str], ...]:
    of_a_person = _DEFAULTS[_OF_A_PERSON]
    return (
        (
            "sends and changes of a person, over WebSockets and REST together, for each process",
            f"{_setting(_RATE, ' a second')}, twice that at once, else `rate_limited`",
        ),
        (
            "other requests of a person, over REST and as frames, for each process",
            f"{_setting('KLATSCH_REQUESTS_PER_SECOND', ' a second')}, twice that at once, else `rate_limited` or 429",
        ),
        (
            "sockets and event streams of a person to one gateway",
            f"{_setting('KLATSCH_CONNECTIONS_PER_PERSON')}, then 4429 or 429; as many polls, then 429",
        ),
        (
            "conversations of a person",
            (
                f"{_setting(_OF_A_PERSON)}, else 409 `limit_reached`; others cannot add a person who is in "
                f"{of_a_person - of_a_person // OWN_SHARE:,}"
            ),
        ),
        ("people whom a person blocks", f"{_setting('KLATSCH_BLOCKS_PER_PERSON')}, else 409 `limit_reached`"),
        (
            "reports of messages by a person",
            f"{_setting('KLATSCH_REPORTS_PER_HOUR', ' an hour')}, else 429; {OPEN_MOST} open, else 409 `limit_reached`",
        ),
        ("old `client_id`s of a person that are looked up at once", f"{AT_ONCE_MOST}, else `unavailable`"),
        (
            "requests of a person that wait for the archive, or change a group, at once",
            "a quarter of the threads (`KLATSCH_API_THREADS`), else 503",
        ),
    )


def _groups() -> tuple[tuple[str, str], ...]:
    return (
        ("members of a group", f"{MEMBERS_MOST:,}"),
        (
            "open invitations",
            (
                f"{INVITED_BY_MOST:,} that a person has sent, {INVITED_MOST} that a person has received, "
                f"{INVITED_PAIR_MOST} of one person to another; else 409 `limit_reached`"
            ),
        ),
        ("an invitation without an answer", f"expires after {INVITATION_DAYS} days"),
        ("members that a conversation shows", f"the first {MEMBERS_SHOWN}; `…/members` lists all"),
        ("people of one push `members`", f"{RECORD_MEMBERS_MOST}; a larger change comes in several"),
        (
            "a message into a group, and a change of one there",
            f"one token of the person's rate, and one more for each {PEOPLE_A_TOKEN} members",
        ),
        (
            "changes of groups by a person, for each process",
            (
                f"{GROUP_CHANGES_PER_SECOND} a second, twice that at once, else 429; a change counts by its members, "
                "like a message"
            ),
        ),
    )


def _signals() -> tuple[tuple[str, str], ...]:
    return (
        ("conversations that a connection has opened", f"{OPENED_MOST}, else `bad_request`"),
        (
            "people whose presence a connection shows",
            (
                f"{SHOWN_PEOPLE_MOST}, else `bad_request`; {SHOWN_MOST:,} by all connections of a gateway, else "
                "`unavailable`"
            ),
        ),
        (
            "`open` and `presence` of a person, for each gateway",
            f"{OPS_PER_SECOND} a second, twice that at once, else `rate_limited`",
        ),
        (
            "`typing` with `on` of a person in a conversation",
            (
                f"once in {EVERY_S:.0f} s; {PER_SECOND} a second over all conversations, twice that at once; more is "
                f"dropped. None in conversations of more than {TYPING_MEMBERS_MOST} members"
            ),
        ),
        ("pushes of presence to a connection", f"once in {PUSH_EVERY_S:.0f} s"),
    )


def _signing_in() -> tuple[tuple[str, str], ...]:
    return (
        (
            "bearer tokens of a person",
            (
                f"{_setting('KLATSCH_CREDENTIALS_PER_PERSON')}, else 409 `limit_reached`; as many tickets, else 429; "
                "beyond as many sessions, the least recently used ends"
            ),
        ),
        (
            "sign-ins, and other requests that hash a password, at once in one process",
            "`KLATSCH_HASHERS` and a quarter of the threads, else 503; fewer from one address",
        ),
        ("ticket", f"{_setting('KLATSCH_TICKET_SECONDS', ' s')}, one use"),
        ("bearer token", _setting("KLATSCH_TOKEN_DAYS", " days")),
    )
