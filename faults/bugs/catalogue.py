"""The bugs, the faults or the test under which each must show, and the invariants that it breaks. No I/O."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Bug:
    """A bug. `name` is its function in one of the modules of `faults.bugs.planting`.

    Faults of the kinds `only` find it when one of `breaks` is contradicted; `settings` are those of the processes, the
    same with and without it. A bug with a `test` is found when that test fails with it.
    """

    name: str
    what: str
    only: tuple[str, ...] = ()
    breaks: frozenset[str] = frozenset()
    settings: tuple[tuple[str, str], ...] = field(default=())
    brokers: int = 1
    test: str = ""


_CUTS = ("network cut", "gateway killed")
_REBALANCES = ("persister killed", "persister added")
_REPEATS = ("network cut", "kafka killed")
_PATIENT = (("KLATSCH_PING_SECONDS", "120"), ("KLATSCH_OUTBOX_BYTES", "65536"))

OF_CHANGES = (
    Bug("late_edit_revives", "a gateway lets an edit pass that comes after the message's deletion: the text is back",
        _CUTS, frozenset({"I5", "I6"})),
    Bug("copy_undoes_edit", "a gateway does not know copies of changes: a late copy of an edit undoes the next one",
        _REPEATS, frozenset({"I3", "I5", "I6"})),
    Bug("demoted_admin_deletes", "the role is checked and judged by what it was: a demoted admin goes on to delete",
        ("admin demoted",), frozenset({"I2", "I6"})),
    Bug("fresh_feed_judges_otherwise", "a gateway that has just started ignores the archive's verdicts",
        test="tests/unit/test_changes_agree.py::test_random_orders_come_to_the_documented_outcome"),
    Bug("wrong_clock_check", "a change counts however long ago it was checked, by whatever clock",
        _CUTS, frozenset({"I2", "I6"})),
)  # fmt: skip
"""Bugs of changes. tests/unit/test_changes_agree.py finds each of them too, in a world in memory."""

BUGS = (
    Bug("offsets_before_rows", "offset before insert: moved in a transaction of its own, the rows come in the next one",
        ("persister killed within",), frozenset({"I1", "I2"})),
    Bug("no_compare_and_set", "compare-and-set removed: what another persister did meanwhile is not noticed",
        _REBALANCES, frozenset({"I2"})),
    Bug("copies_are_moved", "a copy that is stored again takes its original's place",
        _REPEATS, frozenset({"I2", "I3"})),
    Bug("persister_judges_nobody", "the persister stores what was appended after its sender's removal",
        ("member removed",), frozenset({"I2"})),
    Bug("replay_begins_one_early", "`>=` for `>` in resume: the last that was seen is shown again",
        _CUTS, frozenset({"I5"})),
    Bug("replay_begins_one_late", "`>` for `>=` in resume: the first that was missed is left out",
        _CUTS, frozenset({"I5"})),
    Bug("replay_pauses_before_live", "what comes between the end of a replay and hearing live is lost",
        _CUTS, frozenset({"I5"})),
    Bug("marks_one_ahead", "a mark claims one record that was not sent yet",
        _CUTS, frozenset({"I5"})),
    Bug("outbox_drops", "a full outbox drops in silence, and a peer that takes nothing is kept",
        ("client stops reading",), frozenset({"I5"}), _PATIENT),
    Bug("batches_are_dropped", "a batch of the log is dropped in silence now and then",
        _CUTS, frozenset({"I5"})),
    Bug("partition_by_sender", "key = sender: what two people say in one conversation stands in two partitions",
        _CUTS, frozenset({"I3", "I4", "I5"})),
    Bug("removal_is_not_heard", "membership cached after a removal: who is out goes on to hear",
        ("member removed",), frozenset({"I6"})),
    Bug("removal_is_not_judged", "membership cached after a removal: who is out goes on to speak",
        ("member removed",), frozenset({"I1", "I3", "I6"})),
    Bug("block_is_not_judged", "a block is neither checked nor judged by gateways: who is blocked goes on to speak",
        ("person blocked",), frozenset({"I1", "I6"})),
    Bug("members_are_refused", "a gateway refuses a member's message now and then, for good",
        _CUTS, frozenset({"I3"})),
    Bug("senders_are_mixed_up", "what is shown of a message names the sender of the one before",
        _CUTS, frozenset({"I3"})),
    Bug("copies_are_shown", "the gateway remembers no ids: a copy is a message", _REPEATS, frozenset({"I3", "I5"})),
    Bug("retries_are_new", "a retry is a new message: its id does not come from the client_id",
        _REPEATS, frozenset({"I3"})),
    Bug("leader_answers_alone", "acks=1 with a killed leader: `ok` when the leader has it, and nobody else",
        ("leader killed ahead",), frozenset({"I1"}), brokers=3),
    Bug("answers_come_early", "`ok` when the broker has it, judged by nobody: a copy is answered as a message",
        _REPEATS, frozenset({"I3"})),
    *OF_CHANGES,
    Bug("marker_moves_back", "of several markers in a batch the last counts, and not the highest",
        test="tests/unit/test_markers_agree.py::test_everybody_has_the_highest_of_each"),
    Bug("unread_counts_own", "one's own messages count as unread", _CUTS, frozenset({"I2"})),
)  # fmt: skip
BY_NAME = {bug.name: bug for bug in BUGS}
