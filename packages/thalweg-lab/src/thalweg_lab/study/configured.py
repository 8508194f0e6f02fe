"""A method from its name and options, as a study's definition has them.

    {"name": "lsoda", "rtol": 1e-4, "max_order": 2}     fields of `thalweg.SciPyODESolver`
    {"name": "bdf", "rtol": 1e-4, "loosest": 1e-2}      tolerances mean `thalweg.Accuracy`
    {"name": "adam", "learning_rate": 0.01}             arguments of `optax.adam`
    {"name": "auto"}                                    has no options

The options of a method are the fields of its class; for Optax those of `OPTAX`.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import importlib
import json
from typing import TYPE_CHECKING, Any

from thalweg.errors import ConfigError, UnknownMethodError
from thalweg.solvers import REGISTRY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from thalweg.solvers.base import AbstractMethod

TOLERANCES = {"rtol": "float", "atol": "float", "loosest": "float | None"}  # of `Accuracy`
# For the methods of Optax: what makes them, and the arguments that may be set.
OPTAX: dict[str, tuple[str, dict[str, str]]] = {
    "gradient-descent": ("sgd", {"learning_rate": "float"}),
    "momentum": ("sgd", {"learning_rate": "float", "momentum": "float"}),
    "adam": ("adam", {"learning_rate": "float", "b1": "float", "b2": "float", "eps": "float"}),
    "optax-l-bfgs": ("lbfgs", {"memory_size": "int"}),
}
_TYPES: dict[str, tuple[type, ...]] = {
    "float": (int, float),
    "int": (int,),
    "str": (str,),
    "bool": (bool,),
    "None": (type(None),),
}
_IN_WORDS = {
    "float": "a number",
    "int": "a whole number",
    "str": "a text",
    "bool": "true or false",
}


def options_of(name: str) -> dict[str, str]:
    """The options of a method by name, each with its types, such as `int | None`.

    Raises:
        UnknownMethodError: There is no method of that name.
    """
    if name == "auto":
        return {}
    if name in OPTAX:
        return OPTAX[name][1]
    options: dict[str, str] = {}
    for field in dataclasses.fields(_preset(name)):
        if field.name == "control":
            options |= TOLERANCES
        elif field.name != _own_name(name) and set(_kinds(str(field.type))) <= _TYPES.keys():
            options[field.name] = str(field.type)
    return options


def mistakes(maker: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is wrong with a method's name and options: pairs of the key and a sentence."""
    name = maker.get("name")
    if not isinstance(name, str):
        return [("name", f"is {name!r}, but the name of a method was expected")]
    try:
        known = options_of(name)
    except UnknownMethodError as error:
        return [("name", str(error))]
    found: list[tuple[str, str]] = []
    for key, value in maker.items():
        if key == "name":
            continue
        if key not in known:
            found.append((key, unknown(key, known, what=f"option of `{name}`")))
        elif not _fits(value, known[key]):
            wanted = " or ".join(_IN_WORDS[kind] for kind in _kinds(known[key]) if kind != "None")
            found.append((key, f"is {value!r}, but {wanted} was expected"))
    if not found:
        try:
            configured(maker)
        except (ConfigError, ValueError, TypeError) as error:
            found.append(("", str(error)))
    return found


def configured(maker: Mapping[str, Any]) -> str | AbstractMethod:
    """The method, ready to run; equal makers give the same object, which compiles once.

    Raises:
        ConfigError: There is no such method or option, or a value is out of its range.
    """
    return _configured(json.dumps(dict(maker), sort_keys=True))


@functools.lru_cache(maxsize=256)
def _configured(text: str) -> str | AbstractMethod:
    options = json.loads(text)
    name = options.pop("name")
    known = options_of(name)
    for key in options:
        if key not in known:
            raise ConfigError(f"`{key}` {unknown(key, known, what=f'option of `{name}`')}")
    if name == "auto":
        return name
    preset: Any = _preset(name)
    if name in OPTAX:
        return _optimiser(name, preset, options)
    if any(field.name == "control" for field in dataclasses.fields(preset)):
        tolerances = {key: options.pop(key) for key in TOLERANCES if key in options}
        if tolerances:
            from thalweg.solvers.step_control import Accuracy

            options["control"] = Accuracy(**tolerances)
    return dataclasses.replace(preset, **options)


def _optimiser(name: str, preset: Any, options: dict[str, Any]) -> AbstractMethod:
    """One of Optax's with other arguments; what is left out is as in the method of that name."""
    import optax

    from thalweg.solvers.adapters.optax_optimizer import MOMENTUM_DECAY

    if not options:
        return preset
    given = dict(options)
    if preset.learning_rate is not None:
        given.setdefault("learning_rate", preset.learning_rate)
    if name == "momentum":
        given.setdefault("momentum", MOMENTUM_DECAY)
    return dataclasses.replace(
        preset,
        transformation=getattr(optax, OPTAX[name][0])(**given),
        learning_rate=given.get("learning_rate"),
    )


def unknown(key: str, known: Iterable[str], *, what: str) -> str:
    """A sentence on a key that is not known: `is no WHAT; did you mean ...`."""
    names = list(known)
    near = difflib.get_close_matches(key, names, n=1, cutoff=0.5)
    if near:
        return f"is no {what}; did you mean `{near[0]}`?"
    if not names:
        return f"is no {what}; there are none, so leave it out"
    return f"is no {what}; there are {', '.join(f'`{name}`' for name in names)}"


def _preset(name: str) -> Any:
    """The method of a name with its defaults."""
    if name not in REGISTRY:
        raise UnknownMethodError(name, [*REGISTRY, "auto"])
    module, factory = REGISTRY[name]
    return getattr(importlib.import_module(module), factory)()


def _own_name(name: str) -> str | None:
    """The field that says which of a family a method is, and so is decided by its name."""
    return next((f.name for f in dataclasses.fields(_preset(name)) if f.name in _FAMILIES), None)


_FAMILIES = ("integrator", "solver", "algorithm")


def _kinds(annotation: str) -> list[str]:
    return [part.strip() for part in annotation.split("|")]


def _fits(value: Any, annotation: str) -> bool:
    kinds = _kinds(annotation)
    if isinstance(value, bool):
        return "bool" in kinds
    return any(isinstance(value, _TYPES[kind]) for kind in kinds)
