"""A fake device on loopback: real sockets, HTTP and TLS, SIP on UDP, and faults by name."""

from bootwatch.simulator.device import FakeDevice, Timing
from bootwatch.simulator.faults import Fault
from bootwatch.simulator.server import Simulator

__all__ = ["FakeDevice", "Fault", "Simulator", "Timing"]
