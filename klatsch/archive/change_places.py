"""The positions of changes. Tables hold the epoch and offset of a change, and the partition of its message alone (D2).

The two lie in one partition, unless a later epoch has another number of partitions. The partition of a change is then
computed as its writer did, from the conversation's key.
"""

from typing import Final

from klatsch.eventlog.partitions import partition_of

MESSAGE_PLACE: Final = """concat_ws(':', m.epoch, m.partition, m."offset")"""
"""SQL of the position of the message m itself."""


def change_place_sql(epoch: str, offset: str) -> str:
    """Returns SQL of a text that `change_place` takes, for a change of the message m at these columns.

    The text is the position, or in another epoch than the message's `epoch:/partitions:offset`, with their number.
    """
    return f"""concat_ws(':', {epoch}, CASE WHEN {epoch} = m.epoch THEN m.partition::text ELSE
        '/' || (SELECT e.partitions FROM eventlog_epoch e WHERE e.epoch = {epoch}) END, {offset})"""  # noqa: S608


def change_place(text: str, conversation: str) -> str:
    """Returns the position that SQL of `change_place_sql` has found for a change in that conversation."""
    if "/" not in text:
        return text
    epoch, partitions, offset = text.split(":")
    return f"{epoch}:{partition_of(conversation.encode('ascii'), int(partitions[1:]))}:{offset}"
