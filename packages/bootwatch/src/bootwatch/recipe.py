"""A recipe: how to talk to one kind of device, as data.

A recipe is a TOML file of steps. Each step is one HTTP request; texts in it may hold `{name}`,
which is replaced by the user, the password, a setting or what an earlier step captured. What the
reply means is said by the step's rules, the first that fits wins, and none of them may rest on
the HTTP status alone where a login is to be proved.
"""

import tomllib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from bootwatch.durations import Duration
from bootwatch.errors import ConfigError
from bootwatch.functions import find_function, function_names
from bootwatch.patterns import check_pattern
from bootwatch.permissions import why_not_trusted
from bootwatch.suggestions import nearest
from bootwatch.templates import NAME, TemplateError, functions_in, names_in

ALWAYS_KNOWN = {"user", "password", "host", "origin"}
EVIDENCE = ("uptime", "boots")  # captures that prove a restart

Means = Literal["ok", "refused", "busy", "locked", "failed"]
"""What a reply can mean. `failed` says that the request did not work for another reason."""


Pattern = Annotated[str, AfterValidator(check_pattern)]
Method = Literal["GET", "POST", "PUT", "DELETE", "PATCH"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(_Part):
    """What a reply means if all that is given here fits.

    Attributes:
        means: The meaning.
        status: HTTP statuses.
        text: Searched for in the body.
        location: Searched for in the `Location` header.
        cookie: Must fit the whole name of a cookie that this reply sets. Where nothing else is
            asked for, a name that the device hands out before the login proves nothing.
    """

    means: Means
    status: tuple[int, ...] | None = None
    text: Pattern | None = None
    location: Pattern | None = None
    cookie: Pattern | None = None


class Capture(_Part):
    """Where a value is found in a reply. Exactly one of the four is given.

    Attributes:
        text: Pattern searched for in the body; its first group is the value.
        header: Name of a header; `pattern` may take a part of it.
        cookie: Name of a cookie that the reply sets.
        location: Pattern searched for in the `Location` header.
        pattern: Searched for in the header; all of it if not given.
    """

    text: Pattern | None = None
    header: str | None = None
    cookie: str | None = None
    location: Pattern | None = None
    pattern: Pattern | None = None

    @model_validator(mode="before")
    @classmethod
    def _text_alone(cls, value: object) -> object:
        """A mere pattern is searched for in the body."""
        return {"text": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        places = (self.text, self.header, self.cookie, self.location)
        if sum(place is not None for place in places) != 1:
            raise ValueError("needs exactly one of `text`, `header`, `cookie` and `location`")
        if self.pattern is not None and self.header is None:
            raise ValueError("has a `pattern`, which belongs to a `header` only")
        return self


class Step(_Part):
    """One request.

    Attributes:
        name: What a person calls it.
        method: The HTTP method.
        path: Path and query; no password.
        compute: Names for values that are made before the request, in order; each may use the
            ones before it.
        form: Fields of a form, in order.
        body: A body as it is, values escaped for its content type; not together with `form`.
        headers: Further headers; no password.
        pause: Seconds to wait before it.
        capture: Names for what is found in the reply.
        rules: What replies mean. Without any that fits, `otherwise` holds.
        otherwise: See above.
    """

    name: str
    method: Method = "GET"
    path: str = Field(pattern=r"^/")
    compute: dict[str, str] = Field(default_factory=dict)
    form: tuple[tuple[str, str], ...] | None = None
    body: str | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    pause: Duration = 0.0
    capture: dict[str, Capture] = Field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    otherwise: Means = "failed"

    @field_validator("path")
    @classmethod
    def _no_password_in_path(cls, value: str) -> str:
        if "password" in _names(value):
            raise ValueError("holds the password, and paths are logged everywhere; use a form")
        return value

    @field_validator("headers")
    @classmethod
    def _no_password_in_headers(cls, value: dict[str, str]) -> dict[str, str]:
        if any("password" in _names(text) for text in value.values()):
            raise ValueError('hold the password; use a form, or `auth = "digest"` or `"basic"`')
        return value

    @field_validator("capture", "compute")
    @classmethod
    def _named_like_placeholders(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name in value:
            if not NAME.fullmatch(name) or name in ALWAYS_KNOWN:
                raise ValueError(
                    f"has the name `{name}`; letters, digits and `_` were expected, and none of "
                    + ", ".join(f"`{one}`" for one in sorted(ALWAYS_KNOWN))
                )
        return value

    @model_validator(mode="after")
    def _one_body(self) -> Self:
        if self.form is not None and self.body is not None:
            raise ValueError("has both `form` and `body`; a request has one body")
        return self

    def texts(self) -> Iterator[str]:
        """List every text that may hold placeholders."""
        yield from self.compute.values()
        yield self.path
        yield from self.headers.values()
        yield from (text for pair in self.form or () for text in pair)
        yield self.body or ""


def _names(text: str) -> set[str]:
    return set(names_in(text))


class Lines(_Part):
    """How to count lines in the reply of a step: by matches of a pattern.

    Attributes:
        step: Where to look.
        in_use: Fits once for each line with a call.
        blocked: Fits once for each line that is blocked.
    """

    step: Step
    in_use: Pattern
    blocked: Pattern | None = None


class Recipe(_Part):
    """How to talk to one kind of device.

    Attributes:
        summary: One sentence.
        encoding: Of form fields, and of replies that name none.
        form_safe: Characters that are not percent-encoded in forms.
        auth: `digest` answers HTTP Digest challenges with user and password; `basic` sends them
            with each request of the session.
        settings: What the user may set, with its default.
        probe: Tells whether the device is up; it logs nobody in.
        identify: Shows the serial number (capture `serial`) without a login; perhaps `uptime` or
            `boots`, too.
        uptime: Shows, logged in, for how long the device has run (capture `uptime`) or how often it
            has started (capture `boots`): proves a restart.
        session: A page that only a logged-in session can see; proves that old cookies die.
        lines: Counts calls and blocked lines, logged in.
        login: Steps that log in; the last one proves it.
        act: Steps that restart; the last one is the act itself.
        logout: Ways to log out, tried in turn until one works.
    """

    summary: str
    encoding: str = "utf-8"
    form_safe: str = ""
    auth: Literal["none", "digest", "basic"] = "none"
    settings: dict[str, str] = Field(default_factory=dict)
    probe: Step
    identify: Step | None = None
    uptime: Step | None = None
    session: Step | None = None
    lines: Lines | None = None
    login: tuple[Step, ...] = Field(min_length=1)
    act: tuple[Step, ...] = Field(min_length=1)
    logout: tuple[Step, ...] = ()

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str) -> str:
        try:
            "".encode(value)
        except LookupError:
            raise ValueError(f"{value!r} is not an encoding; use `utf-8` or `iso-8859-1`") from None
        return value

    @field_validator("settings")
    @classmethod
    def _named_like_placeholders(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if not NAME.fullmatch(name) or name in ALWAYS_KNOWN:
                raise ValueError(f"has the name `{name}`; letters, digits and `_` were expected")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        known = ALWAYS_KNOWN | set(self.settings)
        for step in self.steps():
            _check_texts(step, known)
            known |= {*step.capture, *step.compute}
        if self.uptime and not set(self.uptime.capture) & set(EVIDENCE):
            raise ValueError("`uptime` captures neither `uptime` nor `boots`, so proves nothing")
        if not any(rule.means == "ok" for rule in self.login[-1].rules):
            raise ValueError(
                'the last login step needs a rule that means "ok": it proves the login'
            )
        if any(
            rule.means == "ok" and not (rule.text or rule.cookie or rule.location)
            for rule in self.login[-1].rules
        ):
            raise ValueError("a login is proved by text, cookie or location, not by status alone")
        return self

    @property
    def can_prove(self) -> bool:
        """Whether a restart can be more than probable, if the device shows what is asked for."""
        counts = any(name in step.capture for step in self.steps() for name in EVIDENCE)
        in_words = any(rule.means == "ok" and rule.text for rule in self.act[-1].rules)
        return counts or (in_words and (self.session is not None or self.identify is not None))

    def steps(self) -> Iterator[Step]:
        """List all steps in the order in which they are sent."""
        yield self.probe
        if self.identify:
            yield self.identify
        yield from self.login
        if self.session:
            yield self.session
        if self.uptime:
            yield self.uptime
        if self.lines:
            yield self.lines.step
        yield from self.act
        yield from self.logout


def _check_texts(step: Step, known: set[str]) -> None:
    """Refuse what would be sent as it stands although it looks like a placeholder."""
    known = set(known)
    secret = {name for name, text in step.compute.items() if "password" in _names(text)}
    if secret & _names(step.path):
        raise ValueError(
            f"the step `{step.name}` has a path that holds what was made from the password, and "
            "paths are logged everywhere; use a form"
        )
    for number, text in enumerate(step.texts()):
        try:
            needed, functions = _names(text), set(functions_in(text))
        except TemplateError as error:
            raise ValueError(f"the step `{step.name}` {error}") from None
        for name in sorted(needed - known):
            raise ValueError(
                f"the step `{step.name}` uses `{{{name}}}`, which no setting and no "
                "earlier step gives"
            )
        for name in sorted(functions):
            if find_function(name) is None:
                raise ValueError(
                    f"the step `{step.name}` uses the function `{name}`, which is not known; "
                    + nearest(name, function_names())
                )
        if number < len(step.compute):
            known.add(list(step.compute)[number])


def sends_password(step: Step, recipe: Recipe) -> bool:
    """Tell whether a step sends the password: otherwise its reply says nothing about it."""
    return recipe.auth != "none" or any("password" in _names(text) for text in step.texts())


def recipe_names() -> list[str]:
    """List the recipes that come with bootwatch."""
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in resources.files("bootwatch").joinpath("recipes").iterdir()
        if entry.name.endswith(".toml")
    )


def load_recipe(name: str, *, folder: Path) -> Recipe:
    """Read and check a recipe.

    Args:
        name: One of `recipe_names()`, or the path of a file that ends in `.toml`.
        folder: Where relative paths start.

    Raises:
        ConfigError: There is no such recipe, or it has mistakes: all of them.
    """
    return parse_recipe(recipe_text(name, folder=folder))


def recipe_text(name: str, *, folder: Path) -> str:
    """Return a recipe as it stands in its file.

    Raises:
        ConfigError: There is no such recipe, or its file cannot be read or trusted.
    """
    if name.endswith(".toml"):
        danger = why_not_trusted(folder / name)
        if danger:
            raise ConfigError(f"is a file that {danger}")
        try:
            return (folder / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"is a file that cannot be read: {error}") from None
    if name in recipe_names():
        return resources.files("bootwatch").joinpath("recipes", f"{name}.toml").read_text("utf-8")
    hint = nearest(name, recipe_names())
    raise ConfigError(f"is {name!r}, which is not a known recipe; {hint}")


def parse_recipe(text: str) -> Recipe:
    """Check a recipe.

    Raises:
        ConfigError: It is not TOML, or it has mistakes: all of them.
    """
    try:
        raw: dict[str, Any] = tomllib.loads(text)
        return Recipe.model_validate(raw)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"is not TOML: {error}") from None
    except ValidationError as error:
        raise ConfigError(
            "has mistakes: "
            + "; ".join(
                f"{'.'.join(str(part) for part in one['loc'])} "
                f"{one['msg'].removeprefix('Value error, ')}".strip()
                for one in error.errors(include_url=False)
            )
        ) from None
