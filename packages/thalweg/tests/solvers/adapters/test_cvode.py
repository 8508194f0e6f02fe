"""CVODE follows the flow, and what it spent is counted as it counts itself."""

import ctypes
import importlib.metadata
import re

import jax.numpy as jnp
import numpy as np
import pytest
import sksundae._cy_cvode
import sksundae.cvode

from ode_suite import START, N, bent, ode_suite_for, quadratic
from thalweg import CVODE, LeastSquares, Outcome, Stop, minimize
from thalweg.errors import ConfigError
from thalweg.solvers.adapters import cvode as module

KRYLOV = {"linear_solver": "krylov"}

TestDense = ode_suite_for("cvode", CVODE())
TestKrylov = ode_suite_for("cvode-krylov", CVODE(**KRYLOV))

# Where scikit-sundae keeps CVODE's memory, behind the object's head and its table of methods, and
# how large the object is then. Both are facts of its compiled class and no part of its interface.
MEMORY_BUDGET, CONTEXT, SIZE = 24, 32, 128


class Spy:
    """Keeps the solver that a run makes, and reads CVODE's own counters from its memory."""

    def __init__(self, monkeypatch):
        self.solver = None
        make = module._Calls.solver  # noqa: SLF001 - where the run makes it
        monkeypatch.setattr(module._Calls, "solver", lambda calls: self._keep(make(calls)))  # noqa: SLF001 - as above
        self._library = ctypes.CDLL(sksundae._cy_cvode.__file__)  # noqa: SLF001 - SUNDIALS is linked to it

    def _keep(self, solver):
        self.solver = solver
        return solver

    def __getitem__(self, counter):
        """The counter that CVODE reads out by the function `CVodeGetNum…`."""
        inner = self.solver._CVODE__CVODE  # noqa: SLF001 - the compiled object
        if type(inner).__basicsize__ != SIZE:
            version = importlib.metadata.version("scikit-sundae")
            pytest.skip(f"the layout of scikit-sundae {version} is not known")
        memory, context = (
            ctypes.c_void_p.from_address(id(inner) + at).value for at in (MEMORY_BUDGET, CONTEXT)
        )
        assert ctypes.c_void_p.from_address(memory).value == context  # as CVODE's memory begins
        count = ctypes.c_long(-1)
        read = getattr(self._library, f"CVodeGetNum{counter}")
        assert read(ctypes.c_void_p(memory), ctypes.byref(count)) == 0
        return count.value


@pytest.mark.parametrize("problem", [quadratic, bent])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"method": "adams"},
        {"rtol": 1e-2, "atol": 1e-3},
        KRYLOV,
        {**KRYLOV, "krylov_dim": 2, "rtol": 1e-2, "atol": 1e-3},
    ],
    ids=str,
)
def test_the_work_is_what_cvode_counts_itself(settings, problem, monkeypatch):
    """Steps, evaluations, iterations, Jacobians and failures of both kinds, to the unit."""
    spy = Spy(monkeypatch)
    solution = minimize(problem(), START, CVODE(**settings), Stop(steps=300))
    work = solution.work
    assert solution.history["step"][-1] == spy["Steps"]
    assert work.gradients == spy["RhsEvals"]
    assert work.jacobians == spy["JacEvals"]
    assert work.newton_iterations == spy["NonlinSolvIters"]
    assert work.newton_failures == spy["StepSolveFails"]
    assert work.error_test_failures == spy["ErrTestFails"]
    assert work.linear_iterations == work.hessian_products == spy["LinIters"]
    assert work.hessian_products == spy["JtimesEvals"]
    assert work.jacobians <= work.factorizations <= spy["LinSolvSetups"]
    assert (work.jacobians > 0) != (work.hessian_products > 0)


def test_newton_failures_occur_and_are_counted(monkeypatch):
    """With two Krylov vectors Newton's method often fails, and CVODE counts the same."""
    spy = Spy(monkeypatch)
    method = CVODE(**KRYLOV, krylov_dim=1, rtol=1e-2, atol=1e-3)
    work = minimize(quadratic(), START, method, Stop(steps=200)).work
    assert work.newton_failures == spy["StepSolveFails"] > 10


def test_finite_differences_are_counted(monkeypatch):
    """They lead along the same path, and cost n + 1 gradients a Jacobian."""
    spy = Spy(monkeypatch)
    method = CVODE(jacobian="finite-differences")
    work = minimize(bent(), START, method, Stop(steps=100)).work
    assert work.jacobians == spy["JacEvals"] > 0
    assert work.gradients == spy["RhsEvals"] + (N + 1) * work.jacobians


def test_the_order_is_capped():
    """`max_order=2` keeps the formulas at order 2, which costs steps."""
    target = Stop(loss=1e-3)
    low, high = (minimize(bent(), START, CVODE(max_order=k), target) for k in (2, 5))
    assert low.history["step"][-1] > 1.5 * high.history["step"][-1]


def test_adams_takes_more_steps_than_bdf_where_it_is_stiff():
    """`method` reaches CVODE: BDF's steps grow without bound, those of Adams do not."""
    stiff = LeastSquares(lambda theta: theta * jnp.array([1.0, 1.0, 30.0, 100.0]))
    bdf, adams = (
        minimize(stiff, START, CVODE(method=name), Stop(steps=400)) for name in ("bdf", "adams")
    )
    assert 1e6 * np.nanmax(adams.history["h"]) < np.nanmax(bdf.history["h"])


def test_krylov_takes_any_number_of_parameters():
    """It forms no matrix: 50,000 parameters are no obstacle, which are too many for `dense`."""
    big = LeastSquares(lambda theta: theta)
    start = np.ones(50_000)
    with pytest.raises(ConfigError, match="GiB for its matrices of 50000 parameters"):
        minimize(big, start, "cvode")
    solution = minimize(big, start, "cvode-krylov", Stop(loss=1.0))
    assert solution.outcome is Outcome.TARGET_REACHED


def test_lapack_is_used_where_there_is_one(monkeypatch):
    """From 100 parameters on LAPACK decomposes the matrix, or CVODE itself where it has none."""
    asked = []
    make = sksundae.cvode.CVODE

    def without_lapack(*arguments, **options):
        asked.append(options["linsolver"])
        if asked[-1] == "lapackdense":
            raise ValueError("LAPACK not enabled")
        return make(*arguments, **options)

    scales = jnp.linspace(1.0, 30.0, 100)
    problem = LeastSquares(lambda theta: theta * scales)
    with_it = minimize(problem, np.ones(100), "cvode", Stop(steps=50))
    monkeypatch.setattr(sksundae.cvode, "CVODE", without_lapack)
    without = minimize(problem, np.ones(100), "cvode", Stop(steps=50))
    assert asked == ["lapackdense", "dense"]
    np.testing.assert_allclose(with_it.history["loss"], without.history["loss"], rtol=1e-6)


def test_a_solver_that_gives_up_is_quoted(capfd):
    """A tolerance below rounding ends the run in CVODE's words, and nothing else is printed."""
    solution = minimize(quadratic(), START, CVODE(rtol=0.0, atol=1e-18))
    assert solution.outcome is Outcome.STALLED
    assert solution.detail.startswith("`cvode` ended at t = 0: Could not satisfy demanded accuracy")
    assert solution.work.rejected_steps == 0
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "rk"}, "`method` is 'rk', but one of bdf, adams was expected"),
        ({"linear_solver": "band"}, "`linear_solver` is 'band', but one of dense, krylov"),
        ({"jacobian": "none"}, "`jacobian` is 'none', but one of exact, finite-differences"),
        ({"rtol": -1.0}, "`rtol` is -1.0"),
        ({"atol": 0.0}, "`atol` is 0.0"),
        ({"max_order": 6}, "`max_order` is 6, but a whole number from 1 to 5"),
        (
            {"method": "adams", "max_order": 13},
            "`max_order` is 13, but a whole number from 1 to 12",
        ),
        ({"krylov_dim": 0}, "`krylov_dim` is 0"),
        ({**KRYLOV, "jacobian": "finite-differences"}, "`krylov` takes exact Hessian products"),
    ],
)
def test_nonsense_is_refused(arguments, message):
    """A setting that cannot be run is answered in one sentence."""
    with pytest.raises(ConfigError, match=re.escape(message)):
        CVODE(**arguments)
