"""What can be wrong with the fake device, by name."""

import enum


class Fault(enum.StrEnum):
    """One fault. The value is its name on the command line."""

    what: str

    def __new__(cls, name: str, what: str) -> "Fault":  # noqa: D102, PYI034 - see below
        # Not `Self`: the enum's own machinery calls this, with the class that is being made.
        member = str.__new__(cls, name)
        member._value_ = name
        member.what = what
        return member

    WRONG_PASSWORD = "wrong-password", "every login is refused by a page with status 200"
    BUSY = "busy", "somebody else is logged in"
    LOCKED = "locked", "the account is locked (status 423)"
    UMLAUTS = "umlauts", "somebody with umlauts is logged in, written in ISO-8859-1"
    REDIRECT = "redirect", "the login is answered by a redirect to the login page"
    SESSION_LOST = "session-lost", "the restart is answered by a redirect to the login page"
    HANG = "hang", "the login is never answered"
    DRIP = "drip", "the login is answered by one byte at a time, for ever"
    HALF_REPLY = "half-reply", "the connection ends in the middle of the reply to the login"
    LOST_REPLY = "lost-reply", "the restart happens, but its reply is lost"
    CALLS = "calls", "somebody is on the telephone, for ever"
    CALLS_ENDING = "calls-ending", "somebody is on the telephone, but hangs up soon"
    SLOW_BOOT = "slow-boot", "after the restart every page is 503 for a while"
    NEVER_DOWN = "never-down", "the restart is accepted and never happens"
    NEVER_BACK = "never-back", "the device goes down for good"
    FLAPS = "flaps", "it comes back and goes again, several times"
    FLAPS_ON = "flaps-on", "it comes back and goes again, for ever"
    BOOTS_TWICE = "boots-twice", "it restarts a second time by itself"
    OTHER_SERIAL = "other-serial", "another serial number answers after the restart"
    SILENT_LOGOUT = "silent-logout", "the logout is never answered"
    NO_SIP = "no-sip", "SIP does not answer any more after the restart"
    LATE_SIP = "late-sip", "SIP answers a while later than the pages after the restart"
    BLOCKED_LINE = "blocked-line", "a line is blocked after the restart"
    COOKIE_SURVIVES = "cookie-survives", "the old session is still good after the restart"
    AMNESIA = "amnesia", "after the restart it knows login and restart only"
    LOCKED_AFTER = "locked-after", "the account is locked after the restart"
    EXPIRED_CERTIFICATE = "expired-certificate", "it speaks TLS, and its certificate has expired"
    CHANGED_CERTIFICATE = "changed-certificate", "it speaks TLS, with another certificate later"
    HANG_AFTER = "hang-after", "after the restart the login is never answered"
