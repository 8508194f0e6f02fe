"""The command as a user meets it: help, exit statuses, what goes to stdout and to stderr."""

import json
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from command import COMMAND, interrupt_when, run
from thalweg.solvers import REGISTRY


@pytest.mark.parametrize("start", [[COMMAND], [sys.executable, "-m", "thalweg"]])
def test_version_is_that_of_the_installed_package(start: list[str]):
    """As a command and as a module, on stdout, with status 0."""
    result = subprocess.run([*start, "--version"], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"thalweg {version('thalweg')}\n"


def test_help_names_every_command_and_gives_examples():
    """Each command has a help of its own, with examples that call it."""
    main = run("--help")
    assert (main.returncode, main.stderr) == (0, "")
    for command in ("demo", "train", "predict", "methods", "doctor"):
        assert re.search(rf"^. {command} ", main.stdout, re.MULTILINE)
        own = run(command, "--help")
        assert own.returncode == 0
        assert "Examples:" in own.stdout
        assert f"thalweg {command}" in own.stdout.split("Examples:")[1]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["nonsense"], "nonsense"),
        (["demo", "--nonsense"], "--nonsense"),
        (["demo", "--seconds", "soon"], "--seconds"),
        (["demo", "--seconds", "-1"], "--seconds"),
        (["demo", "--only", "iris"], "iris"),
        (["train", "wine.csv"], "--target"),
        (["train", "wine.csv", "--target", "class", "--hidden", "32,many"], "32,many"),
        (["train", "wine.csv", "--target", "class", "--method", "newtn"], "newtn"),
        (["train", "wine.csv", "--target", "class", "--task", "ranking"], "ranking"),
        (["predict", "wine-model"], "DATA"),
    ],
)
def test_wrong_usage_exits_with_2_and_names_what_is_wrong(arguments: list[str], named: str):
    """On stderr; nothing is printed on stdout."""
    result = run(*arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert named in result.stderr


def test_a_folder_that_cannot_be_written_to_is_one_sentence_and_status_1(tmp_path: Path):
    """No traceback, nothing on stdout, and the sentence names the folder and the option."""
    file = tmp_path / "file"
    file.touch()
    result = run("demo", "--out", str(file))
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("thalweg: ")
    assert f"`{file}`" in result.stderr
    assert "--out" in result.stderr


def test_methods_are_those_of_the_registry():
    """As a table and as JSON: every name, and for each what it needs."""
    listed = json.loads(run("methods", "--json").stdout)
    assert {method["name"] for method in listed} == {"auto", *REGISTRY}
    assert all(method["summary"] and method["kind"] and method["needs"] for method in listed)
    table = run("methods")
    assert (table.returncode, table.stderr) == (0, "")
    assert all(name in table.stdout for name in REGISTRY)


def test_the_doctor_finds_this_installation_sound():
    """It solves a problem in float64 and names the versions that are installed."""
    result = run("doctor", "--json")
    assert result.returncode == 0
    diagnosis = json.loads(result.stdout)
    assert diagnosis["is_sound"] is True
    assert diagnosis["machine"]["versions"]["jax"] == version("jax")
    checks = {check["name"]: check for check in diagnosis["checks"]}
    assert {"jax", "devices", "float64", "solve"} <= set(checks)


def test_the_doctor_finds_a_broken_library(tmp_path: Path):
    """With an Optax that cannot be imported the status is 1, and the check says why."""
    (tmp_path / "optax.py").write_text("raise ImportError('broken on purpose')\n")
    result = run("doctor", "--json", PYTHONPATH=str(tmp_path))
    assert result.returncode == 1
    check = next(c for c in json.loads(result.stdout)["checks"] if c["name"] == "optax")
    assert check["is_ok"] is False
    assert "broken on purpose" in check["found"]


def test_the_shell_can_complete_commands():
    """The completion of Bash offers the commands that begin as typed."""
    result = run(_THALWEG_COMPLETE="complete_bash", COMP_WORDS="thalweg d", COMP_CWORD="1")
    assert result.stdout.split() == ["demo", "doctor"]


def test_json_of_the_demo_is_all_there_is_on_stdout(tmp_path: Path):
    """It parses as JSON; stderr stays empty without a terminal; and the files are there."""
    out = tmp_path / "out"
    result = run("demo", "--only", "bessel", "--seconds", "0.05", "--out", str(out), "--json")
    assert (result.returncode, result.stderr) == (0, "")
    tables = json.loads(result.stdout)
    assert tables["report"] == str(out / "report.html")
    assert len(tables["problems"][0]["runs"]) == 5
    assert sorted(path.name for path in out.iterdir()) == ["report.html", "runs.json"]


def test_ctrl_c_keeps_the_runs_that_were_finished(tmp_path: Path):
    """While the second method runs: status 130, a report of the first, and a word about it.

    On a busy machine the second may end by itself before the signal is noticed.
    """
    status, out, seen = interrupt_when(
        r"l-bfgs  loss", "demo", "--only", "bessel", "--seconds", "3", "--out", str(tmp_path)
    )
    assert status == 130
    assert "interrupted; the report shows the runs that were finished" in seen
    assert "thalweg (auto)" in out
    runs = json.loads((tmp_path / "runs.json").read_text(encoding="utf-8"))["runs"]
    assert [entry["method"] for entry in runs] in (["auto"], ["auto", "l-bfgs"])
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "The demo was interrupted" in page


def test_ctrl_c_before_the_first_result_writes_nothing(tmp_path: Path):
    """While the first method runs: status 130, no file, no folder, and a word about it."""
    status, out, seen = interrupt_when(
        "loss", "demo", "--only", "bessel", "--seconds", "30", "--out", str(tmp_path / "out")
    )
    assert (status, out) == (130, "")
    assert "no run was finished, so nothing was written" in " ".join(seen.split())
    assert list(tmp_path.iterdir()) == []
