"""A study's definition as a table, such as a TOML file holds: read, checked and written.

    name = "rates"
    title = "Three learning rates"

    [[grid]]
    problems = ["bessel"]
    starts = 3                          # seeds 0, 1, 2; or a list of seeds
    stop = { seconds = 2.0 }            # fields of `thalweg.Stop`
    watch = ["measure"]                 # optional, as `quick` is

    [grid.methods]
    ours = "auto"
    "Adam 0.01" = { name = "adam", learning_rate = 0.01 }

    [grid.quick]
    starts = 1

All mistakes are reported at once, each by its path.
"""

from __future__ import annotations

import functools
import math
import re
import tomllib
from typing import TYPE_CHECKING, Annotated, Any

import pydantic
import tomli_w
from pydantic import AfterValidator

from thalweg.errors import ConfigError
from thalweg.stop import Stop
from thalweg_lab.problems import NAMES
from thalweg_lab.study.configured import mistakes as mistakes_of_method
from thalweg_lab.study.mistakes import Place, dotted, mistakes_of, refuse, unknown
from thalweg_lab.study.plan import Grid, Study
from thalweg_lab.study.shipped import SHIPPED
from thalweg_lab.study.spec import WATCHES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

STOP_KEYS = ("loss", "grad_norm", "seconds", "steps", "gradients")
BUDGETS = ("seconds", "steps", "gradients")  # at least one, so that every run ends
MOST_STARTS = 10_000
LONGEST_NAME = 60
KEY = "a key of a study"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def read_study(text: str, *, source: str) -> Study:
    """The study of a TOML text.

    Args:
        text: TOML.
        source: What messages call it, such as the file's name.

    Raises:
        ConfigError: The text is not TOML, or holds mistakes; the message lists all of them.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"`{source}` is not TOML: {error}") from error
    return study_of(table, source=source)


def study_of(table: Mapping[str, Any], *, source: str) -> Study:
    """The study of a table.

    Raises:
        ConfigError: The table holds mistakes; the message lists all of them.
    """
    found: list[tuple[Place, str]] = []
    study = None
    try:
        study = _StudyTable.model_validate(dict(table)).study()
    except pydantic.ValidationError as error:
        found = mistakes_of(error, keys_at=_keys_at, what=KEY)
    found += _across(table)
    if study is None or found:
        count = "a mistake" if len(found) == 1 else f"{len(found)} mistakes"
        lines = "\n".join(f"  `{dotted(place)}` {sentence}" for place, sentence in found)
        raise ConfigError(f"`{source}` holds {count}:\n{lines}")
    return study


def table_of(study: Study) -> dict[str, Any]:
    """The table of a study; `study_of` gives the study back."""
    table: dict[str, Any] = {"name": study.name, "title": study.title}
    table |= {key: getattr(study, key) for key in ("about", "answers") if getattr(study, key)}
    table["grid"] = [_grid_table(grid) for grid in study.grids]
    return table


def write_study(study: Study) -> str:
    """The TOML of a study; `read_study` gives the study back."""
    return tomli_w.dumps(table_of(study))


def _grid_table(grid: Grid) -> dict[str, Any]:
    table = {
        "problems": list(grid.problems),
        "starts": list(grid.starts),
        "stop": dict(grid.stop),
        "watch": list(grid.watch),
        "methods": {label: dict(maker) for label, maker in grid.methods.items()},
        "quick": {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in grid.quick.items()
        },
    }
    return {key: value for key, value in table.items() if value or key not in ("watch", "quick")}


# -------------------------------------------------------------------------------- parts of a table


def _one_word(name: str) -> str:
    if not name:
        refuse([((), "is missing; name the study in one word")], name)
    if not (_NAME.fullmatch(name) and len(name) <= LONGEST_NAME):
        wanted = f"1 to {LONGEST_NAME} letters, digits, `-` and `_` were expected"
        refuse([((), f"is {name!r}, but {wanted}")], name)
    return name


def _shipped_name(name: str) -> str:
    if name and name not in SHIPPED:
        refuse([((), unknown(name, SHIPPED, what="a shipped study"))], name)
    return name


def _some(values: Sequence[Any]) -> Sequence[Any]:
    if not values:
        refuse([((), "is empty; give at least one")], values)
    return values


def _known_names(names: list[Any], *, known: Sequence[str], what: str) -> list[str]:
    refuse(_wrong_names(names, known, what=what), names)
    return names


def _wrong_names(
    names: Sequence[Any], known: Sequence[str], *, what: str
) -> Iterator[tuple[Place, str]]:
    for place, name in enumerate(names):
        if not isinstance(name, str):
            yield (place,), f"is {name!r}, but a text was expected"
        elif name not in known:
            yield (place,), unknown(name, known, what=what)
        elif name in names[:place]:
            yield (place,), f"repeats `{name}`; leave one of them out"


def _methods(given: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: list[tuple[Place, str]] = []
    makers = {label: _maker(method) for label, method in given.items()}
    for label, maker in makers.items():
        if not (label.strip() and label.isprintable() and len(label) <= LONGEST_NAME):
            found.append(((label,), f"is not a label of 1 to {LONGEST_NAME} printable characters"))
        if not isinstance(maker, dict):
            words = "but the name of a method or a table was expected"
            found.append(((label,), f"is {maker!r}, {words}"))
            continue
        for key, sentence in mistakes_of_method(maker):
            is_inside = key and isinstance(given[label], dict)
            found.append(((label, key) if is_inside else (label,), sentence))
    refuse(found, given)
    return makers


def _maker(method: Any) -> Any:
    """A name alone is short for a table with that name."""
    return {"name": method} if isinstance(method, str) else method


def _starts(value: Any) -> tuple[int, ...]:
    if _is_whole(value) and 1 <= value <= MOST_STARTS:
        return tuple(range(value))
    is_list = isinstance(value, list) and value and all(map(_is_whole, value))
    if not is_list or min(value) < 0 or len(set(value)) < len(value):
        wanted = f"a number of starts from 1 to {MOST_STARTS:,} or a list of different seeds from 0"
        refuse([((), f"is {value!r}, but {wanted} was expected")], value)
    return tuple(value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _stop(fields: dict[str, Any]) -> dict[str, Any]:
    found: list[tuple[Place, str]] = []
    for key, value in fields.items():
        if key not in STOP_KEYS:
            found.append(((key,), unknown(key, STOP_KEYS, what=KEY)))
        elif value == math.inf:
            found.append(((key,), "is infinite; leave it out for no limit"))
        else:
            try:
                Stop(**{key: value})
            except ConfigError as error:
                found.append(((key,), str(error).split("`", 2)[-1].strip()))
    if not fields.keys() & set(BUDGETS):
        found.append(((), "sets no budget; give `seconds`, `steps` or `gradients`"))
    refuse(found, fields)
    return fields


def _grids_first(given: Any) -> Any:
    if given is None:
        refuse([((), "is missing; write at least one `[[grid]]`")], given)
    if not (isinstance(given, list) and given and all(isinstance(grid, dict) for grid in given)):
        refuse([((), "is not a list of tables; write at least one `[[grid]]`")], given)
    return given


_Problems = Annotated[
    list[Any], AfterValidator(functools.partial(_known_names, known=NAMES, what="a problem"))
]
_Watch = Annotated[
    list[Any],
    AfterValidator(functools.partial(_known_names, known=WATCHES, what="something to watch")),
]
_Methods = Annotated[dict[str, Any], AfterValidator(_some), AfterValidator(_methods)]
_Starts = Annotated[Any, AfterValidator(_starts)]
_StopFields = Annotated[dict[str, Any], AfterValidator(_stop)]


class _Table(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", strict=True)


class _QuickTable(_Table):
    problems: _Problems = []
    methods: Annotated[list[Any], AfterValidator(_some)] = []  # labels: see `_across`
    starts: _Starts = ()
    stop: _StopFields = {}

    def changes(self) -> dict[str, Any]:
        """What is set, as `Grid.quick` has it."""
        given = self.model_dump(exclude_unset=True)
        return {key: tuple(v) if isinstance(v, list) else v for key, v in given.items()}


class _GridTable(_Table):
    problems: Annotated[_Problems, AfterValidator(_some)]
    methods: _Methods
    starts: _Starts
    stop: _StopFields
    watch: _Watch = []
    quick: _QuickTable = _QuickTable()

    def grid(self) -> Grid:
        return Grid(
            problems=tuple(self.problems),
            methods=self.methods,
            starts=self.starts,
            stop=self.stop,
            watch=tuple(self.watch),
            quick=self.quick.changes(),
        )


class _StudyTable(_Table):
    # Validated even where it is missing: the sentence then says what to write.
    name: Annotated[str, AfterValidator(_one_word)] = pydantic.Field("", validate_default=True)
    title: str = ""
    about: str = ""
    answers: Annotated[str, AfterValidator(_shipped_name)] = ""
    grid: Annotated[list[_GridTable], pydantic.BeforeValidator(_grids_first)] = pydantic.Field(
        default=None, validate_default=True
    )

    def study(self) -> Study:
        return Study(
            name=self.name,
            title=self.title or self.name,
            about=self.about,
            answers=self.answers,
            grids=tuple(table.grid() for table in self.grid),
        )


def _keys_at(place: Place) -> Sequence[str]:
    """The keys of the table at a place: the study, `grid[0]` or `grid[0].quick`."""
    table = (_StudyTable, _Table, _GridTable, _QuickTable)[len(place)]
    return tuple(table.model_fields)


# ------------------------------------------------------------------------- between parts of a table


def _across(table: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    """Mistakes between parts of a table, whose parts may be wrong themselves.

    `quick` takes labels of its own grid. One label is one method in all grids, and a problem and
    label have one budget and one watch.
    """
    makers: dict[str, Any] = {}
    budgets: dict[tuple[str, str], Any] = {}
    for number, grid in enumerate(_as(list, table.get("grid"))):
        methods = _as(dict, _as(dict, grid).get("methods"))
        chosen = _as(list, _as(dict, _as(dict, grid).get("quick")).get("methods"))
        for at, sentence in _wrong_names(chosen, tuple(methods), what="a label in `methods`"):
            yield ("grid", number, "quick", "methods", *at), sentence
        for label, method in methods.items():
            place = ("grid", number, "methods", label)
            maker = _maker(method)
            if makers.setdefault(label, maker) != maker:
                yield place, "is another method than in an earlier grid; choose another label"
            asked = (grid.get("stop"), grid.get("watch", []))
            for problem in filter(lambda name: name in NAMES, _as(list, grid.get("problems"))):
                if budgets.setdefault((problem, label), asked) != asked:
                    sentence = (
                        f"has on `{problem}` another `stop` or `watch` than in an earlier grid"
                    )
                    yield place, f"{sentence}; choose another label"


def _as(kind: type, value: Any) -> Any:
    """A value of a kind, or an empty one in its place."""
    return value if isinstance(value, kind) else kind()
