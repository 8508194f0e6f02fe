"""What a reply says: its text, what a recipe captures from it, and what it means by its rules."""

from __future__ import annotations

import html
import json
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from bootwatch.patterns import fits, search
from bootwatch.plain_text import without_controls

if TYPE_CHECKING:
    import httpx2

    from bootwatch.recipe import Capture, Means, Recipe, Rule, Step

LARGEST_REPLY = 4 << 20  # bytes; the pages of these devices have a few thousand
PERMANENT = {301, 308}  # the page has moved: that says nothing about a password
PASSING = {408, 425, 426, 429, *range(500, 600)}  # try again later, or otherwise: nor does that
GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS  # zlib finds out itself which of the two it is


@dataclass(frozen=True)
class Reply:
    """What came back, and what it means by the step's rules.

    Attributes:
        status: The HTTP status.
        text: The body.
        means: What it means.
        explicit: A rule says so, and the reply is not one that only asks for patience. Otherwise
            it is a guess, good enough to stop at, but not to remember.
        by_text: A rule says so because of the text.
        captured: What the step's captures found.
        location: The `Location` header; path and query only where it leads to the same device.
    """

    status: int
    text: str
    means: Means
    explicit: bool = False
    by_text: bool = False
    captured: dict[str, str] = field(default_factory=dict)
    location: str = ""

    @property
    def moved(self) -> bool:
        """Whether it sends its visitors to another scheme, host or port."""
        elsewhere = self.location.startswith(("http://", "https://"))
        return elsewhere and 300 <= self.status < 400  # noqa: PLR2004


@dataclass(frozen=True)
class Raw:
    """A reply before anybody has understood it.

    Attributes:
        status: The HTTP status.
        headers: All headers.
        body: The body, still compressed if it came so.
        new_cookies: Names of the cookies that it sets to a value they did not have before.
        peer: The address that it came from; devices redirect to it although they have a name.
    """

    status: int
    headers: httpx2.Headers
    body: bytes
    new_cookies: dict[str, str]
    peer: str = ""


def understand(
    raw: Raw, step: Step, recipe: Recipe, *, url: str, handed_out: frozenset[str]
) -> Reply:
    """Read a reply by the rules of its step.

    Args:
        raw: The reply.
        step: What was sent.
        recipe: The recipe it belongs to.
        url: Scheme, host and port of the device.
        handed_out: Names of cookies that the device gives to those who have not logged in.

    Raises:
        UnprovedError: A pattern took too long on it.
    """
    text = decode(raw.body, raw.headers, recipe.encoding)
    location = _local(raw, url=url, path=step.path)
    later = raw.status in PERMANENT | PASSING or "retry-after" in raw.headers
    captured = {}
    for name, capture in step.capture.items():
        value = _captured(capture, raw, text=text, location=location)
        cleaned = without_controls(value or "")
        if cleaned:  # an empty token is none: it would be sent, and the device would refuse it
            captured[name] = cleaned
    for rule in step.rules:
        if _rule_fits(rule, raw, text=text, location=location, handed_out=handed_out):
            passing = later and rule.means == "refused"
            return Reply(
                status=raw.status,
                text=text,
                means="failed" if passing else rule.means,
                explicit=not passing,
                by_text=rule.text is not None,
                captured=captured,
                location=location,
            )
    return Reply(raw.status, text, step.otherwise, captured=captured, location=location)


def _rule_fits(
    rule: Rule, raw: Raw, *, text: str, location: str, handed_out: frozenset[str]
) -> bool:
    cookies = set(raw.new_cookies)
    if rule.text is None and rule.location is None:
        cookies -= handed_out
    return (
        (rule.status is None or raw.status in rule.status)
        and (rule.text is None or bool(search(rule.text, text)))
        and (rule.location is None or bool(search(rule.location, location)))
        and (rule.cookie is None or any(fits(rule.cookie, name) for name in cookies))
    )


def _captured(capture: Capture, raw: Raw, *, text: str, location: str) -> str | None:
    if capture.cookie is not None:
        return raw.new_cookies.get(capture.cookie)
    if capture.header is not None:
        source, pattern = raw.headers.get(capture.header), capture.pattern
        if source is None or pattern is None:
            return source
    elif capture.location is not None:
        source, pattern = location, capture.location
    else:
        source, pattern = text, str(capture.text)
    found = search(pattern, source)
    value = found and (found[1] if found.re.groups else found[0])
    return value and (_unescaped(value, text) if source is text else value)


def _unescaped(value: str, text: str) -> str:
    """Turn a value into what it stands for where it was found: in JSON, or in a page."""
    if not text.lstrip().startswith(("{", "[")):
        return html.unescape(value)
    try:
        return str(json.loads(f'"{value}"', strict=False))
    except ValueError:  # a number, or a piece of the text with quotation marks in it
        return value


def _local(raw: Raw, *, url: str, path: str) -> str:
    """Reduce a `Location` to path and query, where it leads to the same scheme, host and port."""
    location, own = raw.headers.get("location", ""), urlsplit(url)
    if not location:
        return ""
    try:
        target = urlsplit(urljoin(url + path, location))
        same_place = (target.scheme, _port(target)) == (own.scheme, _port(own))
        same = same_place and target.hostname in {own.hostname, raw.peer}
    except ValueError:  # not a URL at all
        return location
    if not same:
        return target.geturl()
    return (target.path or "/") + (f"?{target.query}" if target.query else "")


def _port(parts: object) -> int:
    return getattr(parts, "port", None) or (443 if getattr(parts, "scheme", "") == "https" else 80)


def decode(body: bytes, headers: httpx2.Headers, encoding: str) -> str:
    """Turn a body into text, decompressed first: some devices compress although asked not to."""
    packed = headers.get("content-encoding", "").lower() in {"gzip", "x-gzip", "deflate"}
    if packed or body.startswith(b"\x1f\x8b"):
        body = _decompressed(body)
    kind = headers.get("content-type", "").lower()
    _, found, charset = kind.partition("charset=")
    charset = charset.split(";")[0].strip(" \"'") if found else encoding
    try:
        return body.decode(charset, errors="replace")
    except LookupError:  # the device names an encoding that nobody knows
        return body.decode("iso-8859-1")


def _decompressed(body: bytes) -> bytes:
    for form in (GZIP_OR_ZLIB, -zlib.MAX_WBITS):  # the latter is `deflate` without its frame
        try:
            return zlib.decompressobj(form).decompress(body, LARGEST_REPLY)
        except zlib.error:
            continue
    return body


def set_cookies(headers: httpx2.Headers) -> dict[str, str]:
    """List the cookies that a reply sets, an empty text for those that it takes back."""
    cookies = {}
    for line in headers.get_list("set-cookie"):
        first, *attributes = line.split(";")
        name, _, value = first.strip().partition("=")
        ended = value.strip('"').lower() in {"", "deleted"} or any(map(_ends_it, attributes))
        cookies[name] = "" if ended else value
    return cookies


def _ends_it(attribute: str) -> bool:
    name, _, value = attribute.strip().lower().partition("=")
    if name == "max-age":
        return value.strip(' "').lstrip("-") == "0" or value.strip(' "').startswith("-")
    if name == "expires":
        import email.utils

        try:
            # Not compared with our clock: the device's own may be years behind.
            return email.utils.parsedate_to_datetime(value).year < 2000  # noqa: PLR2004
        except ValueError:
            return False
    return False
