"""thalweg: train neural networks by integrating the gradient flow with stiff solvers.

    M dθ/dt = -∇L(θ),   θ(0) = θ₀

One unit of t is one step of gradient descent at learning rate 1.
"""

from thalweg.control import Accuracy, Descent
from thalweg.errors import ThalwegError
from thalweg.methods import methods
from thalweg.methods.bdf import BDF
from thalweg.methods.chebyshev import Chebyshev
from thalweg.methods.cvode import CVODE
from thalweg.methods.diffrax_ode import Diffrax
from thalweg.methods.explicit import BogackiShampine
from thalweg.methods.geodesic import ImplicitGeodesic
from thalweg.methods.krylov import ExponentialKrylov
from thalweg.methods.optax_methods import Optax
from thalweg.methods.optimistix_methods import Optimistix
from thalweg.methods.rosenbrock import Rosenbrock
from thalweg.methods.scipy_least_squares import SciPyLeastSquares
from thalweg.methods.scipy_minimize import BFGS, LBFGS
from thalweg.methods.scipy_ode import SciPyODE
from thalweg.methods.switching import Switching
from thalweg.minimize import minimize
from thalweg.problem import Composite, LeastSquares, Scalar
from thalweg.solution import Outcome, Solution, Work
from thalweg.stop import Stop

__version__ = "0.1.0"

__all__ = [
    "BDF",
    "BFGS",
    "CVODE",
    "LBFGS",
    "Accuracy",
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
    "Scalar",
    "SciPyLeastSquares",
    "SciPyODE",
    "Solution",
    "Stop",
    "Switching",
    "ThalwegError",
    "Work",
    "methods",
    "minimize",
]
