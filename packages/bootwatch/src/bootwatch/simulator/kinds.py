"""The kinds of fake devices: what each answers, how it is logged in to, and what can go wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bootwatch.simulator import pages, routers
from bootwatch.simulator.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from bootwatch.simulator.device import FakeDevice, Heard

EVERYWHERE = frozenset(
    {
        Fault.WRONG_PASSWORD,
        Fault.HANG,
        Fault.DRIP,
        Fault.HALF_REPLY,
        Fault.LOST_REPLY,
        Fault.SLOW_BOOT,
        Fault.NEVER_DOWN,
        Fault.NEVER_BACK,
        Fault.FLAPS,
        Fault.FLAPS_ON,
        Fault.BOOTS_TWICE,
        Fault.NO_SIP,
        Fault.LATE_SIP,
        Fault.EXPIRED_CERTIFICATE,
        Fault.CHANGED_CERTIFICATE,
        Fault.HANG_AFTER,
    }
)
"""Faults of sockets and of the restart itself, which any device may have."""
NEEDS_SIP = frozenset({Fault.NO_SIP, Fault.LATE_SIP})


@dataclass(frozen=True)
class Kind:
    """One kind of device.

    Attributes:
        answer: What it answers to a request.
        login: Method and beginning of the path of what logs in.
        logout: Beginning of the path of what logs out, or nothing.
        more: Faults that it can have in addition to those that every kind can have.
        bare: Whether it can be so bare that it knows login and restart only.
    """

    answer: Callable[[FakeDevice, Heard], pages.Answer]
    login: tuple[str, str]
    logout: str = ""
    more: frozenset[Fault] = frozenset()
    bare: bool = False

    @property
    def faults(self) -> frozenset[Fault]:
        """All faults that it can have."""
        return EVERYWHERE | self.more


_TELEPHONES = frozenset(
    {
        Fault.BUSY,
        Fault.LOCKED,
        Fault.CALLS,
        Fault.CALLS_ENDING,
        Fault.BLOCKED_LINE,
        Fault.OTHER_SERIAL,
        Fault.SILENT_LOGOUT,
        Fault.COOKIE_SURVIVES,
    }
)
_ROUTERS = frozenset({Fault.BUSY, Fault.COOKIE_SURVIVES})

KINDS: dict[str, Kind] = {
    "auerswald-form": Kind(
        pages.answer_form,
        ("POST", "/login"),
        logout="/unlogAdmin",
        more=_TELEPHONES
        | {
            Fault.UMLAUTS,
            Fault.REDIRECT,
            Fault.SESSION_LOST,
            Fault.AMNESIA,
            Fault.LOCKED_AFTER,
        },
        bare=True,
    ),
    "auerswald-digest": Kind(
        pages.answer_digest, ("GET", "/login_json"), logout="/unlogAdmin", more=_TELEPHONES
    ),
    "fritzbox-tr064": Kind(
        pages.answer_tr064,
        ("POST", "/upnp/control/deviceinfo"),
        more=frozenset({Fault.LOCKED, Fault.OTHER_SERIAL}),
    ),
    "fritzbox-login": Kind(
        routers.answer_fritzbox,
        ("POST", "/login_sid.lua"),
        more=frozenset({Fault.OTHER_SERIAL, Fault.COOKIE_SURVIVES}),
    ),
    "speedport": Kind(
        routers.answer_speedport,
        ("POST", "/data/Login.json"),
        more=_ROUTERS | {Fault.OTHER_SERIAL},
    ),
    "asus": Kind(routers.answer_asus, ("POST", "/login.cgi"), logout="/Logout.asp", more=_ROUTERS),
    "netgear": Kind(routers.answer_netgear, ("POST", "/soap/server_sa"), more=_ROUTERS),
    "json-api": Kind(
        routers.answer_json, ("POST", "/api/session"), more=_ROUTERS | {Fault.OTHER_SERIAL}
    ),
    "generic-form": Kind(pages.answer_generic, ("POST", "/login"), logout="/logout", more=_ROUTERS),
}
"""For each recipe that ships the device that it is made for."""
