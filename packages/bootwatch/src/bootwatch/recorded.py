"""Requests that a browser recorded: copied as curl commands, or saved as a HAR file.

Formats: curl's manual page; HAR 1.2 (W3C draft, "HTTP Archive").
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote_plus, urlsplit

from bootwatch.durations import parse_duration
from bootwatch.errors import ConfigError
from bootwatch.shell_words import is_for_windows, split_for_bash, split_for_windows

FORM = "application/x-www-form-urlencoded"
WITH_VALUE = {
    "-X": "request", "--request": "request", "-H": "header", "--header": "header",
    "-d": "data", "--data": "data", "--data-raw": "data", "--data-ascii": "data",
    "--data-binary": "data", "--data-urlencode": "encode", "--json": "json",
    "-u": "user", "--user": "user", "-A": "agent", "--user-agent": "agent",
    "-e": "referer", "--referer": "referer", "--url": "url", "-b": "cookie", "--cookie": "cookie",
    "-F": "multipart", "--form": "multipart",
}  # fmt: skip
IGNORED_WITH_VALUE = {
    "-o", "--output", "-c", "--cookie-jar", "-m", "--max-time", "--connect-timeout", "-w",
    "--write-out", "--cacert", "--retry", "--retry-delay", "--resolve", "--interface", "-x",
    "--proxy", "--tls-max", "--ciphers", "-D", "--dump-header", "--stderr",
}  # fmt: skip
STATIC = ("image/", "font/", "text/css", "audio/", "video/")


@dataclass
class Recorded:
    """One request, and its reply where that was recorded, too.

    Attributes:
        method: The HTTP method.
        url: The whole URL.
        headers: Names in lower case.
        body: The body, or `None`.
        auth: `basic` or `digest` if it logs in by itself.
        user: The user of that.
        secret: The password of that.
        pause: Seconds that the script waited before it.
        status: The reply's status; 0 if it was not recorded.
        reply: The reply's body.
        reply_headers: The reply's headers, in order.
    """

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None
    auth: str = "none"
    user: str = ""
    secret: str = ""
    pause: float = 0.0
    status: int = 0
    reply: str = ""
    reply_headers: list[tuple[str, str]] = field(default_factory=list)

    @property
    def path(self) -> str:
        """Path and query."""
        parts = urlsplit(self.url)
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    @property
    def host(self) -> str:
        """Host and port."""
        return urlsplit(self.url).netloc.rpartition("@")[2]

    @property
    def form(self) -> list[tuple[str, str]] | None:
        """The fields if the body is a form."""
        kind = self.headers.get("content-type", FORM)
        if self.body is None or FORM not in kind or self.body.lstrip()[:1] in {"{", "<", "["}:
            return None
        pairs = parse_qsl(self.body, keep_blank_values=True, encoding="utf-8", errors="replace")
        return pairs if "=" in self.body else None

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies that it carries."""
        pairs = (one.strip().partition("=") for one in self.headers.get("cookie", "").split(";"))
        return {name: value for name, mark, value in pairs if mark}


def read_curl(text: str) -> list[Recorded]:
    """Read curl commands, as browsers copy them for bash or Windows, or as they stand in a script.

    Args:
        text: One or more commands; other lines are passed over, `sleep` becomes a pause.

    Raises:
        ConfigError: There is no command, or one that cannot be understood.
    """
    split = split_for_windows if is_for_windows(text) else split_for_bash
    try:
        commands = list(split(text))
    except ValueError as error:
        raise ConfigError(f"The commands cannot be read as a shell does: {error}") from None
    found: list[Recorded] = []
    pause = 0.0
    for name, *words in commands:
        if re.search(r"(?:^|[/\\])curl(?:\.exe)?$", name):
            found.append(_from_words(words, pause))
            pause = 0.0
        elif words and name == "sleep":
            pause += _seconds(words[0])
    if not found:
        raise ConfigError("No curl command was found; copy the requests as cURL in the browser")
    return found


def _seconds(text: str) -> float:
    try:
        return float(text) if text.replace(".", "", 1).isdigit() else parse_duration(text)
    except ValueError:
        return 0.0


def _from_words(words: list[str], pause: float) -> Recorded:
    """Read one command's arguments."""
    given: dict[str, list[str]] = {}
    flags: set[str] = set()
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, value = _option(word, rest)
        if name == "url" and not word.startswith("-"):
            given.setdefault("url", []).append(word)
        elif name in WITH_VALUE:
            given.setdefault(WITH_VALUE[name], []).append(value)
        elif name not in IGNORED_WITH_VALUE:
            flags.add(name)
    if "url" not in given:
        raise ConfigError("A curl command has no URL")
    if "multipart" in given:
        raise ConfigError("`curl -F` sends a multipart body, which a recipe cannot send")
    return _as_recorded(given, flags, pause)


def _option(word: str, rest: list[str]) -> tuple[str, str]:
    """Split `-XPOST`, `-X POST`, `--request POST`, `--request=POST` and `-sSL`."""
    if not word.startswith("-") or word == "-":
        return "url", word
    if word.startswith("--"):
        name, mark, value = word.partition("=")
        takes = name in WITH_VALUE or name in IGNORED_WITH_VALUE
        return name, (value if mark else rest.pop(0) if takes and rest else "")
    for place in range(1, len(word)):
        name = f"-{word[place]}"
        if name in WITH_VALUE or name in IGNORED_WITH_VALUE:
            value = word[place + 1 :]
            return name, value or (rest.pop(0) if rest else "")
    return word, ""


def _as_recorded(given: dict[str, list[str]], flags: set[str], pause: float) -> Recorded:
    headers = {}
    for line in given.get("header", []):
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    cookies = [one for one in given.get("cookie", []) if "=" in one]
    for name, values in (("cookie", cookies), ("user-agent", given.get("agent")),
                         ("referer", given.get("referer"))):  # fmt: skip
        if values:
            headers[name] = values[-1]
    data = [*given.get("data", []), *(_encoded(one) for one in given.get("encode", []))]
    if any(one.startswith("@") for one in data):
        raise ConfigError("`curl -d @FILE` reads a file; write its contents into the command")
    body = "&".join(data) if data else None
    if "json" in given:
        body, headers = given["json"][-1], {"content-type": "application/json", **headers}
    url = given["url"][-1]
    url = url if "://" in url else f"http://{url}"
    if body is not None and flags & {"-G", "--get"}:
        url, body = f"{url}{'&' if '?' in url else '?'}{body}", None
    user, _, secret = given.get("user", [""])[-1].partition(":")
    digest = flags & {"--digest", "--anyauth"}
    return Recorded(
        method=given.get("request", ["GET" if body is None else "POST"])[-1].upper(),
        url=url,
        headers=headers,
        body=body,
        auth=("digest" if digest else "basic") if "user" in given else "none",
        user=user,
        secret=secret,
        pause=pause,
    )


def _encoded(text: str) -> str:
    name, mark, value = text.partition("=")
    return f"{name}={quote_plus(value)}" if mark else quote_plus(text)


def read_har(text: str) -> list[Recorded]:
    """Read a HAR file: every request that is no picture, style or font.

    Raises:
        ConfigError: It is no HAR file.
    """
    try:
        entries = json.loads(text)["log"]["entries"]
        found = [_from_entry(one) for one in entries]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"The file is no HAR file ({type(error).__name__}); save one from the browser's "
            "network view, with content"
        ) from None
    return [one for one in found if one is not None]


def _from_entry(entry: dict[str, Any]) -> Recorded | None:
    asked, reply = entry["request"], entry.get("response") or {}
    content = reply.get("content") or {}
    if str(content.get("mimeType", "")).startswith(STATIC):
        return None
    posted = asked.get("postData") or {}
    body = posted.get("text")
    if not body and posted.get("params"):
        pairs = ((one["name"], one.get("value", "")) for one in posted["params"])
        body = "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in pairs)
    return Recorded(
        method=asked["method"].upper(),
        url=asked["url"],
        headers={one["name"].lower(): one["value"] for one in asked.get("headers", [])},
        body=body or None,
        status=int(reply.get("status") or 0),
        reply=_text_of(content),
        reply_headers=[(one["name"].lower(), one["value"]) for one in reply.get("headers", [])],
    )


def _text_of(content: dict[str, Any]) -> str:
    """Return the text of a reply; some browsers write it in base64."""
    text = content.get("text") or ""
    if content.get("encoding") != "base64":
        return text
    return base64.b64decode(text).decode("utf-8", errors="replace")
