"""Makes a recipe from recorded requests: what logs in, what restarts, and no secret in it.

The request with a field for a password logs in; the last one that speaks of a restart, or else the
last one at all, restarts. What a later request took from an earlier reply is captured there: where
replies were recorded, the value is looked for in them; otherwise its name says where it comes from.
The result is a first draft: what proves the login and the restart is only guessed.
"""

from __future__ import annotations

import base64
import html
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit

from bootwatch.errors import ConfigError
from bootwatch.functions import find_function
from bootwatch.recipe_writer import write_recipe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bootwatch.recorded import Recorded

PASSWORD_FIELD = re.compile(r"(?i)pass|pwd|psd|kennwort|login_authorization|^pw$|credential")
USER_FIELD = re.compile(r"(?i)user|login_?name|uname|benutzer|account|^(name|login|usr|log)$")
TOKEN_FIELD = re.compile(r"(?i)token|csrf|xsrf|nonce|stok|^_?sid$|sess(ion)?_?(id|key)?$|challenge")
OF_SESSION = re.compile(r"(?i)stok|sid$|sess|bearer")
RESTART = re.compile(r"(?i)re-?(boot|start)|neustart|restart|reset|power.?cycle")
LOGOUT = re.compile(r"(?i)log-?(out|off)|abmeld|signout")
API_KEY = re.compile(r"(?i)api-?key|secret|auth")
SHORTEST_TOKEN = 4
LONG_TOKEN = 8  # letters, from which on a token that is found nowhere counts as a secret
MOST_STEPS = 30  # of captures that need captures; more is a circle
_JSON_FIELD = re.compile(r'"([\w.-]+)"\s*:\s*"((?:[^"\\]|\\.)*)"')
_XML_FIELD = re.compile(r"<(?:\w+:)?([\w.-]+)[^<>]*>([^<>]+)</")
_PATH_FIELD = re.compile(r"[;/]([A-Za-z_]\w*)=([^/;?&]+)")
_DERIVED = {  # how a script of the page may have changed the password before it was sent
    "base64(user, ':', password)": ("base64", ("{user}", ":", "{password}")),
    "base64(password)": ("base64", ("{password}",)),
    "md5(password)": ("md5", ("{password}",)),
    "sha256(password)": ("sha256", ("{password}",)),
    "sha512(password)": ("sha512", ("{password}",)),
}


@dataclass
class Draft:
    """One step to be.

    Attributes:
        part: `login`, `act` or `logout`.
        request: What was recorded.
        captures: Patterns, or tables as TOML has them, by the name of what they give.
        replaced: What stands in the request, and the placeholder for it.
    """

    part: str
    request: Recorded
    captures: dict[str, str | dict[str, str]] = field(default_factory=dict)
    replaced: dict[str, str] = field(default_factory=dict)


def make_recipe(requests: Sequence[Recorded]) -> str:
    """Make a recipe.

    Args:
        requests: In the order in which they were sent.

    Returns:
        The recipe as TOML, with remarks.

    Raises:
        ConfigError: No request logs in, none follows it, or a secret cannot be taken out.
    """
    logins = [one for one in requests if _is_login(one)]
    if not logins:
        raise ConfigError(
            "No request has a field for a password (such as `password` or `pwd`), and none has a "
            "user by `-u`; record the login, too"
        )
    # The last one to the same address: the ones before it may have had a wrong password.
    again = [one for one in logins if one.auth == "none" and one.url == logins[0].url]
    logging_in = (again or logins[:1])[-1]
    requests = [one for one in requests if one.host == logging_in.host]
    first = requests.index(logging_in)
    later = [one for one in requests[first:] if not LOGOUT.search(one.path)]
    speaking = [one for one in later[1:] if RESTART.search(one.path + (one.body or ""))]
    changing = [one for one in speaking if one.method not in {"GET", "HEAD", "OPTIONS"}]
    act = (changing or speaking or later[1:] or [logging_in])[-1]  # a page may ask how it goes on
    if act is logging_in and logging_in.auth == "none":
        raise ConfigError("No request follows the login; record the one that restarts, too")
    last = requests.index(act)
    drafts = [Draft("login", logging_in), Draft("act", act)]
    drafts += [Draft("logout", one) for one in requests[last + 1 :] if LOGOUT.search(one.path)][:1]
    user, secret = _credentials(logging_in)
    if secret and secret in logging_in.path:
        raise ConfigError(
            "The login sends the password in its address, where it would be logged everywhere; "
            "bootwatch does not do that"
        )
    known = _between(requests, first, last)
    for draft in drafts:
        draft.replaced |= _without_credentials(draft.request, user, secret)
    _capture_tokens(drafts, requests, known)
    text = write_recipe(drafts, token_pages=_token_pages(drafts))
    _refuse_leftovers(text, drafts, secret)
    _refuse_unknown_tokens(drafts)
    return text


def fields_of(request: Recorded) -> Iterator[tuple[str, str]]:
    """List everything in a request that has a name: form, query, path, JSON and XML."""
    parts = urlsplit(request.url)
    yield from parse_qsl(parts.query)
    yield from ((found[1], found[2]) for found in _PATH_FIELD.finditer(parts.path))
    if request.form is not None:
        yield from request.form
    elif request.body:
        yield from ((found[1], found[2]) for found in _JSON_FIELD.finditer(request.body))
        yield from ((found[1], found[2]) for found in _XML_FIELD.finditer(request.body))


def _is_login(request: Recorded) -> bool:
    if request.auth != "none":
        return True
    return request.method != "GET" and any(
        PASSWORD_FIELD.search(name) and value for name, value in fields_of(request)
    )


def _credentials(request: Recorded) -> tuple[str, str]:
    if request.auth != "none":
        return request.user, request.secret
    named = list(fields_of(request))
    secret = next((value for name, value in named if PASSWORD_FIELD.search(name) and value), "")
    users = [value for name, value in named if USER_FIELD.search(name) and value]
    return (users[0] if users else ""), secret


def _without_credentials(request: Recorded, user: str, secret: str) -> dict[str, str]:
    replaced = {}
    if secret and _is_pair_in_base64(secret):
        replaced[secret] = "{base64(user, ':', password)}"
    elif secret:
        replaced[secret] = "{password}"
        texts = {"{user}": user, "{password}": secret, ":": ":"}
        for placeholder, (name, arguments) in _DERIVED.items():
            function = find_function(name)
            value = function("utf-8", *(texts[one] for one in arguments)) if function else ""
            if str(value) in (request.body or ""):
                replaced[str(value)] = f"{{{placeholder}}}"
    if user:
        for name, value in fields_of(request):
            if value == user and USER_FIELD.search(name):
                replaced[value] = "{user}"
    return replaced


def _is_pair_in_base64(text: str) -> bool:
    """Tell whether a text is `user:password` in base64."""
    try:
        pair = base64.b64decode(text, validate=True).decode("utf-8")
    except ValueError:
        return False
    return re.fullmatch(r"[^:\s]+:\S.*", pair) is not None and pair.isprintable()


def _between(requests: Sequence[Recorded], first: int, last: int) -> list[tuple[str, Recorded]]:
    """List the requests from which values may come, with the part that they belong to."""
    found = [("login", one) for one in requests[: first + 1]]
    return found + [("act", one) for one in requests[first + 1 : last]]


def _capture_tokens(
    drafts: list[Draft], requests: Sequence[Recorded], known: list[tuple[str, Recorded]]
) -> None:
    """Find where the tokens of each step come from; add the steps that give them."""
    pending, count = list(drafts), 0
    while pending and count < MOST_STEPS:
        count += 1
        draft = pending.pop(0)
        for label, value in _tokens(draft.request):
            if value in draft.replaced:
                continue
            name = re.sub(r"\W", "_", label).lower().strip("_") or "token"
            earlier = _earlier(draft, drafts, requests, known)
            source, capture = _source(label, value, earlier, draft)
            if source is None:
                continue
            part, request = source
            giver = next((one for one in drafts if one.request is request), None)
            if giver is None:
                giver = Draft(part, request)
                drafts.insert(_place(drafts, giver, requests), giver)
                pending.append(giver)
            same = [one for one, known_as in giver.captures.items() if known_as == capture]
            name = same[0] if same else _free(name, drafts)
            giver.captures[name] = capture
            draft.replaced[value] = f"{{{name}}}"


def _tokens(request: Recorded) -> Iterator[tuple[str, str]]:
    """List names and values that must come from an earlier reply."""
    bearer = request.headers.get("authorization", "")
    if bearer.lower().startswith("bearer "):
        yield "bearer", bearer.split(" ", 1)[1]
    for name, value in request.headers.items():
        if name.startswith("x-") and TOKEN_FIELD.search(name):
            yield name.removeprefix("x-"), value
    for name, value in fields_of(request):
        if TOKEN_FIELD.search(name) and len(value) >= SHORTEST_TOKEN:
            yield name, value


def _earlier(
    draft: Draft,
    drafts: Sequence[Draft],
    requests: Sequence[Recorded],
    known: list[tuple[str, Recorded]],
) -> list[tuple[str, Recorded]]:
    """List what was sent before a step, the nearest first."""
    if draft.part == "logout":
        return [(one.part, one.request) for one in reversed(drafts) if one.part == "login"]
    place = next((n for n, one in enumerate(requests) if one is draft.request), 0)
    return [one for one in reversed(known) if requests.index(one[1]) < place]


def _source(
    label: str, value: str, earlier: list[tuple[str, Recorded]], draft: Draft
) -> tuple[tuple[str, Recorded] | None, str | dict[str, str]]:
    """Find the reply that gave a value, and how it is captured there."""
    for one in earlier:
        capture = _recorded_capture(label, one[1], value)
        if capture is not None:
            return one, capture
    if any(request.reply or request.reply_headers for _, request in earlier):
        return None, ""  # replies were recorded, and none holds it: it is no token
    pattern = _guess(label)
    if OF_SESSION.search(label):
        login = [one for one in earlier if _is_login(one[1])]
        return (login[0] if login else None), pattern
    pages = [one for one in earlier if one[1].method == "GET"]
    if pages:
        return pages[0], pattern
    # The page that held the token was not recorded, but the request says where it came from.
    from bootwatch.recorded import Recorded

    referer = urlsplit(draft.request.headers.get("referer", ""))
    base = urlsplit(draft.request.url)
    path = (referer.path or "/") + (f"?{referer.query}" if referer.query else "")
    page = Recorded("GET", f"{base.scheme}://{base.netloc}{path}")
    return (draft.part, page), pattern


def _guess(label: str) -> str:
    """Return a pattern for a value by its name: in a field, a `meta`, a script or JSON."""
    name = r"(?<!refresh)(?<!refresh_)(?<!id_)token" if label == "bearer" else re.escape(label)
    tag = rf"""<(?=[^<>]*["']{name}["'])[^<>]*?\s(?:value|content)="""
    value = r"""["']?((?<=["'])[^"'<>]+|[^"'\s<>&;,]+)"""
    return rf"""(?i)(?:{tag}|{name}["']?\s*[:=])\s*{value}"""


def _recorded_capture(label: str, request: Recorded, value: str) -> str | dict[str, str] | None:
    """Return what captures a value from a recorded reply, or `None` if it is not in there."""
    for name, text in request.reply_headers:
        if name == "set-cookie" and text.split(";")[0].partition("=")[2] == value:
            return {"cookie": text.partition("=")[0].strip()}
        if name == "location" and value in text:
            before = re.escape(text[: text.index(value)][-20:])
            return {"location": rf"{before}([^&;/]+)"}
        if text == value:
            return {"header": name}
    written = {value, html.escape(value), json.dumps(value)[1:-1].replace("/", r"\/")}
    by_name = re.search(_guess(label), request.reply)
    if by_name and (by_name[1] in written or html.unescape(by_name[1]) == value):
        return _guess(label)
    return _by_what_stands_before(
        request.reply, next((one for one in written if one in request.reply), value)
    )


def _by_what_stands_before(reply: str, value: str) -> str | None:
    """Return a pattern of as few letters before a value as tell it from all else."""
    place = reply.find(value)
    if place < 0:
        return None
    after = reply[place + len(value) :][:1]
    stop = re.escape(after) if after and not after.isalnum() else r"\s"
    for length in (12, 25, 50, 100):
        before = re.sub(r"\s+", " ", reply[max(place - length, 0) : place])
        pattern = re.escape(before).replace(r"\ ", r"\s+") + rf"([^{stop}]+)"
        found = re.search(pattern, reply)
        if found and found[1] == value:
            return pattern
    return None


def _place(drafts: Sequence[Draft], giver: Draft, requests: Sequence[Recorded]) -> int:
    """Return where a step belongs that gives a value to later ones."""
    recorded = [n for n, one in enumerate(requests) if one is giver.request]
    for number, draft in enumerate(drafts):
        if draft.part != giver.part:
            continue
        own = [n for n, one in enumerate(requests) if one is draft.request]
        if not recorded or (own and own[0] > recorded[0]):
            return number
    return len(drafts)


def _free(name: str, drafts: Sequence[Draft]) -> str:
    taken = {one for draft in drafts for one in draft.captures} | {"user", "password", "host"}
    number = 1
    free = name
    while free in taken:
        number += 1
        free = f"{name}{number}"
    return free


def _token_pages(drafts: Sequence[Draft]) -> list[Draft]:
    """List pages that only a session sees and that hold a token: they tell whether it lives."""
    return [
        one for one in drafts if one.part == "act" and one.captures and one.request.body is None
    ]


def _refuse_leftovers(text: str, drafts: Sequence[Draft], secret: str) -> None:
    """Look through the result once more: whatever was missed must not be handed on."""
    secrets = {secret, *(value for draft in drafts for value in draft.replaced)}
    secrets |= {value for draft in drafts for value in draft.request.cookies.values()}
    for one in secrets:
        forms = {one, quote(one), quote_plus(one)}
        user = any(draft.replaced.get(one) == "{user}" for draft in drafts)
        if len(one) > SHORTEST_TOKEN and not user and any(form in text for form in forms):
            raise ConfigError(
                "A secret would be left in the recipe, in a place that is not understood; replace "
                "it in the recording by `SECRET` and put the placeholder in by hand"
            )


def _refuse_unknown_tokens(drafts: Sequence[Draft]) -> None:
    """Refuse what looks like a secret and was found in no reply: it would stay as it is."""
    for draft in drafts:
        secrets = [(name, value) for name, value in _tokens(draft.request)]
        secrets += [
            (name, value)
            for name, value in draft.request.headers.items()
            if API_KEY.search(name) and not value.lower().startswith(("basic ", "bearer "))
        ]
        for name, value in secrets:
            if value not in draft.replaced and len(value) >= LONG_TOKEN:
                raise ConfigError(
                    f"The value of `{name}` is found in no recorded reply, so that it would stay "
                    "in the recipe; record the page that gives it, with content, or replace it in "
                    "the recording by `SECRET` and put the placeholder in by hand"
                )
