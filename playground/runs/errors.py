"""What cannot be done, with the status that an HTTP answer has for it, and the name of a remedy."""

from __future__ import annotations


class Refused(ValueError):  # noqa: N818, a state and not an error
    """Something that cannot be done; its message says why and what to do instead."""

    status = 422
    remedy = ""  # that the page offers as a button


class Missing(Refused):
    """There is no such thing."""

    status = 404


class Conflict(Refused):
    """Not in this state."""

    status = 409


class Busy(Conflict):
    """Another run trains now; this one can be started beside it."""

    remedy = "anyway"


class TooLarge(Refused):
    """More than is taken."""

    status = 413


class DiskFull(Refused):
    """The disk takes no more."""

    status = 507
