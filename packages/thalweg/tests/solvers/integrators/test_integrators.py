"""The integrators with an error estimate: the shared suite, then what accuracy control promises."""

from method_suite import suite_for
from thalweg.solvers.integrators.bdf import BDF, no_history
from thalweg.solvers.integrators.chebyshev import Chebyshev
from thalweg.solvers.integrators.explicit import BogackiShampine
from thalweg.solvers.integrators.rosenbrock import Rosenbrock
from thalweg.solvers.integrators.switching import Switching

TestBogackiShampine = suite_for(BogackiShampine(), is_for_stiff_flows=False)
TestChebyshev = suite_for(Chebyshev())
TestRosenbrock = suite_for(Rosenbrock())
TestSwitching = suite_for(Switching())
TestBDF = suite_for(BDF(), first_state=lambda theta: (theta, no_history(theta)))
