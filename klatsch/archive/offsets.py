"""Where the archive of an epoch begins and how far it has come: the door to its offsets for who opens epochs."""

from collections.abc import Mapping

from klatsch.archive.models import LogOffset


def archived_offsets(epoch: int) -> dict[int, int]:
    """Returns the next offset of each partition that is not yet stored."""
    return dict(LogOffset.objects.filter(epoch=epoch).values_list("partition", "next_offset"))


def begin_archive(epoch: int, starts: Mapping[int, int]) -> None:
    """Lets persisters store a new epoch, each partition from its offset on; call it in the epoch's own transaction."""
    LogOffset.objects.bulk_create(
        LogOffset(epoch=epoch, partition=partition, next_offset=offset) for partition, offset in starts.items()
    )
