"""Rights of each role in a group, and rules for its title and description. No I/O.

An owner may do everything. An admin adds and invites people, removes plain members and describes the group. Everybody
may leave, but the last owner must first make another member an owner, or delete the group. When every owner was
deactivated, ownership passes to another member.
"""

from typing import Final

from klatsch.core.errors import BadRequest, FieldError, Forbidden
from klatsch.core.text import is_line, is_text
from klatsch.records.members import Role

ROLES: Final[tuple[Role, ...]] = ("owner", "admin", "member")
TITLE_MOST: Final = 200
DESCRIPTION_MOST: Final = 500

_MAY_ADD: Final = {"owner", "admin"}
_MAY_REMOVE: Final[dict[str, set[str]]] = {"owner": {"owner", "admin", "member"}, "admin": {"member"}, "member": set()}


def check_owns(role: str) -> None:
    """Raises Forbidden unless the role may rename and delete the group and change roles."""
    if role != "owner":
        raise Forbidden("Only an owner of the group may do this.")


def check_may_add(role: str) -> None:
    """Raises Forbidden unless the role may add members."""
    if role not in _MAY_ADD:
        raise Forbidden("Only owners and admins may add members.")


def check_may_describe(role: str) -> None:
    """Raises Forbidden unless the role may change the group's description."""
    if role not in _MAY_ADD:
        raise Forbidden("Only owners and admins may describe the group.")


def check_may_manage_invitations(role: str) -> None:
    """Raises Forbidden unless the role may see all invitations to the group, and withdraw other people's."""
    if role not in _MAY_ADD:
        raise Forbidden("Only owners and admins may see the group's invitations.")


def check_may_remove(role: str, target: str) -> None:
    """Raises Forbidden unless `role` may remove a member of the role `target`."""
    if target not in _MAY_REMOVE[role]:
        raise Forbidden("You are not allowed to remove this member.")


def check_role(role: str) -> None:
    """Raises BadRequest unless the role exists."""
    if role not in ROLES:
        raise BadRequest(
            "There is no such role. Use owner, admin or member.",
            fields=(FieldError("role", "invalid", "Use owner, admin or member."),),
        )


def check_title(title: str) -> None:
    """Raises BadRequest unless the title is one line of 1 to 200 characters with a visible one."""
    if len(title) > TITLE_MOST or not is_line(title):
        field = FieldError(
            "title", "invalid", f"Use one line of 1 to {TITLE_MOST} characters, at least one of them visible."
        )
        raise BadRequest(f"A title is one line of 1 to {TITLE_MOST} characters.", fields=(field,))


def check_description(description: str) -> None:
    """Raises BadRequest unless the description is empty, or text of at most 500 characters with a visible one."""
    if description and (len(description) > DESCRIPTION_MOST or not is_text(description)):
        wanted = f"Use at most {DESCRIPTION_MOST} characters, at least one of them visible, or nothing."
        field = FieldError("description", "invalid", wanted)
        raise BadRequest(f"A description has at most {DESCRIPTION_MOST} characters.", fields=(field,))
