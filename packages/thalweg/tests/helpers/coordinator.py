"""JAX's coordinator for two processes, in a third one; ends when its standard input does.

JAX has it in process 0. Where that is killed, JAX aborts the others from a thread of its own, and
what they still do is a matter of luck; so the tests that kill one keep the coordinator apart.

    python coordinator.py ADDRESS SHUTDOWN_SECONDS
"""

import sys

from jaxlib import _jax


def main(address: str, shutdown_seconds: str) -> None:
    """Serve until standard input is closed."""
    service = _jax.get_distributed_runtime_service(
        address, 2, shutdown_timeout=int(shutdown_seconds)
    )
    print("ready", flush=True)  # noqa: T201 - its output is waited for by the test
    sys.stdin.read()
    del service


if __name__ == "__main__":
    main(*sys.argv[1:])
