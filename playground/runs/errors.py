"""What cannot be done, with the status that an HTTP answer has for it."""

from __future__ import annotations


class Refused(ValueError):  # noqa: N818, a state and not an error
    """Something that cannot be done; its message says why and what to do instead."""

    status = 422


class Missing(Refused):
    """There is no such thing."""

    status = 404


class Conflict(Refused):
    """Not in this state."""

    status = 409


class TooLarge(Refused):
    """More than is taken."""

    status = 413


class DiskFull(Refused):
    """The disk takes no more."""

    status = 507
