"""One conversation with a device: sends the steps of a recipe and reads what the replies mean.

Cookies live in this object only, all of them, by name. Redirects are not followed, proxies and
`.netrc` are not used, and a reply must come whole, within a time and a size: a device that drips
one byte a second for ever is silent, too.
"""

from __future__ import annotations

import re
import ssl
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self
from urllib.parse import quote, quote_plus, urlsplit

from bootwatch.errors import ConfigError, SilentError
from bootwatch.passwords import MASK
from bootwatch.recipe import PLACEHOLDER
from bootwatch.tls import certificate_error, make_context

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx2
    from pydantic import SecretStr

    from bootwatch.config import Device
    from bootwatch.recipe import Means, Recipe, Step

LARGEST_REPLY = 4 << 20  # bytes; the pages of these devices have a few thousand
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Request:
    """One request, ready to be sent or shown."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes | None


@dataclass(frozen=True)
class Reply:
    """What came back, and what it means by the step's rules."""

    status: int
    text: str
    means: Means
    captured: dict[str, str] = field(default_factory=dict)


def build_request(step: Step, recipe: Recipe, *, url: str, values: dict[str, str]) -> Request:
    """Fill in the placeholders of a step.

    Args:
        step: The step.
        recipe: The recipe it belongs to.
        url: Scheme, host and port of the device.
        values: What the placeholders stand for.

    Raises:
        ConfigError: A value has letters that the recipe's encoding lacks.
    """
    try:
        path = _fill(step.path, values, lambda text: quote(text, safe="", encoding=recipe.encoding))
        headers = {name: _fill(text, values) for name, text in step.headers.items()}
        body = None
        if step.form is not None:
            pairs = [
                f"{_quote(name, recipe)}={_quote(_fill(text, values), recipe)}"
                for name, text in step.form
            ]
            body = "&".join(pairs).encode("ascii")
            headers = {"Content-Type": FORM, **headers}
        elif step.body is not None:
            body = _fill(step.body, values).encode(recipe.encoding)
    except UnicodeEncodeError:
        raise ConfigError(
            f"The step `{step.name}` needs a letter that {recipe.encoding} does not have; "
            "this device can only take user names and passwords without it"
        ) from None
    return Request(step.method, url + path, headers, body)


def _quote(text: str, recipe: Recipe) -> str:
    return quote_plus(text, safe=recipe.form_safe, encoding=recipe.encoding, errors="strict")


def _fill(text: str, values: dict[str, str], change: Callable[[str], str] = str) -> str:
    return PLACEHOLDER.sub(lambda found: change(values.get(found[1], f"<{found[1]}>")), text)


def masked_values(device: Device, recipe: Recipe) -> dict[str, str]:
    """Return the values for `bootwatch plan`: all that is known, the password masked."""
    return {**_values(device, recipe), "password": MASK}


def _values(device: Device, recipe: Recipe) -> dict[str, str]:
    host = urlsplit(device.url).hostname or ""
    return {**recipe.settings, **device.settings, "user": device.user, "host": host}


class Conversation:
    """Talks to one device. Used as a context manager; leaving it closes the connections.

    Args:
        device: The device's part of the configuration.
        recipe: Its recipe.
        password: Its password.
        pin: Fingerprint of its certificate, if one is stored.
        folder: Where relative paths of the configuration start.
        note: Called with one sentence for each request and reply.
    """

    def __init__(
        self,
        device: Device,
        recipe: Recipe,
        *,
        password: SecretStr,
        pin: str | None,
        folder: Path,
        note: Callable[[str], None],
    ) -> None:
        self.cookies: dict[str, str] = {}
        self.captured: dict[str, str] = {}
        self._device, self._recipe, self._password, self._note = device, recipe, password, note
        # Plain HTTP needs no TLS: then nobody is trusted, and no authorities are loaded.
        plain = device.url.startswith("http:")
        self._context = (
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            if plain
            else make_context(pin=pin, ca=None if device.ca is None else folder / device.ca)
        )
        self._auth: httpx2.Auth | None = None
        self.forget()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def forget(self) -> None:
        """Drop cookies, digest challenge and connections: the session is over."""
        import httpx2

        if hasattr(self, "_client"):
            self._client.close()
        self.cookies = {}
        if self._recipe.auth == "digest":
            # One object for the whole session: it answers later requests without a new
            # challenge, as every challenge counts as a failed try on some devices.
            self._auth = httpx2.DigestAuth(self._device.user, self._password.get_secret_value())
        self._client = httpx2.Client(
            verify=self._context,
            trust_env=False,
            follow_redirects=False,
            timeout=self._device.timeout,
            headers={"User-Agent": "bootwatch", "Accept-Encoding": "identity"},
        )

    def send(
        self, step: Step, *, cookies: dict[str, str] | None = None, timeout: float | None = None
    ) -> Reply:
        """Send one step.

        Args:
            step: What to send.
            cookies: Sent instead of this session's. The request then stands outside of the
                session: it carries no password, and the cookies that come back are not kept.
            timeout: Seconds for the whole exchange, at most the device's `timeout`.

        Raises:
            SilentError: No whole reply came in time.
            ConfigError: The request cannot be built.
        """
        values = {
            **_values(self._device, self._recipe),
            **self.captured,
            "password": self._password.get_secret_value(),
        }
        request = build_request(step, self._recipe, url=self._device.url, values=values)
        limit = min(self._device.timeout, timeout or self._device.timeout)
        status, headers, text = self._exchange(
            request,
            cookies=self.cookies if cookies is None else cookies,
            keep=cookies is None,
            limit=limit,
        )
        captured = {}
        for name, pattern in step.capture.items():
            found = re.search(pattern, text)
            if found:
                captured[name] = found[1]
        self.captured |= captured
        means = self._meaning(step, status, headers.get("location", ""), text)
        self._note(f"{step.name}: {request.method} {step.path} gave {status}, so {means}")
        return Reply(status, text, means, captured)

    def _exchange(
        self, request: Request, *, cookies: dict[str, str], keep: bool, limit: float
    ) -> tuple[int, httpx2.Headers, str]:
        import httpx2

        headers = dict(request.headers)
        if cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        end = time.monotonic() + limit
        try:
            with self._client.stream(
                request.method,
                request.url,
                headers=headers,
                content=request.body,
                timeout=limit,
                auth=self._auth if keep else None,
            ) as response:
                if keep:  # at once: a reply that breaks off may have opened a session already
                    self._keep_cookies(response.headers)
                data = b""
                for part in response.iter_raw():
                    data += part
                    if time.monotonic() > end or len(data) > LARGEST_REPLY:
                        raise SilentError(
                            "endless", f"The reply did not end within {limit:g} s or was too long"
                        )
                charset = response.charset_encoding or self._recipe.encoding
                return response.status_code, response.headers, _decode(data, charset)
        except httpx2.TransportError as error:
            raise certificate_error(error) or _silence(error, limit) from None
        finally:
            self._client.cookies.clear()  # ours are the only ones

    def _keep_cookies(self, headers: httpx2.Headers) -> None:
        for line in headers.get_list("set-cookie"):
            first, *attributes = line.split(";")
            name, _, value = first.strip().partition("=")
            if not value or any(one.strip().lower() == "max-age=0" for one in attributes):
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value

    def _meaning(self, step: Step, status: int, location: str, text: str) -> Means:
        for rule in step.rules:
            if (
                (rule.status is None or status in rule.status)
                and (rule.text is None or re.search(rule.text, text))
                and (rule.location is None or re.search(rule.location, location))
                and (
                    rule.cookie is None
                    or any(re.fullmatch(rule.cookie, name) for name in self.cookies)
                )
            ):
                return rule.means
        return step.otherwise


def _decode(data: bytes, charset: str) -> str:
    try:
        return data.decode(charset, errors="replace")
    except LookupError:  # the device names an encoding that nobody knows
        return data.decode("iso-8859-1")


def _silence(error: httpx2.TransportError, limit: float) -> SilentError:
    import httpx2

    if isinstance(error, httpx2.ConnectError):
        return SilentError("connect", f"No connection: {error}")
    if isinstance(error, httpx2.TimeoutException):
        return SilentError("timeout", f"No answer within {limit:g} s")
    return SilentError("half-reply", f"The connection ended before the reply did: {error}")
