"""Without its optional parts the command says in one sentence what to install; the rest works.

A part is taken away from a process by a `sitecustomize` of its own, which Python imports first.
"""

import json
import subprocess
import sys
from importlib.metadata import metadata
from pathlib import Path

import pytest

from command import run
from thalweg import methods
from thalweg.cli.doctor import PURPOSES

NO_LABORATORY = """
import importlib.metadata as metadata

find = metadata.distribution

def distribution(name):
    if name == "thalweg-lab":
        raise metadata.PackageNotFoundError(name)
    return find(name)

metadata.distribution = distribution
"""
LABORATORY = ("demo", "study", "report", "bench")


def without(folder: Path, *modules: str) -> dict[str, str]:
    """The environment of a process to which some modules are not installed."""
    (folder / "sitecustomize.py").write_text(
        f"import sys\nsys.modules.update(dict.fromkeys({modules!r}))\n"
    )
    return {"PYTHONPATH": str(folder)}


def without_laboratory(folder: Path) -> dict[str, str]:
    """The environment of a process to which thalweg-lab is not installed."""
    (folder / "sitecustomize.py").write_text(NO_LABORATORY)
    return {"PYTHONPATH": str(folder)}


@pytest.mark.parametrize(
    ("arguments", "module", "library"),
    [
        (["train", "wine.csv", "--target", "class"], "polars", "polars"),
        (["train", "wine.csv", "--target", "class"], "sklearn", "scikit-learn"),
        (["predict", "wine-model", "new.csv"], "polars", "polars"),
    ],
)
def test_a_command_for_tables_names_the_extra(
    tmp_path: Path, arguments: list[str], module: str, library: str
):
    """Status 1, one sentence on stderr, nothing on stdout."""
    result = run(*arguments, **without(tmp_path, module))
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == (
        f"thalweg: `thalweg {arguments[0]}` needs the library `{library}`, which is not installed; "
        "install it with `pip install 'thalweg[tables]'`\n"
    )


def test_wrong_usage_is_said_before_a_missing_extra(tmp_path: Path):
    """An unknown method stays status 2, whatever is installed."""
    environment = without(tmp_path, "polars")
    result = run("train", "wine.csv", "--target", "class", "--method", "newtn", **environment)
    assert result.returncode == 2
    assert "newtn" in result.stderr


def test_the_library_for_tables_names_the_extra(tmp_path: Path):
    """`import thalweg.tabular` raises the error that names the extra, an `ImportError`."""
    script = """if True:
        try:
            import thalweg.tabular
        except ImportError as error:
            print(type(error).__name__, error)
    """
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env=without(tmp_path, "polars"),
    )
    assert done.stdout.startswith("MissingExtraError `thalweg.tabular` needs the library `polars`")
    assert "pip install 'thalweg[tables]'" in done.stdout


@pytest.mark.parametrize(
    "arguments", [["--help"], ["train", "--help"], ["predict", "--help"], ["methods"], ["doctor"]]
)
def test_what_needs_no_tables_works_without_them(tmp_path: Path, arguments: list[str]):
    """Help, the list of methods and the doctor neither fail nor complain."""
    result = run(*arguments, **without(tmp_path, "polars", "sklearn"))
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize(
    ("name", "rest"),
    [("demo", []), ("study", ["x", "--out=y"]), ("report", ["x"]), ("bench", ["--help"])],
)
def test_a_command_of_the_laboratory_names_what_to_install(
    tmp_path: Path, name: str, rest: list[str]
):
    """Status 1 and one sentence on stderr, whatever arguments follow."""
    result = run(name, *rest, **without_laboratory(tmp_path))
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == (
        f"thalweg: `thalweg {name}` is part of `thalweg-lab`, which is not installed; install it "
        "with `pip install thalweg-lab`\n"
    )


def test_help_without_the_laboratory_lists_what_there_is(tmp_path: Path):
    """The library's own commands, and below them what thalweg-lab would add."""
    result = run("--help", **without_laboratory(tmp_path))
    assert (result.returncode, result.stderr) == (0, "")
    listed = result.stdout.partition("Commands")[2]
    own = {
        line.split()[1]
        for line in listed.splitlines()
        if line.startswith("│ ") and line[2:3].strip()
    }
    assert own == {"fit", "train", "predict", "methods", "doctor"}
    assert "pip install thalweg-lab" in " ".join(listed.split())


def test_a_broken_laboratory_breaks_only_its_own_commands(tmp_path: Path):
    """The others do not import it; its own say what is broken."""
    (tmp_path / "thalweg_lab.py").write_text("raise OSError('broken on purpose')\n")
    environment = {"PYTHONPATH": str(tmp_path)}
    for arguments in (["--help"], ["methods"]):
        result = run(*arguments, **environment)
        assert (result.returncode, result.stderr) == (0, "")
    result = run("demo", **environment)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
    assert "OSError: broken on purpose" in result.stderr
    assert "reinstall `thalweg-lab`" in result.stderr


@pytest.mark.parametrize("name", ["bench", "demo", "study"])
def test_a_command_of_the_laboratory_can_be_imported_first(name: str):
    """Also before the command line that it joins."""
    subprocess.run([sys.executable, "-c", f"import thalweg_lab.cli.{name}"], check=True)


def test_the_doctor_says_what_each_missing_part_is_for(tmp_path: Path):
    """thalweg-lab is missing, which is no fault: status 0, what it is for, how to install it."""
    result = run("doctor", "--json", **without_laboratory(tmp_path))
    assert result.returncode == 0
    checks = {check["name"]: check for check in json.loads(result.stdout)["checks"]}
    laboratory = checks["thalweg-lab"]
    assert (laboratory["is_ok"], laboratory["is_needed"]) == (False, False)
    assert laboratory["found"] == "not installed; `pip install thalweg-lab` adds it"
    assert all(f"`{name}`" in laboratory["purpose"] for name in LABORATORY)
    assert all(check["purpose"] for name, check in checks.items() if name.startswith("extra "))


def test_the_doctor_knows_every_extra_and_the_methods_it_serves():
    """What it says of an extra is what the package declares and what the methods ask for."""
    assert set(PURPOSES) == set(metadata("thalweg").get_all("Provides-Extra") or [])
    for extra, purpose in PURPOSES.items():
        served = [m.name for m in methods() if f"extra `{extra}`" in m.needs]
        named = [word for word in purpose.split("`")[1::2] if not word.startswith("thalweg ")]
        assert named == served
