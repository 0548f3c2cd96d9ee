"""A view shows how far others have read, who types and who is online."""

from dataclasses import replace

from klatsch_client import Marker, Marking, Presence, Typing
from klatsch_client.positions import Position
from tests.unit.client_shown import Shown, at, said
from tests.unit.client_shown import shown as shown  # noqa: PLC0414 - the fixture


def test_markers_only_go_up_and_show_what_is_still_to_be_marked(shown: Shown) -> None:
    for marker in (
        Marker("one", "bob", at(9), at(3)),
        Marker("one", "bob", at(4), at(5)),
        Marker("one", "bob", None, None),
    ):
        shown.view.apply(marker)
    shown.view.apply(Marker("one", "ana", None, at(2)))
    shown.drafts.append(Marking("one", read=at(7)))
    assert shown.view.markers("one") == {
        "bob": Marker("one", "bob", at(9), at(5)),
        "ana": Marker("one", "ana", None, at(7)),
    }
    shown.drafts.clear()
    assert shown.view.markers("one")["ana"].read == at(2)


def test_ones_own_flag_is_shown_until_it_is_taken_back_or_a_higher_read_comes(shown: Shown) -> None:
    def flag_after(*markers: Marker) -> Position | None:
        for marker in markers:
            shown.view.apply(marker)
        return shown.view.markers("one")["ana"].unread_from

    flagged = Marker("one", "ana", None, None, at(2), tells_flag=True)
    assert flag_after(Marker("one", "ana", None, at(5)), flagged, Marker("one", "ana", at(6), at(5))) == at(2)
    assert shown.view.markers("one")["ana"].read == at(5)
    assert flag_after(Marker("one", "ana", None, None, None, tells_flag=True)) is None
    assert flag_after(flagged, Marker("one", "ana", None, at(6))) is None


def test_a_flag_that_is_told_again_after_the_read_that_took_it_away_is_not_shown(shown: Shown) -> None:
    flagged = Marker("one", "ana", None, None, at(2), tells_flag=True, position=at(10))
    read = Marker("one", "ana", None, at(9), position=at(11))
    again = replace(flagged, unread_from=at(3), position=at(12))
    for told, flag in (((flagged, read), None), ((flagged, read), None), ((again, flagged, read), at(3))):
        for marker in told:
            shown.view.apply(marker)
        assert shown.view.markers("one")["ana"].unread_from == flag


def test_a_flag_is_shown_whatever_else_of_a_later_place_was_told_before_it(shown: Shown) -> None:
    shown.view.apply(Marker("one", "ana", None, at(5), position=at(9)))
    shown.view.apply(Marker("one", "ana", at(8), at(5), position=at(11)))
    shown.view.apply(Marker("one", "ana", None, None, at(2), tells_flag=True, position=at(10)))
    assert shown.view.markers("one")["ana"].unread_from == at(2)


def test_typing_ends_by_itself_when_it_is_said_and_with_the_connection(shown: Shown) -> None:
    shown.view.apply(Typing("one", "bob"))
    shown.now_s = 7.9
    shown.view.apply(Typing("one", "carol"))
    assert shown.view.typing("one") == ["bob", "carol"]
    shown.now_s = 8.1
    assert shown.view.typing("one") == ["carol"]
    shown.view.apply(Typing("one", "carol", on=False))
    assert shown.view.typing("one") == []
    shown.view.apply(Typing("one", "bob"))
    shown.view.apply(said(2))
    assert shown.view.typing("one") == [], "what was typed has come"
    shown.view.apply(Typing("one", "bob"))
    shown.view.apply(Presence(("bob",), ("carol",), whole=True))
    assert [shown.view.is_online(name) for name in ("bob", "carol", "dan")] == [True, False, None]
    shown.view.apply(Presence((), ("bob",)))
    assert shown.view.is_online("bob") is False
    shown.view.lose_connection()
    assert (shown.view.typing("one"), shown.view.is_online("carol")) == ([], None)
