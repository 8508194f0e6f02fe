"""TLS that is verified or pinned by fingerprint, never switched off.

A device in the house has a certificate of its own making, which no authority signed. It is pinned:
the SHA-256 of the certificate is stored once (`bootwatch trust`), and every later handshake must
show the same one, before a single byte of a request is sent. Names and dates in a pinned
certificate do not matter then, as nothing but its identity is trusted.

TLS 1.0 and 1.1 are refused unless the configuration allows them, and then only with a pinned
certificate: who is at the other end is known then, whatever the old version is worth otherwise.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import socket
import ssl
import warnings
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bootwatch.clock import Deadline
from bootwatch.errors import CertificateError, ConfigError, OldTlsError, SilentError
from bootwatch.files import replace_file
from bootwatch.permissions import why_not_trusted
from bootwatch.resolving import TICK, resolve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOOK = 3.0  # seconds to find out which version a device speaks
_TOO_OLD = {  # as OpenSSL calls it, by its version and by who hangs up first
    "UNSUPPORTED_PROTOCOL",
    "TLSV1_ALERT_PROTOCOL_VERSION",
    "SSLV3_ALERT_HANDSHAKE_FAILURE",
    "WRONG_SSL_VERSION",
    "DH_KEY_TOO_SMALL",
    "NO_PROTOCOLS_AVAILABLE",
}
EXPIRED = 10  # OpenSSL's X509_V_ERR_CERT_HAS_EXPIRED
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


class PinMismatchError(ssl.SSLCertVerificationError):
    """The certificate is another one than the stored one."""


def pin_path(folder: Path, device: str) -> Path:
    """Return the file that holds a device's fingerprint: beside the configuration."""
    return folder / f"{device}.fingerprint"


def read_pin(path: Path) -> str | None:
    """Return the stored fingerprint, 64 hexadecimal digits, or `None` if there is none.

    Raises:
        ConfigError: The file holds something else.
    """
    danger = why_not_trusted(path)
    if danger:
        raise ConfigError(f"The fingerprint `{path}` {danger}")
    try:
        text = path.read_text(encoding="ascii").strip().lower().replace(":", "")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The fingerprint `{path}` cannot be read: {error}") from None
    if not _FINGERPRINT.fullmatch(text):
        raise ConfigError(
            f"`{path}` holds no SHA-256 fingerprint of 64 hexadecimal digits; "
            "remove it and run `bootwatch trust` again"
        )
    return text


def make_context(*, pin: str | None, ca: Path | None, old: bool = False) -> ssl.SSLContext:
    """Build the context of all connections to one device.

    Args:
        pin: Fingerprint that the certificate must have; then nothing else is checked.
        ca: File of the authority that must have signed the certificate; the system's
            authorities if `None`.
        old: Whether TLS 1.0 and 1.1 are allowed.

    Raises:
        ConfigError: The file of the authority cannot be used, or old TLS is to be allowed without
            a pinned certificate.
    """
    if pin is None and old:
        raise ConfigError(
            "`allow_old_tls` holds for a pinned certificate only, and none is stored; "
            "run `bootwatch trust` first"
        )
    danger = None if ca is None else why_not_trusted(ca)
    if danger:
        raise ConfigError(f"`ca` = `{ca}` {danger}")
    if pin is None:
        try:
            return ssl.create_default_context(cafile=ca)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"`ca` = `{ca}` cannot be used: {error}") from None
    expected = pin

    class PinnedSocket(ssl.SSLSocket):
        """Ends the handshake with an error unless the certificate is the pinned one."""

        def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - inherited
            super().do_handshake(block)
            if fingerprint_of(self.getpeercert(binary_form=True) or b"") != expected:
                raise PinMismatchError("the certificate is not the trusted one")

    context = _unverified(old=old)
    context.sslsocket_class = PinnedSocket
    return context


def fingerprint_of(certificate: bytes) -> str:
    """Return the SHA-256 of a certificate in DER form, as 64 hexadecimal digits."""
    return hashlib.sha256(certificate).hexdigest()


def fetch_fingerprint(url: str, *, timeout: float) -> str:
    """Ask a device for its certificate and return its fingerprint; nothing else is sent.

    Args:
        url: `https://HOST[:PORT]`.
        timeout: Seconds for connection and handshake.

    Raises:
        SilentError: There was no answer, or none in TLS.
    """
    try:
        with _connected(url, timeout=timeout) as wrapped:
            return fingerprint_of(wrapped.getpeercert(binary_form=True) or b"")
    except OSError as error:
        raise SilentError("connect", f"No certificate came from {url}: {error}") from None


def tls_error(error: BaseException, *, url: str) -> SilentError | None:
    """Find out whether a failed request failed because of TLS, and say how.

    Args:
        error: What the request raised.
        url: Scheme, host and port of the device, to ask which version it speaks.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, PinMismatchError):
            return CertificateError(
                "certificate-changed",
                "The device shows another certificate than the trusted one; if that is right, run "
                "`bootwatch trust` again",
            )
        if isinstance(cause, ssl.SSLCertVerificationError):
            expired = cause.verify_code == EXPIRED
            return CertificateError(
                "certificate-expired" if expired else "certificate-untrusted",
                f"The device's certificate was not accepted ({cause.verify_message}); renew it, "
                "give its authority by `ca`, or pin it by `bootwatch trust`",
            )
        if isinstance(cause, ssl.SSLError) and cause.reason in _TOO_OLD:
            version = _spoken_version(url)
            if version is not None:
                return OldTlsError(
                    "old-tls",
                    f"The device speaks {version}, which is not allowed; update its firmware, or "
                    "pin its certificate by `bootwatch trust` and write `allow_old_tls = true`",
                )
        cause = cause.__cause__ or cause.__context__
    return None


def _spoken_version(url: str) -> str | None:
    """Return `TLS 1.0` and the like if the device speaks such an old version, or old ciphers."""
    try:
        with _connected(url, timeout=LOOK) as wrapped:
            name = wrapped.version() or ""
    except OSError:
        return None
    number = name.removeprefix("TLSv")
    number = f"{number}.0" if "." not in number else number
    return f"TLS {number}" if number in {"1.0", "1.1"} else f"TLS {number} with old ciphers only"


@contextlib.contextmanager
def _connected(url: str, *, timeout: float) -> Iterator[ssl.SSLSocket]:
    """Connect to look at a certificate or a version, by whatever version of TLS; send nothing."""
    parts = urlsplit(url)
    host, limit = parts.hostname or "", Deadline(timeout)
    found = resolve(host, parts.port or 443, kind=socket.SOCK_STREAM, limit=limit)
    with (
        socket.create_connection(found[0][4][:2], timeout=max(limit.left, TICK)) as plain,
        _unverified(old=True).wrap_socket(plain, server_hostname=host) as wrapped,
    ):
        yield wrapped


def _unverified(*, old: bool = False) -> ssl.SSLContext:
    """Return a context that checks nothing: for pinning, and for looking at a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if old:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # old is what is wanted
            context.minimum_version = ssl.TLSVersion.TLSv1
        context.set_ciphers("DEFAULT:@SECLEVEL=0")  # OpenSSL allows old versions at no higher level
    return context


def store_pin(path: Path, fingerprint: str) -> None:
    """Store a fingerprint.

    Raises:
        ConfigError: The folder cannot be written to.
    """
    try:
        replace_file(path, fingerprint + "\n")
    except OSError as error:
        raise ConfigError(f"`{path}` cannot be written: {error}") from None
