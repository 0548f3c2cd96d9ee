"""The bugs, the faults under which each must show, and the invariants that it breaks. No I/O."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Bug:
    """A bug. `name` is its function in `faults.bugs.planting`. It is found when one of `breaks` is contradicted.

    `only` are the kinds of faults of its run, and `settings` those of its processes: the same with and without it.
    """

    name: str
    what: str
    only: tuple[str, ...]
    breaks: frozenset[str]
    settings: tuple[tuple[str, str], ...] = field(default=())
    brokers: int = 1


_CUTS = ("network cut", "gateway killed")
_REBALANCES = ("persister killed", "persister added")
_PATIENT = (("KLATSCH_PING_SECONDS", "120"), ("KLATSCH_OUTBOX_BYTES", "65536"))

OF_CHANGES = {
    "late_edit_revives": "a gateway lets an edit pass that comes after the message's deletion: the text is back",
    "copy_undoes_edit": "a gateway does not know copies of changes: a late copy of an edit undoes the next one",
    "demoted_admin_deletes": "the role is checked and judged by what it was: a demoted admin goes on to delete",
    "fresh_feed_judges_otherwise": "a gateway that has just started ignores the archive's verdicts",
    "wrong_clock_check": "a change counts however long ago it was checked, by whatever clock",
}
"""Bugs of changes, by name. tests/unit/test_changes_agree.py plants and finds all of them, in a world in memory.

They need minutes of the log's time, or two records within milliseconds, to show: no run of `make bugs` is for them.
"""

BUGS = (
    Bug("offsets_before_rows", "offset before insert: moved in a transaction of its own, the rows come in the next one",
        ("persister killed within",), frozenset({"I1", "I2"})),
    Bug("no_compare_and_set", "compare-and-set removed: what another persister did meanwhile is not noticed",
        _REBALANCES, frozenset({"I2"})),
    Bug("copies_are_moved", "a copy that is stored again takes its original's place",
        ("network cut", "kafka killed"), frozenset({"I2", "I3"})),
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
    Bug("copies_are_shown", "the gateway remembers no ids: a copy is a message",
        ("network cut", "kafka killed"), frozenset({"I3", "I5"})),
    Bug("retries_are_new", "a retry is a new message: its id does not come from the client_id",
        ("network cut", "kafka killed"), frozenset({"I3"})),
    Bug("leader_answers_alone", "acks=1 with a killed leader: `ok` when the leader has it, and nobody else",
        ("leader killed ahead",), frozenset({"I1"}), brokers=3),
    Bug("answers_come_early", "`ok` when the broker has it, judged by nobody: a copy is answered as a message",
        ("network cut", "kafka killed"), frozenset({"I3"})),
)  # fmt: skip
OF_MARKERS = {"marker_moves_back": "of several markers in a batch the last counts, and not the highest"}
"""Bugs of markers, by name. tests/unit/test_markers_agree.py plants and finds them."""
BY_NAME = {bug.name: bug for bug in BUGS}
