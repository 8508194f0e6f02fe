"""The command does what the library does, and says in one sentence why it does not."""

import json
import runpy
import subprocess
import sys
import sysconfig
from importlib.metadata import version
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import libufunc
from libufunc.cli import app

COMMAND = [str(Path(sysconfig.get_path("scripts"), "libufunc"))]
MODULE = [sys.executable, "-m", "libufunc"]
COMMANDS = ["list", "call", "audit", "bench"]


def run(*arguments: str) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(app, arguments)


@pytest.mark.parametrize("start", [COMMAND, MODULE], ids=["command", "module"])
def test_version_is_that_of_the_installed_package(start: list[str]):
    """`--version` prints name and version on stdout, and the exit status is 0."""
    result = subprocess.run([*start, "--version"], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"libufunc {version('libufunc')}\n"


def test_the_version_is_known_to_the_module_too():
    """Looked up when asked for; other names are unknown."""
    assert libufunc.__version__ == version("libufunc")
    with pytest.raises(AttributeError, match="`nonsense`"):
        _ = libufunc.nonsense


def test_the_module_is_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """`python -m libufunc` runs it in this process too."""
    monkeypatch.setattr(sys, "argv", ["libufunc", "--version"])
    with pytest.raises(SystemExit) as left:
        runpy.run_module("libufunc", run_name="__main__")
    assert left.value.code == 0
    assert capsys.readouterr().out == f"libufunc {version('libufunc')}\n"


def test_wrong_usage_exits_with_2_and_names_the_argument():
    """An argument that does not exist is named on stderr; nothing is printed on stdout."""
    result = subprocess.run([*COMMAND, "--nonsense"], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (2, "")
    assert "--nonsense" in result.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself_with_an_example(command: str):
    """`--help` shows a line that can be typed."""
    result = run(command, "--help")
    assert result.exit_code == 0
    assert f"libufunc {command}" in result.stdout.partition("Examples")[2]


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (["erf", "0.5"], "0.5204998778130465"),
        (["erf", "-0.5"], "-0.5204998778130465"),
        (["hypot", "3", "4"], "5.0"),
        (["remquo", "10.5", "3"], "-1.5\t4"),
        (["sin", "1+2j"], "(3.165778513216168+1.9596010414216063j)"),
        (["double jn(int, double)", "2", "0.5"], "0.03060402345868264"),
        (["exp2", "3", "--check"], "8.0"),
        (["double atof(const char *)", "12ab", "-l", "c"], "12.0"),
        (["int strcmp(const char *, const char *)", "-b", "-b", "-l", "c", "--check"], "0"),
        (["exp", "-inf", "-l", "libm.so.6"], "0.0"),
    ],
)
def test_call_prints_what_the_function_gives(arguments: list[str], printed: str):
    """To the last digit, outputs side by side."""
    result = run("call", *arguments)
    assert (result.exit_code, result.stdout) == (0, f"{printed}\n")


def test_call_prints_json_that_any_program_reads():
    """Numbers as numbers, but for what JSON has no number for."""
    told = json.loads(run("call", "--json", "remquo", "10.5", "3").stdout)
    assert told == {
        "function": "remquo",
        "library": "m",
        "arguments": [10.5, 3],
        "results": [-1.5, 4],
    }
    odd = json.loads(run("call", "--json", "exp", "inf").stdout)
    assert (odd["arguments"], odd["results"]) == (["inf"], ["inf"])


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["call", "erf", "1", "2"], 2, "takes 1 number(s), but 2 were given"),
        (["call", "erf", "one"], 2, "`one` is no number"),
        (["call", "int atoi(const char *)", "1", "2", "-l", "c"], 2, "takes 1 argument(s)"),
        (["call", "nope", "1"], 1, "nothing declares `nope`"),
        (["call", "nope", "1", "--check"], 1, "nothing declares `nope`"),
        (["call", "erf", "1", "-l", "nothing_such"], 1, "no library `nothing_such`"),
        (["call", "double erf(", "1"], 1, "no C declaration"),
        (["call", "jn", "2.0", "0.5"], 2, "takes a whole number as argument 1"),
        (["call", "erf", "1j"], 1, "complex128"),
        (["call", "jn", "99999999999", "0.5"], 1, "does not fit"),
        (["call", "ilogb", "1e999j"], 1, "complex128"),
        (["bench", "jn"], 1, "not of `double` only"),
        (["bench", "erf", "--size", "0"], 2, "--size"),
        (["audit", "nope"], 1, "nope"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_sentence(arguments: list[str], status: int, words: str):
    """On stderr; the status tells a failure from a wrong call."""
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (status, "")
    assert words in " ".join(result.stderr.replace("│", " ").split())


def test_list_tells_functions_and_prototypes():
    """As lines and as JSON, the same."""
    lines = dict(line.split("\t") for line in run("list").stdout.splitlines())
    assert lines["erf"] == "double erf(double)"
    told = json.loads(run("list", "--json").stdout)
    assert {f["name"]: f["prototype"] for f in told["functions"]} == lines


def test_bench_prints_a_table_and_json():
    """The same ways in both."""
    table = run("bench", "cbrt", "--size", "100", "--rounds", "1")
    assert table.exit_code == 0
    head, rule, *rows = table.stdout.splitlines()
    assert "ns/element" in head
    assert set(rule) == {"|", "-", " "}
    told = json.loads(run("bench", "cbrt", "--size", "100", "--rounds", "1", "--json").stdout)
    assert [row["way"] for row in told["rows"]] == [row.split("|")[2].strip() for row in rows]


def test_audit_prints_a_table_json_and_draws(tmp_path: Path):
    """What `libufunc.audit` reports, for the libraries named."""
    for extra in ("mpmath", "flint", "matplotlib"):
        pytest.importorskip(extra)
    few = ["audit", "erf", "--against", "libm", "--points", "20"]
    table = run(*few)
    assert table.exit_code == 0
    assert "erf" in table.stdout
    picture = tmp_path / "erf.png"
    drawn = run(*few, "--json", "--plot", str(picture))
    assert json.loads(drawn.stdout)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert str(picture) in drawn.stderr.replace("\n", "")
