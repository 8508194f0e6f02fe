"""Passwords are read from where only their owner can read, and never written anywhere."""

import base64
from pathlib import Path
from urllib.parse import quote, quote_plus, unquote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from bootwatch.errors import ConfigError
from bootwatch.passwords import MASK, PasswordSource, Redactor


def read(source: dict[str, str], folder: Path, environment: dict[str, str] | None = None) -> str:
    """Read a password as the command does."""
    return (
        PasswordSource(**source)
        .read(user="admin", folder=folder, environment={} if environment is None else environment)
        .get_secret_value()
    )


def test_a_file_that_others_can_read_is_refused_with_the_chmod_to_run(tmp_path: Path):
    """Mode 640 is refused with the command that mends it; mode 600 is read, without line end."""
    path = tmp_path / "tk.password"
    path.write_text("geheim!\n", encoding="utf-8")
    path.chmod(0o640)
    with pytest.raises(ConfigError, match=f"640.*chmod 600 {path}"):
        read({"file": "tk.password"}, tmp_path)
    path.chmod(0o600)
    assert read({"file": "tk.password"}, tmp_path) == "geheim!"


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\xfe"])
def test_a_file_without_a_password_is_refused(tmp_path: Path, content: bytes | None):
    """A missing, empty or unreadable file is told by its path."""
    path = tmp_path / "tk.password"
    if content is not None:
        path.write_bytes(content)
        path.chmod(0o600)
    with pytest.raises(ConfigError, match=r"tk\.password"):
        read({"file": "tk.password"}, tmp_path)


def test_a_credential_of_systemd_is_read(tmp_path: Path):
    """It lies in `$CREDENTIALS_DIRECTORY`, whatever its mode; without that, the unit is told."""
    (tmp_path / "tk").write_text("geheim\n", encoding="utf-8")
    folder = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert read({"credential": "tk"}, tmp_path, folder) == "geheim"
    with pytest.raises(ConfigError, match="other"):
        read({"credential": "other"}, tmp_path, folder)
    with pytest.raises(ConfigError, match="LoadCredential=tk"):
        read({"credential": "tk"}, tmp_path)


def test_a_variable_is_read_once_and_removed(tmp_path: Path):
    """No child can inherit it, since it is gone from the environment after the reading."""
    environment = {"TK_PASSWORD": "geheim", "HOME": "/"}
    assert read({"env": "TK_PASSWORD"}, tmp_path, environment) == "geheim"
    assert environment == {"HOME": "/"}
    with pytest.raises(ConfigError, match="`TK_PASSWORD` is not set"):
        read({"env": "TK_PASSWORD"}, tmp_path, environment)


def test_a_keyring_without_the_password_says_how_to_store_it(tmp_path: Path):
    """Keyring's own null backend holds nothing, and the command that stores one is told."""
    import keyring
    from keyring.backends.null import Keyring

    before = keyring.get_keyring()
    keyring.set_keyring(Keyring())
    try:
        with pytest.raises(ConfigError, match="keyring set tk admin"):
            read({"keyring": "tk"}, tmp_path)
    finally:
        keyring.set_keyring(before)


@given(st.text(min_size=4, alphabet=st.characters(codec="utf-8", exclude_characters="*<>")))
def test_no_form_of_a_password_survives(password: str):
    """Raw, percent-encoded and base64 forms all turn into stars; other text stays."""
    redactor = Redactor()
    redactor.learn(SecretStr(password))
    data = password.encode()
    for form in (
        password,
        quote(password),
        quote_plus(password, safe="!"),
        data.hex(),
        base64.b64encode(data).decode(),
    ):
        assert redactor.clean(f"<<{form}>>") == f"<<{MASK}>>"
    assert unquote_plus(quote_plus(password)) == password


@pytest.mark.parametrize(
    "form",
    [
        "gr%c3%bcn%26%21",
        "GR%FCN&amp;!",
        "gr&uuml;n&amp;&#33;",
        "gr&#xFC;n&#38;&#x0021;",
        "gr\\u00fcn\\u0026!",
        "gr\\xfcn&!",
        "gr%25C3%25BCn%2526!",
        "GRÜN&!",
    ],
)
def test_an_echo_is_masked_however_it_is_written(form: str):
    """Percent signs once or twice, entities, escapes, either case, and all of them mixed."""
    redactor = Redactor()
    redactor.learn(SecretStr("grün&!"))
    assert redactor.clean(f"value='{form}' again {form}") == f"value='{MASK}' again {MASK}"
    assert redactor.clean("a green page & more!") == "a green page & more!"


def test_base64_is_masked_whatever_stands_before_the_password():
    """Of `user:password` no part is left from which the password could be read."""
    redactor = Redactor()
    redactor.learn(SecretStr("correct horse"))
    for user in ("a", "ab", "abc", "admin"):
        sent = base64.b64encode(f"{user}:correct horse".encode()).decode()
        left = redactor.clean(f"Basic {sent}").removeprefix("Basic ").replace(MASK, "")
        assert b"orrect hors" not in base64.b64decode(left + "=" * (-len(left) % 4))
        assert len(left) <= 12


def test_every_secret_is_hidden_also_the_second():
    """A second one that is learnt does not uncover the first."""
    redactor = Redactor()
    redactor.learn(SecretStr("first-one"))
    redactor.learn(SecretStr("other-two"))
    assert redactor.clean("first-one other-two") == f"{MASK} {MASK}"
