"""Rights of each role in a group, and rules for a group's title. No I/O.

An owner may everything; an admin adds people and removes plain members; anybody may leave, but the last owner has to
leave the group to another owner first, or dissolve it. Only where every owner was deactivated does ownership pass on.
"""

from typing import Final

from klatsch.core.errors import BadRequest, FieldError, Forbidden
from klatsch.core.text import is_line
from klatsch.records.members import Role

ROLES: Final[tuple[Role, ...]] = ("owner", "admin", "member")
TITLE_MOST: Final = 200

_MAY_ADD: Final = {"owner", "admin"}
_MAY_REMOVE: Final[dict[str, set[str]]] = {"owner": {"owner", "admin", "member"}, "admin": {"member"}, "member": set()}


def check_owns(role: str) -> None:
    """Raises Forbidden unless who has this role may rename and dissolve the group and change roles."""
    if role != "owner":
        raise Forbidden("Only an owner of the group may do this.")


def check_may_add(role: str) -> None:
    """Raises Forbidden unless who has this role may add members."""
    if role not in _MAY_ADD:
        raise Forbidden("Only owners and admins may add members.")


def check_may_remove(role: str, target: str) -> None:
    """Raises Forbidden unless who has this role may remove somebody else who has that one."""
    if target not in _MAY_REMOVE[role]:
        raise Forbidden("You may not remove this member.")


def check_role(role: str) -> None:
    """Raises BadRequest unless there is such a role."""
    if role not in ROLES:
        raise BadRequest("There is no such role.", fields=(FieldError("role", "invalid", "owner, admin or member"),))


def check_title(title: str) -> None:
    """Raises BadRequest unless it is one line of 1 to 200 characters."""
    if len(title) > TITLE_MOST or not is_line(title):
        field = FieldError("title", "invalid", f"one line of 1 to {TITLE_MOST} characters, one of them visible")
        raise BadRequest(f"A title is one line of 1 to {TITLE_MOST} characters.", fields=(field,))
