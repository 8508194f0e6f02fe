"""Every method by name. Its module is imported when the method is first used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, NamedTuple

from thalweg.errors import ConfigError, UnknownMethodError

if TYPE_CHECKING:
    from collections.abc import Callable

    from thalweg.flow import Flow
    from thalweg.solvers.base import AbstractMethod

# name -> (module, the factory in it that makes the method with its defaults)
REGISTRY: dict[str, tuple[str, str]] = {
    "implicit-geodesic": ("thalweg.solvers.integrators.geodesic", "ImplicitGeodesic"),
    "scaled-geodesic": ("thalweg.solvers.integrators.scaled", "ScaledGeodesic"),
    "exponential-krylov": ("thalweg.solvers.integrators.krylov", "ExponentialKrylov"),
    "secant-euler": ("thalweg.solvers.integrators.secant", "SecantEuler"),
    "self-scaled-bfgs": ("thalweg.solvers.integrators.self_scaled_bfgs", "SelfScaledBFGS"),
    "self-scaled-broyden": (
        "thalweg.solvers.integrators.self_scaled_broyden",
        "SelfScaledBroyden",
    ),
    "sampled": ("thalweg.solvers.integrators.sampled", "Sampled"),
    "batch-euler": ("thalweg.solvers.integrators.batch_euler", "BatchEuler"),
    "rosenbrock": ("thalweg.solvers.integrators.rosenbrock", "Rosenbrock"),
    "bdf": ("thalweg.solvers.integrators.bdf", "BDF"),
    "chebyshev": ("thalweg.solvers.integrators.chebyshev", "Chebyshev"),
    "bogacki-shampine": ("thalweg.solvers.integrators.explicit", "BogackiShampine"),
    "switching": ("thalweg.solvers.integrators.switching", "Switching"),
    "l-bfgs": ("thalweg.solvers.adapters.scipy_minimize", "LBFGS"),
    "bfgs": ("thalweg.solvers.adapters.scipy_minimize", "BFGS"),
    "ss-bfgs": ("thalweg.solvers.adapters.self_scaled", "bfgs"),
    "ss-broyden": ("thalweg.solvers.adapters.self_scaled", "broyden"),
    "adam-l-bfgs": ("thalweg.solvers.adapters.adam_then_lbfgs", "AdamThenLBFGS"),
    "scipy-lm": ("thalweg.solvers.adapters.scipy_least_squares", "lm"),
    "scipy-trf": ("thalweg.solvers.adapters.scipy_least_squares", "trf"),
    "scipy-dogbox": ("thalweg.solvers.adapters.scipy_least_squares", "dogbox"),
    "zvode": ("thalweg.solvers.adapters.scipy_ode", "zvode"),
    "vode": ("thalweg.solvers.adapters.scipy_ode", "vode"),
    "lsoda": ("thalweg.solvers.adapters.scipy_ode", "lsoda"),
    "dopri5": ("thalweg.solvers.adapters.scipy_ode", "dopri5"),
    "scipy-radau": ("thalweg.solvers.adapters.scipy_ode", "radau"),
    "scipy-bdf": ("thalweg.solvers.adapters.scipy_ode", "bdf"),
    "dop853": ("thalweg.solvers.adapters.scipy_ode", "dop853"),
    "cvode": ("thalweg.solvers.adapters.cvode", "cvode"),
    "cvode-krylov": ("thalweg.solvers.adapters.cvode", "cvode_krylov"),
    "kvaerno5": ("thalweg.solvers.adapters.diffrax_solver", "kvaerno5"),
    "kvaerno3": ("thalweg.solvers.adapters.diffrax_solver", "kvaerno3"),
    "tsit5": ("thalweg.solvers.adapters.diffrax_solver", "tsit5"),
    "optimistix-lm": ("thalweg.solvers.adapters.optimistix_solver", "lm"),
    "optimistix-bfgs": ("thalweg.solvers.adapters.optimistix_solver", "bfgs"),
    "gradient-descent": ("thalweg.solvers.adapters.optax_optimizer", "gradient_descent"),
    "momentum": ("thalweg.solvers.adapters.optax_optimizer", "momentum"),
    "adam": ("thalweg.solvers.adapters.optax_optimizer", "adam"),
    "optax-l-bfgs": ("thalweg.solvers.adapters.optax_optimizer", "l_bfgs"),
}


def make(method: str | AbstractMethod, flow: Flow) -> tuple[AbstractMethod, str]:
    """The method for a name, or the configured method itself.

    Returns:
        The method; and for `auto` the reason of its choice in one sentence, otherwise "".

    Raises:
        UnknownMethodError: There is no method of that name.
        ConfigError: `method` is neither a name nor a method.
    """
    from thalweg.solvers.base import AbstractMethod

    if isinstance(method, AbstractMethod):
        return method, ""
    if not isinstance(method, str):
        raise ConfigError(
            f"`method` is of type {type(method).__name__}, but a name or a configured method "
            "such as `tw.ImplicitGeodesic()` was expected"
        )
    if method == "auto":
        from thalweg.solvers.auto import pick

        return pick(flow)
    if method not in REGISTRY:
        raise UnknownMethodError(method, [*REGISTRY, "auto"])
    return _build(method), ""


def _build(name: str) -> AbstractMethod:
    module, factory = REGISTRY[name]
    build: Callable[[], AbstractMethod] = getattr(importlib.import_module(module), factory)
    return build()


class MethodInfo(NamedTuple):
    """One line of the list of methods.

    Attributes:
        name: What `minimize(method=...)` takes.
        kind: `own`, or `baseline` for a method of another library.
        needs: What it requires of the problem, or which extra.
        summary: What it is, in a few words.
    """

    name: str
    kind: str
    needs: str
    summary: str


def methods() -> list[MethodInfo]:
    """Every method by name, `auto` first."""
    auto = MethodInfo(
        "auto", "own", "nothing", "picks one of thalweg's own methods by structure and size"
    )
    built = [(name, _build(name)) for name in REGISTRY]
    return [auto, *(MethodInfo(name, m.kind, m.needs, m.summary) for name, m in built)]
