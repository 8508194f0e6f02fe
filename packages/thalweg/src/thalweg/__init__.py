"""thalweg: train neural networks by integrating the gradient flow with stiff solvers.

    M dθ/dt = -∇L(θ),   θ(0) = θ₀

One unit of t is one step of gradient descent at learning rate 1.
"""

from thalweg.minimize import minimize
from thalweg.problem import Composite, LeastSquares, Scalar
from thalweg.solution import Outcome, Solution, Work
from thalweg.stop import Stop

__all__ = ["Composite", "LeastSquares", "Outcome", "Scalar", "Solution", "Stop", "Work", "minimize"]
