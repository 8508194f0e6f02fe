"""Where passwords and other secrets come from, and how they are kept out of all that is written.

A password is read as late as possible, from a file that only its owner can read, from systemd's
credentials, from the environment (and then removed there) or from the keyring.
"""

from __future__ import annotations

import base64
import re
import stat
import unicodedata
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, SecretStr, model_validator
from pydantic_core import PydanticCustomError

from bootwatch.errors import ConfigError
from bootwatch.plain_text import without_controls

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

MASK = "*****"
SOURCES = "{ file = ... }, { credential = ... }, { env = ... } or { keyring = ... }"
OTHERS = stat.S_IRWXG | stat.S_IRWXO
SHORTEST_CORE = 6  # letters of base64: fewer would hide innocent text


class PasswordSource(BaseModel):
    """Where a password, or a URL that holds a secret, stands. Exactly one of the four is given."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str | None = None
    credential: str | None = None
    env: str | None = None
    keyring: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _refuse_a_password(cls, value: object) -> object:
        """A text here is the password itself, which must never stand in the file."""
        if isinstance(value, str):
            raise PydanticCustomError(
                "password_in_file",
                "is written into the configuration; put it into a file of its own with mode 600 "
                'and write `password = { file = "NAME" }`, or use one of ' + SOURCES,
            )
        if isinstance(value, dict) and len(value) != 1:
            raise PydanticCustomError("password_source", "needs exactly one of " + SOURCES)
        return value

    def read(self, *, user: str, folder: Path, environment: MutableMapping[str, str]) -> SecretStr:
        """Read the password.

        Args:
            user: The name it belongs to; the keyring asks for it.
            folder: Where a relative `file` is looked for: the configuration's folder.
            environment: Variables of this process. One that held the password is removed, so
                that no child inherits it.

        Raises:
            ConfigError: There is no password there, or others could read it, too.
        """
        if self.file is not None:
            return read_secret_file(folder / self.file)
        if self.credential is not None:
            return _from_credential(self.credential, environment)
        if self.env is not None:
            value = environment.pop(self.env, None)
            if not value:
                raise ConfigError(f"`{self.env}` is not set; put the secret into that variable")
            return SecretStr(value)
        return _from_keyring(str(self.keyring), user)


def read_secret_file(path: Path) -> SecretStr:
    """Read a file that only its owner can read.

    Raises:
        ConfigError: It cannot be read, others can read it, too, or it is empty.
    """
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The secret file `{path}` cannot be read: {error}") from None
    if mode & OTHERS:
        raise ConfigError(
            f"The secret file `{path}` can be read by others (mode {stat.S_IMODE(mode):o}, "
            f"600 was expected); run: chmod 600 {path}"
        )
    return _not_empty(text, str(path))


def _from_credential(name: str, environment: Mapping[str, str]) -> SecretStr:
    folder = environment.get("CREDENTIALS_DIRECTORY")
    if folder is None:
        raise ConfigError(
            f"The credential `{name}` was asked for, but `CREDENTIALS_DIRECTORY` is not set; "
            f"run bootwatch from a unit with `LoadCredential={name}:FILE`"
        )
    path = Path(folder, name)
    try:  # systemd guards this folder itself, with modes and ACLs of its own
        return _not_empty(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The credential `{path}` cannot be read: {error}") from None


def _from_keyring(service: str, user: str) -> SecretStr:
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        raise ConfigError(
            "The password is to come from the keyring, but the package `keyring` is missing; "
            "install `bootwatch[keyring]`"
        ) from None
    try:
        found = keyring.get_password(service, user)
    except KeyringError as error:
        raise ConfigError(
            f"The keyring cannot be read ({error}); under cron and systemd it usually is locked, "
            "so use { file = ... } or { credential = ... } there"
        ) from None
    if found is None:
        raise ConfigError(
            f"The keyring has no password for `{user}` under `{service}`; "
            f"run: keyring set {service} {user}"
        )
    return SecretStr(found)


def _not_empty(text: str, where: str) -> SecretStr:
    password = text.rstrip("\r\n")
    if not password:
        raise ConfigError(f"`{where}` is empty; write the secret into it")
    return SecretStr(password)


def secret_pattern(secret: str) -> str:
    """Return a pattern for all ways in which a secret could turn up in a text.

    Each letter may be written as it is, percent-encoded (up to three times), as quoted-printable,
    as an entity by name or number, or as an escape of JSON, JavaScript, C or Python, in either
    case; accents may stand apart; a device may mix all that. In addition there are hexadecimal
    digits, and base64 whatever stands before it.

    Cost: a pattern of a few kilobytes for a password of 20 letters.
    """
    letters = "".join(_letter_pattern(letter) for letter in secret)
    whole = []
    for encoding in ("utf-8", "iso-8859-1"):
        data = secret.encode(encoding, errors="replace")
        whole += [data.hex(), *_base64_cores(data)]
        # As a lower-case page of another encoding shows it.
        whole.append(data.decode("iso-8859-1"))
    return "|".join([letters, *(re.escape(text) for text in dict.fromkeys(whole) if text)])


@cache
def _entities() -> dict[str, list[str]]:
    """Return the names of entities by the letter that they stand for."""
    from html.entities import html5

    names: dict[str, list[str]] = {}
    for name, letter in html5.items():
        names.setdefault(letter, []).append(name)
    return names


def _letter_pattern(letter: str) -> str:
    number = ord(letter)
    forms = [re.escape(letter), re.escape(letter.upper())]
    forms += [re.escape(unicodedata.normalize(form, letter)) for form in ("NFD", "NFKC")]
    forms += [f"&(?:amp;)*#0*{number};?", f"&(?:amp;)*#x0*{number:x};?"]
    forms += [f"&(?:amp;)*{name.rstrip(';')};?" for name in _entities().get(letter, ())]
    for encoding in ("utf-8", "iso-8859-1"):
        data = letter.encode(encoding, errors="replace")
        forms += ["".join(f"%(?:25){{0,2}}{one:02x}" for one in data)]
        forms += ["".join(f"={one:02x}" for one in data)]
        forms += ["".join(rf"\\x{one:02x}" for one in data)]
        forms += ["".join(rf"\\0?{one:03o}" for one in data)]
    forms += [rf"\\u\{{0*{number:x}\}}", rf"\\U{number:08x}", f"%(?:25)?u{number:04x}"]
    units = letter.encode("utf-16-be", errors="replace")
    pairs = zip(units[::2], units[1::2], strict=True)
    forms.append("".join(rf"\\u{high:02x}{low:02x}" for high, low in pairs))
    forms += {" ": [r"\+"], "\n": [r"\\n"], "\t": [r"\\t"]}.get(letter, [])
    if letter in "\"'\\/":
        forms.append(r"\\" + re.escape(letter))
    return f"(?:{'|'.join(dict.fromkeys(forms))})"


def _base64_cores(data: bytes) -> list[str]:
    """Return what base64 makes of some bytes, for each place in a group of three they may begin at.

    The first and the last letter may depend on what stands around them, and are left out then.
    """
    found = []
    for before in range(3):
        text = base64.b64encode(bytes(before) + data).decode("ascii").rstrip("=")
        core = text[(before * 8 + 5) // 6 :]
        core = core if (before + len(data)) % 3 == 0 else core[:-1]
        if len(core) >= SHORTEST_CORE:
            found += [core, core.replace("+", "-").replace("/", "_")]
    return [base64.b64encode(data).decode("ascii"), *found]


class Redactor:
    """Replaces every form of the known secrets by `*****`.

    It is the second line: no text of ours is made from a password in the first place. Control
    characters go, too: a device could move the cursor of a terminal, or write lines into a log.
    """

    def __init__(self) -> None:
        self._secrets: list[str] = []
        self._pattern: re.Pattern[str] | None = None

    def learn(self, secret: SecretStr) -> None:
        """Hide this secret, too, from now on."""
        self._secrets.append(secret.get_secret_value())
        # The longest first: one secret may be a part of another.
        ordered = sorted(set(self._secrets), key=len, reverse=True)
        pattern = "|".join(secret_pattern(one) for one in ordered if one)
        self._pattern = re.compile(pattern, re.IGNORECASE) if pattern else None

    def clean(self, text: str) -> str:
        """Return the text without any form of the secrets and without control characters."""
        hidden = text if self._pattern is None else self._pattern.sub(MASK, text)
        return without_controls(hidden)
