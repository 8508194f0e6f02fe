"""Every method by name, imported only when it is asked for."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, NamedTuple

from thalweg.errors import ConfigError, UnknownMethodError

if TYPE_CHECKING:
    from collections.abc import Callable

    from thalweg.flow import Flow
    from thalweg.solvers.base import AbstractMethod

# name -> (module, what in it makes the method with its defaults)
REGISTRY: dict[str, tuple[str, str]] = {
    "implicit-geodesic": ("thalweg.solvers.geodesic", "ImplicitGeodesic"),
    "exponential-krylov": ("thalweg.solvers.krylov", "ExponentialKrylov"),
    "secant-euler": ("thalweg.solvers.secant", "SecantEuler"),
    "sampled": ("thalweg.solvers.sampled", "Sampled"),
    "batch-euler": ("thalweg.solvers.batch_euler", "BatchEuler"),
    "rosenbrock": ("thalweg.solvers.rosenbrock", "Rosenbrock"),
    "bdf": ("thalweg.solvers.bdf", "BDF"),
    "chebyshev": ("thalweg.solvers.chebyshev", "Chebyshev"),
    "bogacki-shampine": ("thalweg.solvers.explicit", "BogackiShampine"),
    "switching": ("thalweg.solvers.switching", "Switching"),
    "l-bfgs": ("thalweg.solvers.scipy_minimize", "LBFGS"),
    "bfgs": ("thalweg.solvers.scipy_minimize", "BFGS"),
    "ss-bfgs": ("thalweg.solvers.self_scaled", "bfgs"),
    "ss-broyden": ("thalweg.solvers.self_scaled", "broyden"),
    "adam-l-bfgs": ("thalweg.solvers.adam_then_lbfgs", "AdamThenLBFGS"),
    "scipy-lm": ("thalweg.solvers.scipy_least_squares", "lm"),
    "scipy-trf": ("thalweg.solvers.scipy_least_squares", "trf"),
    "scipy-dogbox": ("thalweg.solvers.scipy_least_squares", "dogbox"),
    "zvode": ("thalweg.solvers.scipy_ode", "zvode"),
    "vode": ("thalweg.solvers.scipy_ode", "vode"),
    "lsoda": ("thalweg.solvers.scipy_ode", "lsoda"),
    "dopri5": ("thalweg.solvers.scipy_ode", "dopri5"),
    "scipy-radau": ("thalweg.solvers.scipy_ode", "radau"),
    "scipy-bdf": ("thalweg.solvers.scipy_ode", "bdf"),
    "dop853": ("thalweg.solvers.scipy_ode", "dop853"),
    "cvode": ("thalweg.solvers.cvode", "cvode"),
    "cvode-krylov": ("thalweg.solvers.cvode", "cvode_krylov"),
    "kvaerno5": ("thalweg.solvers.diffrax_ode", "kvaerno5"),
    "kvaerno3": ("thalweg.solvers.diffrax_ode", "kvaerno3"),
    "tsit5": ("thalweg.solvers.diffrax_ode", "tsit5"),
    "optimistix-lm": ("thalweg.solvers.optimistix_methods", "lm"),
    "optimistix-bfgs": ("thalweg.solvers.optimistix_methods", "bfgs"),
    "gradient-descent": ("thalweg.solvers.optax_methods", "gradient_descent"),
    "momentum": ("thalweg.solvers.optax_methods", "momentum"),
    "adam": ("thalweg.solvers.optax_methods", "adam"),
    "optax-l-bfgs": ("thalweg.solvers.optax_methods", "l_bfgs"),
}


def make(method: str | AbstractMethod, flow: Flow) -> tuple[AbstractMethod, str]:
    """The method for a name, or the configured method itself; for `auto`, also why.

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
        needs: What it needs of the problem, or which extra.
        summary: What it is, in a few words.
    """

    name: str
    kind: str
    needs: str
    summary: str


def methods() -> list[MethodInfo]:
    """Every method by name, `auto` first."""
    auto = MethodInfo(
        "auto", "own", "nothing", "picks one of the own methods by structure and size"
    )
    built = [(name, _build(name)) for name in REGISTRY]
    return [auto, *(MethodInfo(name, m.kind, m.needs, m.summary) for name, m in built)]
