"""The configuration: TOML, checked whole, every mistake reported at once by its path."""

import re
import tomllib
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from bootwatch.durations import Duration
from bootwatch.errors import ConfigError
from bootwatch.passwords import PasswordSource
from bootwatch.permissions import why_not_trusted
from bootwatch.recipe import Recipe, load_recipe
from bootwatch.suggestions import nearest

EXPECTED_URL = "was expected as `http://HOST` or `https://HOST`, with a port at most"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Verify(_Section):
    """How a restart is proved.

    Attributes:
        sip: `host:port` that must answer SIP OPTIONS afterwards, or nothing.
        stable_for: Seconds without a failed probe until the device counts as back.
        down_within: Seconds in which it must go down.
        deadline: Seconds, counted from the request to restart, until it must be back. It bounds
            `down_within`, too.
        poll: Seconds between two probes.
    """

    sip: str | None = Field(default=None, pattern=r"^[^:\s]+:\d{1,5}$")
    stable_for: Duration = 30.0
    down_within: Duration = 120.0
    deadline: Duration = 600.0
    poll: Duration = 1.0

    @model_validator(mode="after")
    def _can_be_met(self) -> Self:
        if self.stable_for >= self.deadline:
            raise PydanticCustomError(
                "verify", "has a `stable_for` that does not fit into its `deadline`; shorten it"
            )
        return self


class Guard(_Section):
    """When calls forbid a restart.

    Attributes:
        samples: Looks in a row that must find no call. At least 1.
        every: Seconds between two looks.
        wait: Seconds to wait for calls to end; 0 gives up at once.
    """

    samples: int = Field(default=3, ge=1)
    every: Duration = 2.0
    wait: Duration = 0.0


class Limits(_Section):
    """What keeps a mistake from becoming a reboot loop.

    Attributes:
        min_interval: Seconds between two restarts.
        per_day: Restarts within 24 hours. At least 1.
        failures: After so many restarts in a row without success, none is made any more. At
            least 1.
    """

    min_interval: Duration = 6 * 3600.0
    per_day: int = Field(default=2, ge=1)
    failures: int = Field(default=3, ge=1)


Probe = Literal["sip", "register", "web", "command"]


class Watch(_Section):
    """What `bootwatch watch` looks at, and when it restarts the device.

    Attributes:
        every: Seconds between two rounds of probes.
        failures: Failed rounds in a row that lead to a restart. At least 1. A round has failed if
            one of its probes has.
        probes: What is asked: SIP OPTIONS, the SIP registrar, the web page, a command. By default
            SIP where `verify.sip` is given, and the web page otherwise.
        command: Program and arguments; exit status 0 says that all is well.
        restart: Whether to restart at all, or only to keep the history.
    """

    every: Duration = 60.0
    failures: int = Field(default=5, ge=1)
    probes: tuple[Probe, ...] = ()
    command: tuple[str, ...] = ()
    restart: bool = True

    @model_validator(mode="after")
    def _has_its_command(self) -> Self:
        if ("command" in self.probes) != bool(self.command):
            raise PydanticCustomError(
                "watch", 'needs both or neither: "command" among its `probes`, and `command`'
            )
        return self


class Notify(_Section):
    """Whom to tell.

    Attributes:
        urls: Where to send a message, as apprise writes them; or where such a URL stands, as it
            often holds a secret.
        success: Send one after a confirmed restart, too.
        textfile: File for Prometheus' textfile collector, relative to the state folder.
        heartbeat: URL that is fetched after each good night and each good probe; or where it
            stands. A service behind it raises the alarm when nothing comes any more.
    """

    urls: tuple[str | PasswordSource, ...] = ()
    success: bool = False
    textfile: str | None = None
    heartbeat: str | PasswordSource | None = None

    def credentials(self) -> list[str]:
        """List the credentials of systemd that hold URLs."""
        sources = [*self.urls, self.heartbeat]
        return [
            one.credential for one in sources if isinstance(one, PasswordSource) and one.credential
        ]


class Device(_Section):
    """One device.

    Attributes:
        recipe: Name of a recipe that comes with bootwatch, or path of a file.
        allow_plain_http: The word without which plain HTTP is refused.
        url: Scheme, host and port; no path, no password.
        user: Name to log in with.
        password: Where the password stands.
        settings: Values for what the recipe leaves open.
        serial: Serial number that the device must show, if it shows any.
        ca: File with the certificate authority that signed the device's certificate.
        allow_old_tls: Without this, TLS before 1.2 is refused. Needs a pinned certificate.
        timeout: Seconds until a request is given up.
        pause: Seconds before the request to restart; the recipe's own pause if not given.
    """

    recipe: str
    allow_plain_http: bool = False
    url: str
    user: str = "admin"
    password: PasswordSource
    settings: dict[str, str] = Field(default_factory=dict)
    serial: str | None = None
    ca: str | None = None
    allow_old_tls: bool = False
    timeout: Duration = 10.0
    pause: Duration | None = None
    verify: Verify = Field(default_factory=Verify)
    guard: Guard = Field(default_factory=Guard)
    limits: Limits = Field(default_factory=Limits)
    watch: Watch = Field(default_factory=Watch)
    notify: Notify = Field(default_factory=Notify)

    @model_validator(mode="after")
    def _knows_where_sip_is(self) -> Self:
        if self.verify.sip is None and {"sip", "register"} & set(self.watch.probes):
            raise PydanticCustomError(
                "watch", "has `watch.probes` that ask SIP, but no `verify.sip` that says where"
            )
        return self

    @property
    def watched(self) -> tuple[Probe, ...]:
        """What `watch` asks."""
        return self.watch.probes or (("web",) if self.verify.sip is None else ("sip",))

    @field_validator("recipe")
    @classmethod
    def _known_recipe(cls, value: str, info: ValidationInfo) -> str:
        try:
            load_recipe(value, folder=_folder(info))
        except ConfigError as error:
            raise PydanticCustomError("recipe", "{why}", {"why": str(error)}) from None
        return value

    @field_validator("url")
    @classmethod
    def _safe_url(cls, value: str, info: ValidationInfo) -> str:
        try:
            parts = urlsplit(value)
            usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        except ValueError:
            raise PydanticCustomError("url", EXPECTED_URL) from None
        if parts.username or parts.password:
            raise PydanticCustomError(
                "url", "holds a user or a password; write them as `user` and `password`"
            )
        if not usable or parts.path not in {"", "/"} or parts.query or parts.fragment:
            raise PydanticCustomError("url", EXPECTED_URL)
        if parts.scheme == "http" and not info.data.get("allow_plain_http"):
            raise PydanticCustomError(
                "plain_http",
                "is plain HTTP, where everyone on the way can read the password; use https, or "
                "accept that by `allow_plain_http = true`",
            )
        return value.rstrip("/")

    @field_validator("settings")
    @classmethod
    def _known_settings(cls, value: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        if "recipe" not in info.data:
            return value
        known = load_recipe(info.data["recipe"], folder=_folder(info)).settings
        for name in value:
            if name not in known:
                raise PydanticCustomError(
                    "setting",
                    "has no `{name}` in this recipe; {hint}",
                    {"name": name, "hint": nearest(name, sorted(known))},
                )
        return value


def _folder(info: ValidationInfo) -> Path:
    """Return the configuration's folder, where relative paths start."""
    return info.context["folder"] if info.context else Path()


_DeviceName = re.compile(r"[A-Za-z0-9_-]+")


class Config(_Section):
    """The whole file. `folder` is where it lies; relative paths start there."""

    devices: dict[str, Device] = Field(min_length=1)
    folder: Path = Field(default=Path(), exclude=True)

    def device(self, name: str) -> Device:
        """Return a device by its name.

        Raises:
            ConfigError: There is none of that name.
        """
        if name not in self.devices:
            hint = nearest(name, sorted(self.devices))
            raise ConfigError(f"The device `{name}` is not in the configuration; {hint}")
        return self.devices[name]

    def recipe(self, name: str) -> Recipe:
        """Return the recipe of a device."""
        return load_recipe(self.device(name).recipe, folder=self.folder)


_SECTIONS: dict[str, type[BaseModel]] = {
    "verify": Verify,
    "guard": Guard,
    "limits": Limits,
    "watch": Watch,
    "notify": Notify,
    "password": PasswordSource,
}
_DEPTH_OF_DEVICE = 3  # devices, its name, the key
_OURS = {  # the mistakes whose message starts with a verb of its own
    "duration",
    "password_in_file",
    "password_source",
    "plain_http",
    "recipe",
    "setting",
    "url",
    "verify",
    "watch",
}


def load_config(path: Path) -> Config:
    """Read and check a configuration.

    Args:
        path: A TOML file.

    Raises:
        ConfigError: With every mistake that was found, each by its path in the file.
    """
    danger = why_not_trusted(path)
    if danger:
        raise ConfigError(f"The configuration `{path}` {danger}")
    try:
        raw: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"The configuration `{path}` cannot be read ({error.strerror}); write one, "
            "or say where it is by `--config`"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"The configuration `{path}` is not TOML: {error}") from None
    folder = path.resolve().parent
    mistakes = [
        f"`devices.{name}` is not a name; use letters, digits, `-` and `_`"
        for name in _names(raw)
        if not _DeviceName.fullmatch(name)
    ]
    if "folder" in raw:
        mistakes.append("`folder` is not a known key; known is `devices`")
    try:
        config = Config.model_validate({**raw, "folder": folder}, context={"folder": folder})
    except ValidationError as error:
        mistakes += [_sentence(one) for one in error.errors(include_url=False)]
    else:
        if not mistakes:
            return config
    raise ConfigError(*mistakes)


def _names(raw: dict[str, Any]) -> list[str]:
    devices = raw.get("devices")
    return list(devices) if isinstance(devices, dict) else []


def _sentence(error: ErrorDetails) -> str:
    """Say one mistake. What was written is left out: it may be a password."""
    place = [str(part) for part in error["loc"]]
    path = "`" + ".".join(place) + "`"
    if error["type"] == "missing":
        return f"{path} is missing"
    if error["type"] == "extra_forbidden":
        if len(place) == 1:
            known: list[str] = ["devices"]
        elif len(place) == _DEPTH_OF_DEVICE:
            known = sorted(Device.model_fields)
        else:  # the last known section above it; the parts of a URL's source stand deeper
            above = [one for one in place if one in _SECTIONS]
            section = PasswordSource if "PasswordSource" in place else _SECTIONS[above[-1]]
            known = sorted(section.model_fields)
        return f"{path} is not a known key; {nearest(place[-1], known)}"
    message = error["msg"]
    return f"{path} {message}" if error["type"] in _OURS else f"{path}: {message}"
