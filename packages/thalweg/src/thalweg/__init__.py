"""thalweg: train neural networks by integrating the gradient flow with stiff solvers.

    M dθ/dt = -∇L(θ),   θ(0) = θ₀

One unit of t is one step of gradient descent at learning rate 1.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from thalweg._argmin import argmin
    from thalweg._minimize import minimize
    from thalweg._rows import Rows
    from thalweg.compilation_cache import cache_compiled_programs
    from thalweg.early_stopping import EarlyStopping
    from thalweg.errors import ThalwegError
    from thalweg.fitting.curve_fit import curve_fit
    from thalweg.fitting.many import curve_fit_many
    from thalweg.fitting.result import CurveFit
    from thalweg.problem import Composite, LeastSquares, Scalar
    from thalweg.solution import Outcome, Solution, Start, Work
    from thalweg.solvers import methods
    from thalweg.solvers.adapters.adam_then_lbfgs import AdamThenLBFGS
    from thalweg.solvers.adapters.cvode import CVODE
    from thalweg.solvers.adapters.diffrax_solver import DiffraxSolver
    from thalweg.solvers.adapters.optax_optimizer import OptaxOptimizer
    from thalweg.solvers.adapters.optimistix_solver import OptimistixSolver
    from thalweg.solvers.adapters.scipy_least_squares import SciPyLeastSquares
    from thalweg.solvers.adapters.scipy_minimize import BFGS, LBFGS
    from thalweg.solvers.adapters.scipy_ode import SciPyODESolver
    from thalweg.solvers.adapters.self_scaled import SelfScaled
    from thalweg.solvers.integrators.batch_euler import BatchEuler
    from thalweg.solvers.integrators.bdf import BDF
    from thalweg.solvers.integrators.chebyshev import Chebyshev
    from thalweg.solvers.integrators.explicit import BogackiShampine
    from thalweg.solvers.integrators.geodesic import ImplicitGeodesic
    from thalweg.solvers.integrators.krylov import ExponentialKrylov
    from thalweg.solvers.integrators.rosenbrock import Rosenbrock
    from thalweg.solvers.integrators.sampled import Sampled
    from thalweg.solvers.integrators.secant import SecantEuler
    from thalweg.solvers.integrators.self_scaled_bfgs import SelfScaledBFGS
    from thalweg.solvers.integrators.self_scaled_broyden import SelfScaledBroyden
    from thalweg.solvers.integrators.switching import Switching
    from thalweg.solvers.step_control import Accuracy, Descent
    from thalweg.stop import Stop

__version__ = "0.2.0"

# Where each public name is defined. It is imported when it is first asked for, so that a command
# that computes nothing, such as `thalweg --help`, does not wait for JAX.
_HOME = {
    "BDF": "solvers.integrators.bdf",
    "BFGS": "solvers.adapters.scipy_minimize",
    "CVODE": "solvers.adapters.cvode",
    "LBFGS": "solvers.adapters.scipy_minimize",
    "Accuracy": "solvers.step_control",
    "AdamThenLBFGS": "solvers.adapters.adam_then_lbfgs",
    "BatchEuler": "solvers.integrators.batch_euler",
    "BogackiShampine": "solvers.integrators.explicit",
    "Chebyshev": "solvers.integrators.chebyshev",
    "Composite": "problem",
    "CurveFit": "fitting.result",
    "Descent": "solvers.step_control",
    "DiffraxSolver": "solvers.adapters.diffrax_solver",
    "EarlyStopping": "early_stopping",
    "ExponentialKrylov": "solvers.integrators.krylov",
    "ImplicitGeodesic": "solvers.integrators.geodesic",
    "LeastSquares": "problem",
    "OptaxOptimizer": "solvers.adapters.optax_optimizer",
    "OptimistixSolver": "solvers.adapters.optimistix_solver",
    "Outcome": "solution",
    "Rosenbrock": "solvers.integrators.rosenbrock",
    "Rows": "_rows",
    "Sampled": "solvers.integrators.sampled",
    "Scalar": "problem",
    "SciPyLeastSquares": "solvers.adapters.scipy_least_squares",
    "SciPyODESolver": "solvers.adapters.scipy_ode",
    "SecantEuler": "solvers.integrators.secant",
    "SelfScaled": "solvers.adapters.self_scaled",
    "SelfScaledBFGS": "solvers.integrators.self_scaled_bfgs",
    "SelfScaledBroyden": "solvers.integrators.self_scaled_broyden",
    "Solution": "solution",
    "Start": "solution",
    "Stop": "stop",
    "Switching": "solvers.integrators.switching",
    "ThalwegError": "errors",
    "Work": "solution",
    "argmin": "_argmin",
    "cache_compiled_programs": "compilation_cache",
    "curve_fit": "fitting.curve_fit",
    "curve_fit_many": "fitting.many",
    "methods": "solvers",
    "minimize": "_minimize",
}

__all__ = [
    "BDF",
    "BFGS",
    "CVODE",
    "LBFGS",
    "Accuracy",
    "AdamThenLBFGS",
    "BatchEuler",
    "BogackiShampine",
    "Chebyshev",
    "Composite",
    "CurveFit",
    "Descent",
    "DiffraxSolver",
    "EarlyStopping",
    "ExponentialKrylov",
    "ImplicitGeodesic",
    "LeastSquares",
    "OptaxOptimizer",
    "OptimistixSolver",
    "Outcome",
    "Rosenbrock",
    "Rows",
    "Sampled",
    "Scalar",
    "SciPyLeastSquares",
    "SciPyODESolver",
    "SecantEuler",
    "SelfScaled",
    "SelfScaledBFGS",
    "SelfScaledBroyden",
    "Solution",
    "Start",
    "Stop",
    "Switching",
    "ThalwegError",
    "Work",
    "argmin",
    "cache_compiled_programs",
    "curve_fit",
    "curve_fit_many",
    "methods",
    "minimize",
]

_MODULES = ("optax", "torch", "trackers")  # `thalweg.torch.fit` needs no import of its own


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"thalweg.{name}")
    if name not in _HOME:
        raise AttributeError(f"module `thalweg` has no attribute `{name}`")
    value = getattr(importlib.import_module(f"thalweg.{_HOME[name]}"), name)
    globals()[name] = value  # the next time nothing is looked up
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
