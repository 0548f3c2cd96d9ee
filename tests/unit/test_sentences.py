"""Commands that cannot go on say why in a sentence."""

import errno
import os
import signal
import socket
import subprocess
import sys

import psycopg
import pytest
from django.core.management.base import CommandError

from klatsch.processes.sentences import told_in_a_sentence, told_of_port


@pytest.mark.parametrize("number", [errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL])
def test_a_port_on_which_nothing_can_listen_is_told_of(number: int) -> None:
    with pytest.raises(CommandError, match=f"port 8000 cannot be used: {os.strerror(number)}"), told_of_port(8000):
        raise OSError(number, os.strerror(number))


def test_a_host_that_has_no_address_is_told_of() -> None:
    with pytest.raises(CommandError, match="port 8000 cannot be used: unknown"), told_of_port(8000):
        raise socket.gaierror(socket.EAI_NONAME, "unknown")


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENOSPC, errno.ECONNRESET])
def test_another_failure_is_not_taken_for_one_of_the_port(number: int) -> None:
    with pytest.raises(OSError, match=os.strerror(number)), told_of_port(8000):
        raise OSError(number, os.strerror(number))


def test_a_role_without_the_right_is_told_of() -> None:
    with pytest.raises(CommandError, match="the role in DATABASE_URL"), told_in_a_sentence():
        raise psycopg.errors.InsufficientPrivilege("must be owner of table conversations_member")


def test_a_command_whose_output_nobody_reads_ends_without_a_word() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    program = "from klatsch.processes.sentences import ended_by_reader\nwith ended_by_reader(): print('a line')"
    with os.fdopen(writer, "wb") as output:
        ended = subprocess.run(
            [sys.executable, "-c", program], stdout=output, stderr=subprocess.PIPE, timeout=180, check=False
        )
    assert (ended.returncode, ended.stderr) == (128 + signal.SIGPIPE, b"")
