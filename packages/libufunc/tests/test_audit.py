"""The audit finds planted and known errors, tells them apart, and can be repeated."""

import json
import platform
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import special

from libufunc.audit import FUNCTIONS, AuditError, MissingExtraError, audit, run

HAS_GLIBC = platform.libc_ver()[0] == "glibc"
needs_glibc = pytest.mark.skipif(not HAS_GLIBC, reason="a fact about glibc")


def row(report, interval: str, library: str | None = None):
    """The only row of that interval, and of that library where there are several."""
    (found,) = (
        row for row in report.rows if row.interval == interval and library in {None, row.library}
    )
    return found


@pytest.mark.parametrize("dtype", ["float32", "float64", "longdouble"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_can_be_audited_in_every_format(name: str, dtype: str):
    """The C library's own functions are good to 50 ULP, beside zeros aside, and specials right."""
    report = audit(name, against=["libm"], points=12, dtype=dtype)
    for found in report.rows:
        if "beside" not in found.interval:
            assert found.max_ulp < 50, found
    assert row(report, "special values").wrong == 0


def test_scipys_j0_is_known_to_fail_at_infinity_and_for_large_arguments():
    """NaN at infinity, no right digit beyond 1e15, thousands of ULP beside zeros."""
    report = audit("j0", against=["scipy"], points=60)
    specials = row(report, "special values")
    assert specials.wrong == 2
    assert specials.max_ulp == np.inf
    assert specials.max_at in {(np.inf,), (-np.inf,)}
    assert row(report, "1e+15 to the largest").median_ulp > 1e14
    assert row(report, "tiny to 1").max_ulp < 10


@needs_glibc
def test_glibcs_j0_is_known_to_fail_beside_zeros_only():
    """Some 1e14 ULP beside the first zeros, below 10 away from them."""
    report = audit("j0", against=["libm"], points=300)
    assert row(report, "beside zeros").max_ulp > 1e12
    assert row(report, "0 to 20, away from zeros").max_ulp < 10
    assert row(report, "1e+15 to the largest").max_ulp < 10


def test_a_planted_error_is_found_where_it_is():
    """Seven ULP at the largest point of an interval: that size, at that place."""

    def planted(x):
        values = special.erf(x)
        worst = np.argmax(x)
        values[worst] += 2000 * np.spacing(values[worst])
        return values

    found = row(audit("erf", against=[planted], points=30), "-6 to 6")
    assert found.library == "planted"
    assert found.max_ulp == pytest.approx(2000, abs=4)
    assert found.max_at == (found.high,)


def test_a_lost_sign_of_zero_is_wrong():
    """sin(-0.0) is -0.0; 0.0 is equal to it, and yet wrong."""

    def unsigned(x):
        return np.where(x == 0, 0.0, np.sin(x))

    found = row(audit("sin", against=[unsigned], points=5), "special values")
    assert found.wrong == 1
    assert found.max_at == (0.0,)
    assert np.signbit(found.max_at[0])


def test_a_function_that_knows_nothing_is_all_wrong():
    """Only the NaN that is due is right; there is no mean of no finite errors."""

    def nothing(x):
        return x * np.nan

    report = audit("erf", against=[nothing], points=5)
    found = row(report, "-6 to 6")
    assert found.wrong == found.points == 5
    assert np.isnan(found.mean_ulp)
    assert row(report, "special values").wrong == 4
    assert json.loads(report.to_json())["rows"][0]["mean_ulp"] == "nan"


def test_the_same_seed_gives_the_same_report_and_another_seed_others():
    """Also when other functions are audited before."""
    one = audit("erf", points=20, seed=3)
    both = audit(["exp", "erf"], against=["libm", "scipy"], points=20, seed=3)
    assert [r for r in both.rows if r.function == "erf"] == list(one.rows)
    other = audit("erf", points=20, seed=4)
    assert [r.max_at for r in other.rows] != [r.max_at for r in one.rows]


def test_all_libraries_are_asked_at_the_same_points():
    """Their rows differ in the errors alone; jax is this package's own."""
    report = audit("j0", against=["libm", "scipy", "jax"], points=10)
    for interval in {found.interval for found in report.rows}:
        rows = [found for found in report.rows if found.interval == interval]
        assert [found.library for found in rows] == ["libm", "scipy", "jax"]
        assert len({(found.points, found.low, found.high) for found in rows}) == 1


@needs_glibc
def test_a_shared_library_is_audited_by_its_path():
    """The file that "libm" stands for gives the same errors; one that lacks erf is named."""
    maps = Path("/proc/self/maps").read_text().split()
    files = [
        next(word for word in maps if Path(word).name.startswith(name))
        for name in ("libm.so", "libc.so")
    ]
    report = audit("erf", against=["libm", *files], points=20)
    assert row(report, "-6 to 6", "libm").max_ulp == row(report, "-6 to 6", "libm.so.6").max_ulp
    assert report.missing == (("erf", files[1]),)


def test_a_library_without_the_function_is_named():
    """Numpy has no erf: the others are audited, and the table says so."""
    report = audit(["erf", "exp"], against=["libm", "numpy"], points=5)
    assert report.missing == (("erf", "numpy"),)
    assert report.table().endswith("`numpy` has no `erf` in float64.")
    assert {r.library for r in report.rows if r.function == "exp"} == {"libm", "numpy"}


def test_the_table_has_a_line_for_each_row():
    """Markdown: a heading, a ruler, and the rows, all of the same width."""
    report = audit("cbrt", against=["libm", "numpy"], points=5)
    lines = report.table().splitlines()
    assert len(lines) == len(report.rows) + 2
    assert len({len(line) for line in lines}) == 1
    assert lines[1].count("-:") == 6


def test_the_json_says_how_to_repeat_the_audit():
    """Seed, points, format, versions; no NaN or infinity outside quotes."""
    report = audit("log", against=["libm"], points=7, seed=9, dtype="float32")
    record = json.loads(report.to_json(), parse_constant=pytest.fail)
    assert (record["seed"], record["points"], record["dtype"]) == (9, 7, "float32")
    assert record["machine"]["numpy"] == np.__version__
    assert len(record["rows"]) == len(report.rows)
    assert record["rows"][0]["function"] == "log"


def test_a_package_that_is_not_installed_is_said_so(monkeypatch):
    """The machine's record names it rather than failing."""
    monkeypatch.setattr(run, "PACKAGES", ("no-such-package",))
    report = audit("erf", against=["libm"], points=2)
    assert report.machine["no-such-package"] == "not installed"


def test_the_plot_is_a_png_and_replaces_what_was_there(tmp_path):
    """Functions that a library lacks, wrong values and huge arguments are no obstacle."""
    target = tmp_path / "errors.png"
    target.write_text("old")
    report = audit(["j0", "hypot"], against=["scipy", "numpy"], points=20)
    assert report.plot(target) == target
    assert target.read_bytes().startswith(b"\x89PNG")
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        ("erg", {}, "No function `erg`.*erf"),
        ([], {}, "No function"),
        ("erf", {"dtype": "float16"}, "'float16'.*float32, float64, longdouble"),
        ("erf", {"points": 0}, "`points` is 0"),
        ("erf", {"against": ["no/such.so"]}, "`no/such.so` is no file"),
        ("erf", {"against": ["numpy"]}, "None of numpy has `erf`"),
        ("sin", {"against": ["jax"]}, "None of jax has `sin`"),
        ("j0", {"against": ["jax"], "dtype": "longdouble"}, "None of jax has `j0`"),
        ("erf", {"against": [lambda x: x[0]]}, r"shape \(\).*element by element"),
    ],
)
def test_what_cannot_be_audited_is_refused(names, options, message):
    """What was found, and what could be asked instead."""
    with pytest.raises(AuditError, match=message):
        audit(names, **options)


def test_without_the_oracle_the_extra_is_named(monkeypatch):
    """Importing the audit needs no flint; auditing does, and says what to install."""
    monkeypatch.setitem(sys.modules, "flint", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'libufunc\[audit\]'"):
        audit("erf", against=["libm"], points=1)


@pytest.mark.parametrize(("library", "install"), [("scipy", "scipy"), ("jax", r"libufunc\[jax\]")])
def test_a_library_that_is_not_installed_names_what_brings_it(monkeypatch, library, install):
    """Neither comes with the audit's own extra."""
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.setitem(sys.modules, f"{library}.special", None)
    with pytest.raises(MissingExtraError, match=f"pip install '{install}'"):
        audit("j0", against=[library], points=1)


def test_a_library_is_measured_for_its_own_functions_alone(shared_library):
    """One that links libm has no `erf` of its own; two of one file name are told apart."""
    source = "double cos(double), erf(double);\ndouble mine(double x) { return erf(cos(x)); }"
    linked = shared_library(source, "-fno-builtin")
    with pytest.raises(AuditError, match="has `erf`"):
        audit("erf", against=(linked,), points=5)
    first, second = (
        shared_library(f"double erf(double x) {{ return {k}; }}", "-fno-builtin") for k in (2, 3)
    )
    report = audit("erf", against=(first, second), points=5)
    assert {row.library for row in report.rows} == {first, second}
    errors = [row(report, "-6 to 6", path).max_ulp for path in (first, second)]
    assert errors[0] < errors[1]
