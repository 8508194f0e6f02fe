"""A recipe is data, checked as a whole; the documented one works as it stands."""

import re
from pathlib import Path

import pytest

from bootwatch.errors import ConfigError
from bootwatch.recipe import load_recipe, recipe_names
from bootwatch.simulator.kinds import KINDS

DOCUMENTATION = Path(__file__).parents[3] / "docs" / "bootwatch.md"

SMALL = """
summary = "small"
[probe]
name = "probe"
path = "/"
[[login]]
name = "login"
path = "/login"
form = [["p", "{password}"]]
rules = [{ means = "ok", text = "welcome" }]
[[act]]
name = "act"
path = "/act"
"""


def test_the_documented_recipe_restarts_a_device_that_knows_two_requests(world):
    """The TOML block of the documentation is a recipe of one's own, and it is enough.

    It asks for nothing that would prove the restart, so that this is only probable.
    """
    blocks = re.findall(r"```toml\n(.*?)```", DOCUMENTATION.read_text("utf-8"), flags=re.DOTALL)
    (recipe,) = [block for block in blocks if block.startswith("summary")]
    device, _ = world.device(bare=True)
    (world.folder / "tk.toml").write_text(recipe, encoding="utf-8")
    world.sections[""]["recipe"] = "tk.toml"
    world.reboot(expect=13)
    assert device.boots == 1


def test_every_recipe_loads_and_has_its_device():
    """What comes with bootwatch is valid, and can be simulated."""
    for name in recipe_names():
        assert load_recipe(name, folder=Path()).summary
    assert recipe_names() == sorted(KINDS)


@pytest.mark.parametrize(
    ("before", "after", "hint"),
    [
        ('text = "welcome"', "status = [200]", "not by status alone"),
        ('means = "ok", text', 'means = "refused", text', "it proves the login"),
        ('text = "welcome"', 'text = "("', "is not a regular expression"),
        ('path = "/login"', 'path = "/login?p={password}"', "paths are logged everywhere"),
        ('path = "/login"', 'path = "/login"\nheaders = { X = "{password}" }', 'auth = "digest"'),
        ('path = "/login"', 'path = "/login"\nbody = "x"', "one body"),
        ('path = "/act"', 'path = "/act?t={token}"', "`{token}`, which no setting"),
        ('summary = "small"', 'summary = "small"\nencoding = "latin9999"', "is not an encoding"),
        ('summary = "small"', "", "summary Field required"),
        ('summary = "small"', 'summary = "small', "is not TOML"),
    ],
)
def test_a_mistake_in_a_recipe_is_told(tmp_path: Path, before: str, after: str, hint: str):
    """A recipe that proves nothing, leaks the password or cannot be filled in is refused."""
    path = tmp_path / "own.toml"
    path.write_text(SMALL, encoding="utf-8")
    assert load_recipe("own.toml", folder=tmp_path).summary == "small"
    assert before in SMALL
    path.write_text(SMALL.replace(before, after), encoding="utf-8")
    with pytest.raises(ConfigError, match=re.escape(hint)):
        load_recipe("own.toml", folder=tmp_path)


def test_a_letter_that_the_device_cannot_read_is_told(world):
    """A password that ISO-8859-1 lacks ends with 2 before any login, and is not shown."""
    device, _ = world.device()
    (world.folder / "tk.password").write_text("geheim→", encoding="utf-8")
    told = world.run("check", "tk", expect=2).stderr
    assert "iso-8859-1" in told
    assert "geheim" not in told
    assert [one for one in device.heard if one.method == "POST" and one.body] == []
