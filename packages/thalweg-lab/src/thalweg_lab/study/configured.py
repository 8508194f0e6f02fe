"""A method from its name and options, as a study's definition has them.

    {"name": "lsoda", "rtol": 1e-4, "max_order": 2}     fields of `thalweg.SciPyODESolver`
    {"name": "bdf", "rtol": 1e-4, "loosest": 1e-2}      tolerances mean `thalweg.Accuracy`
    {"name": "adam", "learning_rate": 0.01}             arguments of `optax.adam`
    {"name": "auto"}                                    has no options

The options of a method are the fields of its class; for Optax those of `OPTAX`.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import json
import operator
from typing import TYPE_CHECKING, Any

import pydantic

from thalweg.errors import ConfigError, UnknownMethodError
from thalweg_lab.peers import METHODS
from thalweg_lab.study.mistakes import expected, unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_core import ErrorDetails

    from thalweg.solvers.base import AbstractMethod

TOLERANCES = {"rtol": "float", "atol": "float", "loosest": "float | None"}  # of `Accuracy`
# For the methods of Optax: what makes them, and the arguments that may be set.
OPTAX: dict[str, tuple[str, dict[str, str]]] = {
    "gradient-descent": ("sgd", {"learning_rate": "float"}),
    "momentum": ("sgd", {"learning_rate": "float", "momentum": "float"}),
    "adam": ("adam", {"learning_rate": "float", "b1": "float", "b2": "float", "eps": "float"}),
    "optax-l-bfgs": ("lbfgs", {"memory_size": "int"}),
}
_TYPES: dict[str, Any] = {"float": float, "int": int, "str": str, "bool": bool, "None": None}


def options_of(name: str) -> dict[str, str]:
    """The options of a method, each with its types, such as `int | None`.

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
    options = dict(maker)
    name = options.pop("name", None)
    if not isinstance(name, str):
        return [("name", f"is {name!r}, but the name of a method was expected")]
    try:
        found = _wrong_options(name, options)
        if not found:
            configured(maker)
    except UnknownMethodError as error:
        return [("name", str(error))]
    except (ConfigError, ValueError, TypeError) as error:
        return [("", str(error))]
    return found


def _wrong_options(name: str, options: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Options that the method does not have or whose value is of a wrong type."""
    try:
        _table_of_options(name).model_validate(options)
    except pydantic.ValidationError as error:
        by_key: dict[str, list[ErrorDetails]] = {}
        for detail in error.errors(include_url=False):  # one for each type that was tried
            by_key.setdefault(str(detail["loc"][0]), []).append(detail)
    else:
        return []
    return [
        (key, unknown(key, options_of(name), what=f"an option of `{name}`"))
        if details[0]["type"] == "extra_forbidden"
        else (key, f"is {options[key]!r}, but {expected(details)} was expected")
        for key, details in by_key.items()
    ]


@functools.cache
def _table_of_options(name: str) -> type[pydantic.BaseModel]:
    fields: dict[str, Any] = {
        key: (functools.reduce(operator.or_, (_TYPES[kind] for kind in _kinds(annotation))), None)
        for key, annotation in options_of(name).items()
    }
    return pydantic.create_model(
        "Options", __config__=pydantic.ConfigDict(extra="forbid", strict=True), **fields
    )


def configured(maker: Mapping[str, Any]) -> str | AbstractMethod:
    """The method, ready to run; equal makers give the same object, which compiles once.

    Raises:
        ConfigError: There is no such method or option, or a value is of a wrong type or out of
            range.
    """
    return _configured(json.dumps(dict(maker), sort_keys=True))


@functools.lru_cache(maxsize=256)
def _configured(text: str) -> str | AbstractMethod:
    options = json.loads(text)
    name = options.pop("name")
    for key, sentence in _wrong_options(name, options):
        raise ConfigError(f"`{key}` {sentence}")
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
    """A method of Optax with other arguments; those left out are as in the method of that name."""
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


def _preset(name: str) -> Any:
    """The method of a name with its defaults."""
    if name not in METHODS:
        raise UnknownMethodError(name, [*METHODS, "auto"])
    module, factory = METHODS[name]
    return getattr(importlib.import_module(module), factory)()


def _own_name(name: str) -> str | None:
    """The field that says which of a family a method is, and so is decided by its name."""
    return next((f.name for f in dataclasses.fields(_preset(name)) if f.name in _FAMILIES), None)


_FAMILIES = ("integrator", "solver", "algorithm")


def _kinds(annotation: str) -> list[str]:
    return [part.strip() for part in annotation.split("|")]
