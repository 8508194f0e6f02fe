"""`bootwatch simulate`: a fake device as a process, for trying out."""

from __future__ import annotations

import json
import signal
import sys
from typing import TYPE_CHECKING

from bootwatch.durations import parse_duration
from bootwatch.errors import ConfigError, Stopped
from bootwatch.simulator.device import FakeDevice, Timing
from bootwatch.simulator.faults import Fault
from bootwatch.simulator.kinds import KINDS, NEEDS_SIP
from bootwatch.simulator.server import Simulator
from bootwatch.suggestions import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence


def list_faults() -> None:
    """Print every fault by name, and what it does."""
    for fault in Fault:
        sys.stdout.write(f"{fault:20} {fault.what}\n")


def serve(  # noqa: PLR0913 - one argument for each option of the command
    recipe: str,
    *,
    faults: Sequence[str],
    seed: int,
    port: int,
    boot: str,
    session: str,
    sip: bool,
    bare: bool,
    tls: bool,
) -> None:
    """Be a fake device until a signal comes. Its addresses are printed as one line of JSON.

    Raises:
        ConfigError: An argument cannot be used; the message lists all mistakes.
    """
    mistakes = []
    if recipe not in KINDS:
        mistakes.append(f"`{recipe}` cannot be simulated; {nearest(recipe, sorted(KINDS))}")
    known = [str(fault) for fault in Fault]
    mistakes += [
        f"`{name}` is not a fault; {nearest(name, known)}" for name in faults if name not in known
    ]
    mistakes += _impossible(recipe, [name for name in faults if name in known], sip=sip, bare=bare)
    seconds = {}
    for name, text in {"boot": boot, "session": session}.items():
        try:
            seconds[name] = parse_duration(text)
        except ValueError as error:
            mistakes.append(f"`--{name}`: {error}")
    if mistakes:
        raise ConfigError(*mistakes)
    device = FakeDevice(
        seed=seed,
        bare=bare,
        faults=frozenset(Fault(name) for name in faults),
        timing=Timing(**seconds),
    )
    try:
        simulator = Simulator(recipe, device, tls=tls, port=port, sip=sip)
    except OSError as error:  # the port is in use
        raise ConfigError(f"The simulator cannot start: {error}") from None
    with simulator:
        sys.stdout.write(json.dumps(simulator.addresses()) + "\n")
        sys.stdout.flush()
        try:
            signal.pause()
        except Stopped:
            return


def _impossible(recipe: str, faults: Sequence[str], *, sip: bool, bare: bool) -> list[str]:
    """List what this kind of device cannot be: it would be played without the fault."""
    if recipe not in KINDS:
        return []
    kind = KINDS[recipe]
    mistakes = [
        f"`{name}` is a fault that `{recipe}` cannot have; it can have "
        + ", ".join(f"`{one}`" for one in sorted(kind.faults))
        for name in faults
        if Fault(name) not in kind.faults
    ]
    mistakes += [
        f"`{name}` is a fault of SIP; add `--sip`"
        for name in faults
        if Fault(name) in NEEDS_SIP and not sip
    ]
    if bare and not kind.bare:
        mistakes.append(f"`--bare` means nothing for `{recipe}`; leave it out")
    return mistakes
