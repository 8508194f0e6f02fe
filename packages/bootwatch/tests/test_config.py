"""The configuration is checked whole, and every mistake is told at once, by its path."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootwatch.config import load_config
from bootwatch.durations import parse_duration, show_duration
from bootwatch.errors import ConfigError

GOOD = """
[devices.tk]
recipe = "auerswald-form"
url = "http://tk"
user = "admin"
password = { file = "tk.password" }
allow_plain_http = true
[devices.tk.verify]
sip = "tk:5060"
stable_for = "30s"
deadline = "10min"
[devices.tk.limits]
min_interval = "6h"
per_day = 2
[devices.tk.notify]
urls = ["json://localhost"]
textfile = "tk.prom"
"""


def mistakes_of(folder: Path, text: str) -> tuple[str, ...]:
    """Load `text` as a configuration and return what is wrong with it."""
    path = folder / "bootwatch.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    return caught.value.mistakes


def test_durations_become_seconds(tmp_path: Path):
    """The documented example loads, with its times in seconds and the rest by default."""
    path = tmp_path / "bootwatch.toml"
    path.write_text(GOOD, encoding="utf-8")
    device = load_config(path).device("tk")
    assert (device.verify.stable_for, device.verify.deadline) == (30.0, 600.0)
    assert (device.limits.min_interval, device.limits.per_day) == (21600.0, 2)
    assert device.timeout == 10.0


@given(st.integers(min_value=0, max_value=10**10))
def test_a_shown_duration_reads_back(milliseconds: int):
    """`parse_duration` undoes `show_duration`, to the millisecond."""
    shown = show_duration(milliseconds / 1000)
    assert round(parse_duration(shown) * 1000) == milliseconds


@given(st.integers(min_value=1, max_value=10**10))
def test_a_shown_duration_names_no_empty_unit(milliseconds: int):
    """There is one number for each unit, none of them 0."""
    numbers = [int(part) for part in re.findall(r"\d+", show_duration(milliseconds / 1000))]
    assert 1 <= len(numbers) <= 5
    assert all(numbers)


@pytest.mark.parametrize("text", ["", "10", "s", "5 parsecs", "-3s", "1h foo", "1e3s"])
def test_what_is_no_duration_is_refused(text: str):
    """A missing unit, an unknown one, a sign and a remainder are refused."""
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(text)


def test_all_mistakes_are_told_at_once_by_path(tmp_path: Path):
    """Ten mistakes in two devices give nine sentences, each with its path and a way out."""
    found = mistakes_of(
        tmp_path,
        """
        [devices.one]
        recipe = "auerswald-from"
        user = "admin"
        password = "SecretPasswd"
        timeout = "soon"
        [devices.one.verify]
        stable_fro = "3s"
        deadline = 600
        [devices.two]
        recipe = "auerswald-form"
        url = "http://tk"
        passwort = { file = "x" }
        password = { file = "x", env = "Y" }
        [devices.two.limits]
        per_day = 0
        """,
    )
    told = "\n".join(found)
    assert len(found) == 10, told
    for path, hint in {
        "devices.one.recipe": "did you mean `auerswald-form`",
        "devices.one.url": "is missing",
        "devices.one.password": "file of its own",
        "devices.one.timeout": "'soon' is not a duration",
        "devices.one.verify.stable_fro": "did you mean `stable_for`",
        "devices.one.verify.deadline": "write a number with a unit",
        "devices.two.url": "allow_plain_http = true",
        "devices.two.passwort": "did you mean `password`",
        "devices.two.password": "exactly one of",
        "devices.two.limits.per_day": "greater than or equal to 1",
    }.items():
        (sentence,) = [one for one in found if one.startswith(f"`{path}`")]
        assert hint in sentence
    assert "SecretPasswd" not in told


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("http://admin:SecretPasswd@tk", "holds a user or a password"),
        ("ftp://tk", "was expected as"),
        ("http://tk/login", "was expected as"),
        ("https://[tk", "was expected as"),
    ],
)
def test_a_url_is_scheme_host_and_port(tmp_path: Path, url: str, hint: str):
    """Anything else in `url` is refused, and a password in it is not repeated."""
    (sentence,) = mistakes_of(tmp_path, GOOD.replace("http://tk", url))
    assert hint in sentence
    assert "SecretPasswd" not in sentence


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("devices = 3", "`devices`"),
        ("", "`devices` is missing"),
        ("device = {}", "did you mean `devices`"),
        ("folder = 'x'\n" + GOOD, "`folder` is not a known key"),
        (GOOD.replace("devices.tk", "devices.'../tk'"), "is not a name"),
        (GOOD.replace("[devices.tk]", "[devices.tk"), "is not TOML"),
        (
            GOOD.replace(
                "[devices.tk.verify]", "[devices.tk.settings]\nreboottim = '1'\n[devices.tk.verify]"
            ),
            "did you mean `reboottime`",
        ),
        (GOOD.replace("auerswald-form", "none.toml"), "cannot be read"),
        (GOOD.replace('"30s"', '"10min"'), "does not fit into its `deadline`"),
        (GOOD.replace('sip = "tk:5060"', 'sip = "tk"'), "`devices.tk.verify.sip`: "),
        (GOOD.replace('"auerswald-form"', '"nonsense"') + "[devices.tk.settings]", "known are"),
        (
            GOOD.replace('"auerswald-form"', '"x"').replace(
                "[devices.tk.verify]",
                "[devices.tk.settings]\nreboottime = '1'\n[devices.tk.verify]",
            ),
            "`devices.tk.recipe`",
        ),
    ],
)
def test_a_mistake_is_told_with_its_remedy(tmp_path: Path, text: str, hint: str):
    """Each of these is refused, with the hint in one of the sentences."""
    assert hint in "\n".join(mistakes_of(tmp_path, text))


def test_a_missing_file_and_a_missing_device_are_told(tmp_path: Path):
    """The path that was looked for is named, and the nearest device."""
    with pytest.raises(ConfigError, match=r"nowhere\.toml.*--config"):
        load_config(tmp_path / "nowhere.toml")
    path = tmp_path / "bootwatch.toml"
    path.write_text(GOOD, encoding="utf-8")
    with pytest.raises(ConfigError, match="did you mean `tk`"):
        load_config(path).device("tkk")
