"""Functions that a recipe may use in placeholders: `{md5(user, ":", password)}`.

All but `unhex` and `utf16` give text. Several texts in a row are joined. Digests are hexadecimal.

`fritzbox` answers a FRITZ!Box's challenge: by PBKDF2 where the challenge begins with `2$`, by MD5
of UTF-16 otherwise (FRITZ!OS before 7.24). Source: AVM, "Login to the FRITZ!Box web interface",
sections 3 and 4.

Another package adds functions by the entry point `bootwatch.functions`: RSA as TP-Link asks for it,
or SCRAM as Huawei does. Such a function takes texts or bytes and returns text.
"""

from __future__ import annotations

import base64 as base64_module
import hashlib
import hmac as hmac_module
import secrets
from functools import cache, partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_ITERATIONS = 10_000_000  # of PBKDF2: some seconds; a device that asks for more is not served
ENTRY_POINTS = "bootwatch.functions"
Value = str | bytes


def _bytes(value: Value, encoding: str) -> bytes:
    return value if isinstance(value, bytes) else value.encode(encoding)


def _joined(encoding: str, *values: Value) -> bytes:
    return b"".join(_bytes(value, encoding) for value in values)


def _base64(encoding: str, *values: Value) -> str:
    return base64_module.b64encode(_joined(encoding, *values)).decode("ascii")


def _digest(name: str, encoding: str, *values: Value) -> str:
    return hashlib.new(name, _joined(encoding, *values), usedforsecurity=False).hexdigest()


def _hmac(encoding: str, key: Value, text: Value, name: Value = "sha256") -> str:
    return hmac_module.new(_bytes(key, encoding), _bytes(text, encoding), str(name)).hexdigest()


def _pbkdf2(
    encoding: str, password: Value, salt: Value, iterations: Value, name: Value = "sha256"
) -> str:
    rounds = int(iterations)
    if not 0 < rounds <= MOST_ITERATIONS:
        raise ValueError("iterations")
    return hashlib.pbkdf2_hmac(
        str(name), _bytes(password, encoding), _bytes(salt, encoding), rounds
    ).hex()


def _unhex(encoding: str, text: Value) -> bytes:  # noqa: ARG001 - as all functions
    return bytes.fromhex(str(text))


def _utf16(encoding: str, *values: Value) -> bytes:  # noqa: ARG001 - as all functions
    return "".join(str(value) for value in values).encode("utf-16-le")


def _random(encoding: str, size: Value) -> str:  # noqa: ARG001 - as all functions
    return secrets.token_hex(min(int(size), 1024))


def fritzbox(challenge: str, password: str) -> str:
    """Answer the challenge of a FRITZ!Box.

    Args:
        challenge: As the device gave it.
        password: The password.

    Raises:
        ValueError: The challenge is not one.
    """
    kind, *parts = challenge.split("$")
    if kind != "2":
        # The device replaces what UCS-2 of one byte lacks, by the same dot.
        plain = "".join(letter if ord(letter) < 256 else "." for letter in password)  # noqa: PLR2004
        text = f"{challenge}-{plain}".encode("utf-16-le")
        return f"{challenge}-{hashlib.md5(text, usedforsecurity=False).hexdigest()}"
    first_rounds, first_salt, second_rounds, second_salt = parts
    first = _pbkdf2("utf-8", password, bytes.fromhex(first_salt), first_rounds)
    second = _pbkdf2("utf-8", bytes.fromhex(first), bytes.fromhex(second_salt), second_rounds)
    return f"{second_salt}${second}"


_OWN: dict[str, Callable[..., Value]] = {
    "base64": _base64,
    "md5": partial(_digest, "md5"),
    "sha1": partial(_digest, "sha1"),
    "sha256": partial(_digest, "sha256"),
    "sha512": partial(_digest, "sha512"),
    "hmac": _hmac,
    "pbkdf2": _pbkdf2,
    "hex": lambda encoding, *values: _joined(encoding, *values).hex(),
    "unhex": _unhex,
    "utf16": _utf16,
    "upper": lambda _encoding, text: str(text).upper(),
    "lower": lambda _encoding, text: str(text).lower(),
    "random": _random,
    "fritzbox": lambda _encoding, challenge, password: fritzbox(str(challenge), str(password)),
}


def find_function(name: str) -> Callable[..., Value] | None:
    """Return a function, which takes the encoding first, then its arguments; `None` if unknown."""
    if name in _OWN:
        return _OWN[name]
    point = _added().get(name)
    # Loaded when it is called for the first time: a look at the plan runs no foreign code.
    return None if point is None else lambda _encoding, *values: point.load()(*values)


def function_names() -> list[str]:
    """List the functions by name, those of other packages among them."""
    return sorted({*_OWN, *_added()})


@cache
def _added() -> dict[str, Any]:
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=ENTRY_POINTS)}
