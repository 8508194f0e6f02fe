"""Every exception that bootwatch raises on purpose.

BootwatchError
├── ConfigError          the configuration, a recipe or a password cannot be used (exit 2)
├── LedgerError          the record of past attempts cannot be read or written (exit 1)
├── UnprovedError        a reply lacks what the next request needs, which is not sent then (exit 3)
├── SilentError          the device gave no answer, or only a part of one
│   ├── CertificateError the device could not prove by TLS that it is the right one
│   └── OldTlsError      the device speaks no TLS that is allowed (exit 2)
└── Stopped              Ctrl-C or SIGTERM
"""

import signal


class BootwatchError(Exception):
    """The base of all exceptions of this package."""


class ConfigError(BootwatchError):
    """Something the user wrote cannot be used.

    Args:
        mistakes: One sentence a mistake, all of them.
    """

    def __init__(self, *mistakes: str) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


class LedgerError(BootwatchError):
    """The ledger cannot be read or written."""


class UnprovedError(BootwatchError):
    """A reply lacks what the next request needs, or cannot be understood."""


class SilentError(BootwatchError):
    """The device gave no answer, or only a part of one.

    Args:
        reason: A short, stable word for ledger and metrics, such as `timeout`.
        message: The sentence for a person.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class CertificateError(SilentError):
    """The TLS certificate is not one that can be trusted."""


class OldTlsError(SilentError):
    """The device speaks no version of TLS that is allowed."""


class Stopped(BootwatchError):  # noqa: N818 - not an error, but a wish of the user
    """A signal asked the program to end.

    Args:
        number: The signal's number.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.number = number
