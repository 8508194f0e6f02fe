"""A study's definition as a table, such as a TOML file holds: read, checked whole, and written.

    name = "rates"
    title = "Three learning rates"

    [[grid]]
    problems = ["bessel"]
    starts = 3                          # seeds 0, 1, 2; or a list of seeds
    stop = { seconds = 2.0 }            # fields of `thalweg.Stop`
    watch = ["measure"]                 # may be left out, as `quick` may

    [grid.methods]
    ours = "auto"
    "Adam 0.01" = { name = "adam", learning_rate = 0.01 }

    [grid.quick]
    starts = 1

Every mistake is found in one go and named by its path.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from typing import TYPE_CHECKING, Any

from thalweg.errors import ConfigError
from thalweg.stop import Stop
from thalweg_lab.study.configured import mistakes as mistakes_of_method
from thalweg_lab.study.configured import unknown
from thalweg_lab.study.plan import Grid, Study
from thalweg_lab.study.shipped import SHIPPED
from thalweg_lab.study.spec import WATCHES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KEYS = ("name", "title", "about", "answers", "grid")
GRID_KEYS = ("problems", "methods", "starts", "stop", "watch", "quick")
QUICK_KEYS = ("problems", "methods", "starts", "stop")
STOP_KEYS = ("loss", "grad_norm", "seconds", "steps", "gradients")
BUDGETS = ("seconds", "steps", "gradients")  # at least one, so that every run ends
MOST_STARTS = 10_000
LONGEST_NAME = 60
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def read_study(text: str, *, source: str) -> Study:
    """The study of a TOML text.

    Args:
        text: TOML.
        source: What messages call it, such as the file's name.

    Raises:
        ConfigError: It is no TOML, or holds mistakes; all of them are in the message.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"`{source}` is not TOML: {error}") from error
    return study_of(table, source=source)


def study_of(table: Mapping[str, Any], *, source: str) -> Study:
    """The study of a table.

    Raises:
        ConfigError: It holds mistakes; all of them are in the message.
    """
    reading = _Reading()
    study = reading.study(table)
    found = reading.mistakes
    if found:
        count = "a mistake" if len(found) == 1 else f"{len(found)} mistakes"
        lines = "\n".join(f"  {path} {sentence}" for path, sentence in found)
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
    table = table_of(study)
    lines = [f"{key} = {_toml(value)}" for key, value in table.items() if key != "grid"]
    for grid in table["grid"]:
        lines += ["", "[[grid]]"]
        lines += [f"{key} = {_toml(grid[key])}" for key in grid if key not in ("methods", "quick")]
        for part in ("methods", "quick"):
            if grid.get(part):
                lines += ["", f"[grid.{part}]"]
                lines += [f"{_key(key)} = {_toml(value)}" for key, value in grid[part].items()]
    return "\n".join(lines) + "\n"


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


# ----------------------------------------------------------------------------------------- reading


class _Reading:
    """Reads a table and notes every mistake; what is read beside a mistake is never used."""

    def __init__(self) -> None:
        self.mistakes: list[tuple[str, str]] = []

    def wrong(self, path: str, sentence: str) -> None:
        self.mistakes.append((f"`{path}`", sentence))

    def keys(self, table: Mapping[str, Any], known: Sequence[str], path: str) -> None:
        for key in table:
            if key not in known:
                self.wrong(f"{path}{_key(key)}", unknown(key, known, what="key of a study"))

    def study(self, table: Mapping[str, Any]) -> Study:
        self.keys(table, KEYS, "")
        name = self.text(table, "name", needed=True)
        if name and not (_NAME.fullmatch(name) and len(name) <= LONGEST_NAME):
            self.wrong("name", f"is {name!r}, but letters, digits, `-` and `_` were expected")
        answers = self.text(table, "answers")
        if answers and answers not in SHIPPED:
            self.wrong("answers", unknown(answers, SHIPPED, what="shipped study"))
        given = table.get("grid")
        if not (isinstance(given, list) and given and all(isinstance(g, dict) for g in given)):
            self.wrong("grid", "is missing or no list of tables; write at least one `[[grid]]`")
            given = []
        grids = tuple(self.grid(grid, f"grid[{place}]") for place, grid in enumerate(given))
        self.same_everywhere(grids)
        return Study(
            name=name,
            title=self.text(table, "title") or name,
            about=self.text(table, "about"),
            answers=answers,
            grids=grids,
        )

    def text(self, table: Mapping[str, Any], key: str, *, needed: bool = False) -> str:
        value = table.get(key, "")
        if not isinstance(value, str):
            self.wrong(key, f"is {value!r}, but a text was expected")
            return ""
        if needed and not value:
            self.wrong(key, "is missing; name the study in one word")
        return value

    def grid(self, table: Mapping[str, Any], path: str) -> Grid:
        self.keys(table, GRID_KEYS, f"{path}.")
        for key in ("problems", "methods", "starts", "stop"):
            if key not in table:
                self.wrong(f"{path}.{key}", "is missing")
        problems = self.problems(table.get("problems"), f"{path}.problems")
        methods = self.methods(table.get("methods"), f"{path}.methods")
        watch = self.names(table.get("watch", []), f"{path}.watch", WATCHES, what="thing to watch")
        return Grid(
            problems=problems,
            methods=methods,
            starts=self.starts(table.get("starts"), f"{path}.starts"),
            stop=self.stop(table.get("stop"), f"{path}.stop"),
            watch=watch,
            quick=self.quick(table.get("quick", {}), f"{path}.quick", methods),
        )

    def quick(
        self, table: Any, path: str, methods: Mapping[str, Mapping[str, Any]]
    ) -> dict[str, Any]:
        if not isinstance(table, dict):
            self.wrong(path, f"is {table!r}, but a table was expected")
            return {}
        self.keys(table, QUICK_KEYS, f"{path}.")
        read: dict[str, Any] = {}
        if "problems" in table:
            read["problems"] = self.problems(table["problems"], f"{path}.problems", some=False)
        if "methods" in table:
            labels = table["methods"]
            read["methods"] = self.names(
                labels, f"{path}.methods", tuple(methods), what="label in `methods`", some=True
            )
        if "starts" in table:
            read["starts"] = self.starts(table["starts"], f"{path}.starts")
        if "stop" in table:
            read["stop"] = self.stop(table["stop"], f"{path}.stop")
        return read

    def problems(self, value: Any, path: str, *, some: bool = True) -> tuple[str, ...]:
        from thalweg_lab.problems import NAMES

        return () if value is None else self.names(value, path, NAMES, what="problem", some=some)

    def names(
        self, value: Any, path: str, known: Sequence[str], *, what: str, some: bool = False
    ) -> tuple[str, ...]:
        if not isinstance(value, list) or (some and not value):
            self.wrong(path, f"is {value!r}, but a list of names was expected")
            return ()
        for place, name in enumerate(value):
            if not isinstance(name, str):
                self.wrong(f"{path}[{place}]", f"is {name!r}, but a text was expected")
            elif name not in known:
                self.wrong(f"{path}[{place}]", unknown(name, known, what=what))
            elif name in value[:place]:
                self.wrong(f"{path}[{place}]", f"is `{name}` a second time; leave one out")
        return tuple(value)

    def methods(self, value: Any, path: str) -> dict[str, dict[str, Any]]:
        if value is None:
            return {}
        if not isinstance(value, dict) or not value:
            self.wrong(path, f"is {value!r}, but a table of labels and methods was expected")
            return {}
        read = {}
        for label, given in value.items():
            at = f"{path}.{_key(label)}"
            if not (label.strip() and label.isprintable() and len(label) <= LONGEST_NAME):
                self.wrong(at, f"has a label that is no text of 1 to {LONGEST_NAME} characters")
            maker = {"name": given} if isinstance(given, str) else given
            if not isinstance(maker, dict):
                self.wrong(at, f"is {given!r}, but the name of a method or a table was expected")
                continue
            for key, sentence in mistakes_of_method(maker):
                place = at if isinstance(given, str) or not key else f"{at}.{_key(key)}"
                self.wrong(place, sentence)
            read[label] = maker
        return read

    def starts(self, value: Any, path: str) -> tuple[int, ...]:
        if value is None:
            return ()
        if _is_whole(value) and 1 <= value <= MOST_STARTS:
            return tuple(range(value))
        is_list = isinstance(value, list) and value and all(map(_is_whole, value))
        if not is_list or min(value) < 0 or len(set(value)) < len(value):
            self.wrong(
                path,
                f"is {value!r}, but a number of starts up to {MOST_STARTS} or a list of seeds of "
                "at least 0, each once, was expected",
            )
            return ()
        return tuple(value)

    def stop(self, value: Any, path: str) -> dict[str, Any]:
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.wrong(path, f"is {value!r}, but a table such as {{ seconds = 2.0 }} was expected")
            return {}
        self.keys(value, STOP_KEYS, f"{path}.")
        for key in set(value) & set(STOP_KEYS):
            is_number = isinstance(value[key], int | float)
            if is_number and math.isinf(value[key]):
                self.wrong(f"{path}.{key}", "is infinite; leave it out where it is no limit")
                continue
            try:
                Stop(**{key: value[key]})
            except ConfigError as error:
                self.wrong(f"{path}.{key}", str(error).split("`", 2)[-1].strip())
        if not set(value) & set(BUDGETS):
            self.wrong(path, "sets no budget; give `seconds`, `steps` or `gradients`")
        return dict(value)

    def same_everywhere(self, grids: Sequence[Grid]) -> None:
        """One label is one method, and a problem and label have one budget and one watch."""
        makers: dict[str, Any] = {}
        budgets: dict[tuple[str, str], Any] = {}
        for place, grid in enumerate(grids):
            for label, maker in grid.methods.items():
                path = f"grid[{place}].methods.{_key(label)}"
                if makers.setdefault(label, maker) != maker:
                    self.wrong(path, "is another method than in an earlier grid; name it otherwise")
                for problem in grid.problems:
                    asked = (grid.stop, grid.watch)
                    if budgets.setdefault((problem, label), asked) != asked:
                        self.wrong(
                            path,
                            f"has on `{problem}` another `stop` or `watch` than in an earlier "
                            "grid; name it otherwise",
                        )


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


# ----------------------------------------------------------------------------------------- writing


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _toml(key)


def _toml(value: Any) -> str:
    """A value of TOML on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # A basic string of TOML is a string of JSON, but for the control character 127.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
    if isinstance(value, dict):
        inner = ", ".join(f"{_key(key)} = {_toml(item)}" for key, item in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return repr(value)
