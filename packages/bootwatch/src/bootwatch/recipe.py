"""A recipe: how to talk to one kind of device, as data.

A recipe is a TOML file of steps. Each step is one HTTP request; texts in it may hold `{name}`,
which is replaced by the user, the password, a setting or what an earlier step captured. What the
reply means is told by the step's rules, the first that fits wins, and none of them may rest on
the HTTP status alone where a login is to be proved.
"""

import re
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
from bootwatch.suggestions import nearest

PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
ALWAYS_KNOWN = {"user", "password", "host"}

Means = Literal["ok", "refused", "busy", "locked", "failed"]
"""What a reply can mean. `failed` says that the request did not work for another reason."""


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"{text!r} is not a regular expression: {error}") from None
    return text


Pattern = Annotated[str, AfterValidator(_pattern)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(_Part):
    """What a reply means if all that is given here fits.

    Attributes:
        means: The meaning.
        status: HTTP statuses.
        text: Searched for in the body.
        location: Searched for in the `Location` header.
        cookie: Must fit the whole name of a cookie of this session.
    """

    means: Means
    status: tuple[int, ...] | None = None
    text: Pattern | None = None
    location: Pattern | None = None
    cookie: Pattern | None = None


class Step(_Part):
    """One request.

    Attributes:
        name: What a person calls it.
        method: `GET` or `POST`.
        path: Path and query; no password.
        form: Fields of a form, in order.
        body: A body as it is; not together with `form`.
        headers: Further headers; no password.
        pause: Seconds to wait before it.
        capture: Names for what the patterns' first group finds in the body.
        rules: What replies mean. Without any that fits, `otherwise` holds.
        otherwise: See above.
    """

    name: str
    method: Literal["GET", "POST"] = "GET"
    path: str = Field(pattern=r"^/")
    form: tuple[tuple[str, str], ...] | None = None
    body: str | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    pause: Duration = 0.0
    capture: dict[str, Pattern] = Field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    otherwise: Means = "failed"

    @field_validator("path")
    @classmethod
    def _no_password_in_path(cls, value: str) -> str:
        if "{password}" in value:
            raise ValueError("holds the password, and paths are logged everywhere; use a form")
        return value

    @field_validator("headers")
    @classmethod
    def _no_password_in_headers(cls, value: dict[str, str]) -> dict[str, str]:
        if any("{password}" in text for text in value.values()):
            raise ValueError('hold the password; use a form, or `auth = "digest"`')
        return value

    @model_validator(mode="after")
    def _one_body(self) -> Self:
        if self.form is not None and self.body is not None:
            raise ValueError("has both `form` and `body`; a request has one body")
        return self

    def texts(self) -> Iterator[str]:
        """List every text that may hold placeholders."""
        yield self.path
        yield from self.headers.values()
        yield from (value for _, value in self.form or ())
        yield self.body or ""


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
        auth: `digest` answers HTTP Digest challenges with user and password.
        settings: What the user may set, with its default.
        probe: Tells whether the device is up; it logs nobody in.
        identify: Shows the serial number (capture `serial`) without a login.
        session: A page that only a logged-in session can see; proves that old cookies die.
        lines: Counts calls and blocked lines, logged in.
        login: Steps that log in; the last one proves it.
        act: Steps that restart; the last one is the act itself.
        logout: Ways to log out, tried in turn until one works.
    """

    summary: str
    encoding: str = "utf-8"
    form_safe: str = ""
    auth: Literal["none", "digest"] = "none"
    settings: dict[str, str] = Field(default_factory=dict)
    probe: Step
    identify: Step | None = None
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

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        known = ALWAYS_KNOWN | set(self.settings)
        for step in self.steps():
            for text in step.texts():
                for name in PLACEHOLDER.findall(text):
                    if name not in known:
                        raise ValueError(
                            f"the step `{step.name}` uses `{{{name}}}`, which no setting and no "
                            "earlier step gives"
                        )
            known |= set(step.capture)
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

    def steps(self) -> Iterator[Step]:
        """List all steps in the order in which they are sent."""
        yield self.probe
        if self.identify:
            yield self.identify
        yield from self.login
        if self.session:
            yield self.session
        if self.lines:
            yield self.lines.step
        yield from self.act
        yield from self.logout


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
    if name.endswith(".toml"):
        try:
            text = (folder / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"is a file that cannot be read: {error}") from None
    elif name in recipe_names():
        text = resources.files("bootwatch").joinpath("recipes", f"{name}.toml").read_text("utf-8")
    else:
        hint = nearest(name, recipe_names())
        raise ConfigError(f"is {name!r}, which is not a known recipe; {hint}")
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
