"""Errors of requests about runs, with their HTTP status and the remedy that the page offers."""

from __future__ import annotations

import errno


class Refused(ValueError):  # noqa: N818, a state and not an error
    """A request that cannot be done; the message says why and what to do instead."""

    status = 422
    remedy = ""  # the action of a button beside the message


class Missing(Refused):
    """The run, file, set or task does not exist."""

    status = 404


class Conflict(Refused):
    """The run is not in the state that the request needs."""

    status = 409


class Busy(Conflict):
    """Another run is training; `anyway` starts this run beside it."""

    remedy = "anyway"


class TooLarge(Refused):
    """The upload exceeds a limit."""

    status = 413


class DiskFull(Refused):
    """The disk is full."""

    status = 507


def disk_error(what: str, problem: OSError) -> Refused:
    """Return the error for a file that cannot be written. `what`: the start of its message."""
    kind = DiskFull if problem.errno in (errno.ENOSPC, errno.EDQUOT) else Refused
    return kind(f"{what} ({problem.strerror}): make room, or give the app another --runs.")
