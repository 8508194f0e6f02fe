"""Every method by name, imported only when it is asked for."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, NamedTuple

from thalweg.errors import ConfigError, UnknownMethodError
from thalweg.methods.base import AbstractMethod

if TYPE_CHECKING:
    from collections.abc import Callable

    from thalweg.flow import Flow

# name -> (module, what in it makes the method with its defaults)
REGISTRY: dict[str, tuple[str, str]] = {
    "implicit-geodesic": ("thalweg.methods.geodesic", "ImplicitGeodesic"),
    "exponential-krylov": ("thalweg.methods.krylov", "ExponentialKrylov"),
    "rosenbrock": ("thalweg.methods.rosenbrock", "Rosenbrock"),
    "bdf": ("thalweg.methods.bdf", "BDF"),
    "chebyshev": ("thalweg.methods.chebyshev", "Chebyshev"),
    "bogacki-shampine": ("thalweg.methods.explicit", "BogackiShampine"),
    "switching": ("thalweg.methods.switching", "Switching"),
    "l-bfgs": ("thalweg.methods.scipy_minimize", "LBFGS"),
    "bfgs": ("thalweg.methods.scipy_minimize", "BFGS"),
    "scipy-lm": ("thalweg.methods.scipy_least_squares", "lm"),
    "scipy-trf": ("thalweg.methods.scipy_least_squares", "trf"),
    "scipy-dogbox": ("thalweg.methods.scipy_least_squares", "dogbox"),
    "zvode": ("thalweg.methods.scipy_ode", "zvode"),
    "vode": ("thalweg.methods.scipy_ode", "vode"),
    "lsoda": ("thalweg.methods.scipy_ode", "lsoda"),
    "dopri5": ("thalweg.methods.scipy_ode", "dopri5"),
    "scipy-radau": ("thalweg.methods.scipy_ode", "radau"),
    "scipy-bdf": ("thalweg.methods.scipy_ode", "bdf"),
    "dop853": ("thalweg.methods.scipy_ode", "dop853"),
    "cvode": ("thalweg.methods.cvode", "cvode"),
    "cvode-krylov": ("thalweg.methods.cvode", "cvode_krylov"),
    "kvaerno5": ("thalweg.methods.diffrax_ode", "kvaerno5"),
    "kvaerno3": ("thalweg.methods.diffrax_ode", "kvaerno3"),
    "tsit5": ("thalweg.methods.diffrax_ode", "tsit5"),
    "optimistix-lm": ("thalweg.methods.optimistix_methods", "lm"),
    "optimistix-bfgs": ("thalweg.methods.optimistix_methods", "bfgs"),
    "gradient-descent": ("thalweg.methods.optax_methods", "gradient_descent"),
    "momentum": ("thalweg.methods.optax_methods", "momentum"),
    "adam": ("thalweg.methods.optax_methods", "adam"),
    "optax-l-bfgs": ("thalweg.methods.optax_methods", "l_bfgs"),
}


def make(method: str | AbstractMethod, flow: Flow) -> tuple[AbstractMethod, str]:
    """The method for a name, or the configured method itself; for `auto`, also why.

    Raises:
        UnknownMethodError: There is no method of that name.
        ConfigError: `method` is neither a name nor a method.
    """
    if isinstance(method, AbstractMethod):
        return method, ""
    if not isinstance(method, str):
        raise ConfigError(
            f"`method` is of type {type(method).__name__}, but a name or a configured method "
            "such as `tw.ImplicitGeodesic()` was expected"
        )
    if method == "auto":
        from thalweg.methods.auto import pick

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
