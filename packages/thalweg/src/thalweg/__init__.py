"""thalweg: train neural networks by integrating the gradient flow with stiff solvers.

    M dθ/dt = -∇L(θ),   θ(0) = θ₀

One unit of t is one step of gradient descent at learning rate 1.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from thalweg.control import Accuracy, Descent
    from thalweg.errors import ThalwegError
    from thalweg.minimization import minimize
    from thalweg.problem import Composite, LeastSquares, Scalar
    from thalweg.solution import Outcome, Solution, Start, Work
    from thalweg.solvers import methods
    from thalweg.solvers.adam_then_lbfgs import AdamThenLBFGS
    from thalweg.solvers.batch_euler import BatchEuler
    from thalweg.solvers.bdf import BDF
    from thalweg.solvers.chebyshev import Chebyshev
    from thalweg.solvers.cvode import CVODE
    from thalweg.solvers.diffrax_ode import Diffrax
    from thalweg.solvers.explicit import BogackiShampine
    from thalweg.solvers.geodesic import ImplicitGeodesic
    from thalweg.solvers.krylov import ExponentialKrylov
    from thalweg.solvers.optax_methods import Optax
    from thalweg.solvers.optimistix_methods import Optimistix
    from thalweg.solvers.rosenbrock import Rosenbrock
    from thalweg.solvers.sampled import Sampled
    from thalweg.solvers.scipy_least_squares import SciPyLeastSquares
    from thalweg.solvers.scipy_minimize import BFGS, LBFGS
    from thalweg.solvers.scipy_ode import SciPyODE
    from thalweg.solvers.secant import SecantEuler
    from thalweg.solvers.self_scaled import SelfScaled
    from thalweg.solvers.switching import Switching
    from thalweg.stop import Stop

__version__ = "0.1.0"

# Where each public name is defined. It is imported when it is first asked for, so that a command
# that computes nothing, such as `thalweg --help`, does not wait for JAX.
_HOME = {
    "BDF": "solvers.bdf",
    "BFGS": "solvers.scipy_minimize",
    "CVODE": "solvers.cvode",
    "LBFGS": "solvers.scipy_minimize",
    "Accuracy": "control",
    "AdamThenLBFGS": "solvers.adam_then_lbfgs",
    "BatchEuler": "solvers.batch_euler",
    "BogackiShampine": "solvers.explicit",
    "Chebyshev": "solvers.chebyshev",
    "Composite": "problem",
    "Descent": "control",
    "Diffrax": "solvers.diffrax_ode",
    "ExponentialKrylov": "solvers.krylov",
    "ImplicitGeodesic": "solvers.geodesic",
    "LeastSquares": "problem",
    "Optax": "solvers.optax_methods",
    "Optimistix": "solvers.optimistix_methods",
    "Outcome": "solution",
    "Rosenbrock": "solvers.rosenbrock",
    "Sampled": "solvers.sampled",
    "Scalar": "problem",
    "SciPyLeastSquares": "solvers.scipy_least_squares",
    "SciPyODE": "solvers.scipy_ode",
    "SecantEuler": "solvers.secant",
    "SelfScaled": "solvers.self_scaled",
    "Solution": "solution",
    "Start": "solution",
    "Stop": "stop",
    "Switching": "solvers.switching",
    "ThalwegError": "errors",
    "Work": "solution",
    "methods": "solvers",
    "minimize": "minimization",
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
    "Descent",
    "Diffrax",
    "ExponentialKrylov",
    "ImplicitGeodesic",
    "LeastSquares",
    "Optax",
    "Optimistix",
    "Outcome",
    "Rosenbrock",
    "Sampled",
    "Scalar",
    "SciPyLeastSquares",
    "SciPyODE",
    "SecantEuler",
    "SelfScaled",
    "Solution",
    "Start",
    "Stop",
    "Switching",
    "ThalwegError",
    "Work",
    "methods",
    "minimize",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module `thalweg` has no attribute `{name}`")
    value = getattr(importlib.import_module(f"thalweg.{_HOME[name]}"), name)
    globals()[name] = value  # the next time nothing is looked up
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
