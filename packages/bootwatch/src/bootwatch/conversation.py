"""One conversation with a device: sends the steps of a recipe and reads what the replies mean.

Cookies live in this object only, all of them, by name. Redirects are not followed, proxies and
`.netrc` are not used, and a reply must come whole, within a time and a size: a device that drips
one byte a second for ever is silent, too.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self
from urllib.parse import quote_plus, urlsplit

from bootwatch.clock import Deadline
from bootwatch.errors import ConfigError, SilentError
from bootwatch.passwords import MASK
from bootwatch.replies import LARGEST_REPLY, Raw, Reply, set_cookies, understand
from bootwatch.templates import Evaluate, as_it_is, escape_for, escape_path, fill
from bootwatch.tls import make_context, tls_error

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx2
    from pydantic import SecretStr

    from bootwatch.config import Device
    from bootwatch.recipe import Recipe, Step

FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Request:
    """One request, ready to be sent or shown."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes | None


def build_request(
    step: Step,
    recipe: Recipe,
    *,
    url: str,
    values: dict[str, str],
    evaluate: Evaluate | None = None,
) -> Request:
    """Fill in the placeholders of a step.

    Args:
        step: The step.
        recipe: The recipe it belongs to.
        url: Scheme, host and port of the device.
        values: What the placeholders stand for; what the step computes is added to them.
        evaluate: See `bootwatch.templates.fill`.

    Raises:
        ConfigError: A value has letters that the recipe's encoding lacks.
        UnprovedError: A placeholder has no value.
    """

    def filled(text: str, escape: Callable[[str, str], str] = as_it_is) -> str:
        return fill(text, values, escape, encoding=recipe.encoding, evaluate=evaluate)

    def in_form(value: str, _before: str = "") -> str:
        return quote_plus(value, safe=recipe.form_safe, encoding=recipe.encoding, errors="strict")

    def form_text(text: str) -> str:
        return in_form(filled(text, escape_for(text, "", encoding=recipe.encoding)))

    try:
        for name, text in step.compute.items():
            values[name] = filled(text)
        path = filled(step.path, escape_path(recipe.encoding))
        headers = {name: filled(text) for name, text in step.headers.items()}
        body = None
        if step.form is not None:
            pairs = [f"{form_text(name)}={form_text(text)}" for name, text in step.form]
            body = "&".join(pairs).encode("ascii")
            headers = {"Content-Type": FORM, **headers}
        elif step.body is not None:
            kind = next(
                (one for name, one in headers.items() if name.lower() == "content-type"), ""
            )
            escape = escape_for(step.body, kind, encoding=recipe.encoding)
            if FORM in kind.lower():
                escape = in_form
            body = filled(step.body, escape).encode(recipe.encoding)
    except UnicodeEncodeError:
        raise ConfigError(
            f"The step `{step.name}` needs a letter that {recipe.encoding} does not have; "
            "this device can only take user names and passwords without it"
        ) from None
    return Request(step.method, url + path, headers, body)


def masked_values(device: Device, recipe: Recipe) -> dict[str, str]:
    """Return the values for `bootwatch plan`.

    The password is masked, and what only a reply or a computation gives stands as `<name>`.
    """
    named = {
        name: f"<{name}>" for step in recipe.steps() for name in (*step.capture, *step.compute)
    }
    return {**named, **_values(device, recipe), "password": MASK}


def _values(device: Device, recipe: Recipe) -> dict[str, str]:
    parts = urlsplit(device.url)
    here = {"host": parts.netloc, "origin": device.url}
    return {**recipe.settings, **device.settings, "user": device.user, **here}


class Conversation:
    """Talks to one device. Used as a context manager; leaving it closes the connections.

    Args:
        device: The device's part of the configuration.
        recipe: Its recipe.
        password: Its password.
        pin: Fingerprint of its certificate, if one is stored.
        folder: Where relative paths of the configuration start.
        note: Called with one sentence for each request and reply.

    Attributes:
        cookies: Those of the session, by name.
        captured: What replies gave so far, by name.
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
        self._handed_out: frozenset[str] = frozenset()  # cookies of those who did not log in
        self._device, self._recipe, self._password, self._note = device, recipe, password, note
        # Plain HTTP needs no TLS: then nobody is trusted, and no authorities are loaded.
        plain = device.url.startswith("http:")
        self._context = (
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            if plain
            else make_context(
                pin=pin,
                ca=None if device.ca is None else folder / device.ca,
                old=device.allow_old_tls,
            )
        )
        self._auth: httpx2.Auth | None = None
        self.forget()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def forget(self) -> None:
        """Drop cookies, captures and digest challenge: the session is over."""
        import httpx2

        from bootwatch.network import BoundedTransport

        if hasattr(self, "_client"):
            self._client.close()
        self.cookies, self.captured, self._login_sent = {}, {}, False
        if self._recipe.auth != "none":
            # One object for the whole session: it answers later requests without a new
            # challenge, as every challenge counts as a failed try on some devices.
            method = httpx2.DigestAuth if self._recipe.auth == "digest" else httpx2.BasicAuth
            self._auth = method(self._device.user, self._password.get_secret_value())
        self._transport = BoundedTransport(self._context)
        self._client = httpx2.Client(
            transport=self._transport,
            trust_env=False,
            follow_redirects=False,
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
            UnprovedError: A value is missing, so that nothing was sent; or the reply cannot be
                read in reasonable time.
            ConfigError: The request cannot be built.
        """
        request, values = self._build(step)
        self.captured |= {name: values[name] for name in step.compute}
        limit = min(self._device.timeout, timeout or self._device.timeout)
        raw = self._exchange(
            request,
            cookies=self.cookies if cookies is None else cookies,
            keep=cookies is None,
            limit=limit,
        )
        reply = understand(
            raw, step, self._recipe, url=self._device.url, handed_out=self._handed_out
        )
        self._login_sent |= cookies is None and step is self._recipe.login[-1]
        if not cookies and not (cookies is None and self._login_sent):
            self._handed_out |= set(raw.new_cookies)
        if cookies is None:  # what an earlier step gave by the same name is out of date
            for name in step.capture:
                self.captured.pop(name, None)
        self.captured |= reply.captured
        self._note(
            f"{step.name}: {request.method} {step.path} gave {reply.status}, so {reply.means}"
        )
        return reply

    def check(self, step: Step) -> None:
        """Make sure that a step can be sent, without sending it.

        Raises:
            UnprovedError, ConfigError: As `send`.
        """
        self._build(step)

    def _build(self, step: Step) -> tuple[Request, dict[str, str]]:
        values = {**_values(self._device, self._recipe), **self.captured}
        values["password"] = self._password.get_secret_value()
        return build_request(step, self._recipe, url=self._device.url, values=values), values

    def _exchange(
        self, request: Request, *, cookies: dict[str, str], keep: bool, limit: float
    ) -> Raw:
        import httpx2

        headers = dict(request.headers)
        if cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        self._transport.limit = Deadline(limit)
        began = False
        try:
            with self._client.stream(
                request.method,
                request.url,
                headers={name.encode(): text.encode() for name, text in headers.items()},
                content=request.body,
                timeout=limit,
                auth=self._auth if keep else None,
            ) as response:
                began = True
                found = set_cookies(response.headers)
                new = {
                    name: value
                    for name, value in found.items()
                    if value and value != cookies.get(name)
                }
                if keep:  # at once: a reply that breaks off may have opened a session already
                    self.cookies = {
                        name: value for name, value in {**self.cookies, **found}.items() if value
                    }
                data = b""
                for part in response.iter_raw():
                    data += part
                    if self._transport.limit.over or len(data) > LARGEST_REPLY:
                        raise _endless(limit)
                return Raw(response.status_code, response.headers, data, new, self._transport.peer)
        except httpx2.TransportError as error:
            if began and isinstance(error, httpx2.TimeoutException):
                raise _endless(limit) from None
            raise self._silence(error, limit) from None
        finally:
            self._client.cookies.clear()  # ours are the only ones

    def _silence(self, error: httpx2.TransportError, limit: float) -> SilentError:
        import httpx2

        trust = tls_error(error, url=self._device.url)
        if trust is not None:
            return trust
        if isinstance(error, httpx2.ConnectError):
            return SilentError("connect", f"No connection: {error}")
        if isinstance(error, httpx2.TimeoutException):
            return SilentError("timeout", f"No answer within {limit:g} s")
        return SilentError("half-reply", f"The connection ended before the reply did: {error}")


def _endless(limit: float) -> SilentError:
    return SilentError("endless", f"The reply did not end within {limit:g} s or was too long")
