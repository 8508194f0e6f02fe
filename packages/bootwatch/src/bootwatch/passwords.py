"""Where passwords come from, and how they are kept out of everything that is written.

A password is read as late as possible, from a file that only its owner can read, from systemd's
credentials, from the environment (and then removed there) or from the keyring.
"""

from __future__ import annotations

import base64
import html
import json
import stat
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

from pydantic import BaseModel, ConfigDict, SecretStr, model_validator
from pydantic_core import PydanticCustomError

from bootwatch.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

MASK = "*****"
SOURCES = "{ file = ... }, { credential = ... }, { env = ... } or { keyring = ... }"
OTHERS = stat.S_IRWXG | stat.S_IRWXO


class PasswordSource(BaseModel):
    """Where a password stands. Exactly one of the four is given."""

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
            return _from_file(folder / self.file)
        if self.credential is not None:
            return _from_credential(self.credential, environment)
        if self.env is not None:
            value = environment.pop(self.env, None)
            if not value:
                raise ConfigError(f"`{self.env}` is not set; put the password into that variable")
            return SecretStr(value)
        return _from_keyring(str(self.keyring), user)


def _from_file(path: Path) -> SecretStr:
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The password file `{path}` cannot be read: {error}") from None
    if mode & OTHERS:
        raise ConfigError(
            f"The password file `{path}` can be read by others (mode {stat.S_IMODE(mode):o}, "
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
        raise ConfigError(f"`{where}` is empty; write the password into it")
    return SecretStr(password)


def written_forms(password: str) -> list[str]:
    """List the ways in which a password could turn up in a text, the longest first.

    Cost: a few microseconds; at most about twenty short texts.
    """
    forms = {password, html.escape(password), json.dumps(password)[1:-1], repr(password)[1:-1]}
    forms.add(json.dumps(password, ensure_ascii=False)[1:-1])
    for encoding in ("utf-8", "iso-8859-1"):
        data = password.encode(encoding, errors="replace")
        for safe in ("", "!", "/"):
            forms |= {quote(data, safe=safe), quote_plus(data, safe=safe)}
        forms |= {base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode()}
        forms.add(data.hex())
    return sorted(forms, key=len, reverse=True)


class Redactor:
    """Replaces every form of the known passwords by `*****`.

    It is the second line: no text of ours is made from a password in the first place.
    """

    def __init__(self) -> None:
        self._forms: list[str] = []

    def learn(self, password: SecretStr) -> None:
        """Hide this password from now on."""
        self._forms = written_forms(password.get_secret_value())

    def clean(self, text: str) -> str:
        """Return the text without any form of the passwords."""
        for form in self._forms:
            text = text.replace(form, MASK)
        return text
