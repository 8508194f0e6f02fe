"""Writes a recipe as TOML, with remarks for the person who will go through it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bootwatch.recipe_maker import Draft

KEPT_HEADERS = {"content-type", "soapaction", "x-requested-with", "origin", "referer", "accept"}
BROWSER = "mozilla"

HEAD = """\
# Made from recorded requests, without their secrets. Go through it once:
# - Is the login proved by something that a wrong password does not give?
# - Do the words in the last step stand in the reply to a restart, and in no error page?
# - Without `session` or `uptime` a restart is at best `probably restarted`; see the documentation.

summary = "Made from recorded requests"
{auth}
[probe]
name = "probe"
path = "/"
otherwise = "ok"
rules = [{{ means = "failed", status = [500, 502, 503, 504] }}]
"""


def write_recipe(drafts: Sequence[Draft], *, token_pages: Sequence[Draft]) -> str:
    """Write a recipe.

    Args:
        drafts: The steps.
        token_pages: Those that only a session sees, and whose token tells whether it lives.
    """
    auth = next((one.request.auth for one in drafts if one.request.auth != "none"), "none")
    parts = [HEAD.format(auth=f'auth = "{auth}"\n' if auth != "none" else "")]
    logins = [one for one in drafts if one.part == "login"]
    acts = [one for one in drafts if one.part == "act"]
    cookies = _session_cookies(logins[-1], acts)
    for number, draft in enumerate(logins):
        proof = number == len(logins) - 1
        rules = _login_rules(draft, cookies) if proof else [_seen(draft)]
        parts.append(_step("[[login]]", "login" if proof else f"page {number + 1}", draft, rules))
    if token_pages:
        page = token_pages[0]
        parts.append(_step("[session]", "session", page, [_seen(page)], captures=False))
    for number, draft in enumerate(acts):
        final = number == len(acts) - 1
        rules = _act_rules() if final else [_seen(draft)]
        name = "restart" if final else f"restart page {number + 1}"
        parts.append(_step("[[act]]", name, draft, rules, otherwise="ok" if final else "failed"))
    for draft in (one for one in drafts if one.part == "logout"):
        rules = ['{ means = "ok", status = [200, 204, 302, 303] }']
        parts.append(_step("[[logout]]", "log out", draft, rules))
    return "\n".join(parts)


def _session_cookies(login: Draft, acts: Sequence[Draft]) -> list[str]:
    """List the cookies that the requests after the login carry and the login did not."""
    set_there = [
        text.partition("=")[0].strip()
        for name, text in login.request.reply_headers
        if name == "set-cookie"
    ]
    later = [name for draft in acts for name in draft.request.cookies]
    return set_there or [name for name in dict.fromkeys(later) if name not in login.request.cookies]


def _login_rules(draft: Draft, cookies: Sequence[str]) -> list[str]:
    form = "text = '(?i)type=[\"\\x27]?password'"
    rules = [
        '{ means = "locked", status = [423, 429] }',
        '{ means = "refused", status = [401, 403] }',
        f'{{ means = "refused", status = [200], {form} }}, # the form again',
    ]
    if draft.captures:
        proof = f"text = {quoted(next(iter(_patterns(draft.captures)), '.'))}"
    elif draft.request.auth != "none":
        proof = "text = '\\S'"
    elif cookies:
        proof = f"cookie = {quoted('|'.join(re.escape(one) for one in cookies))}"
    else:
        proof = "cookie = '.+'"
    return [*rules, f'{{ means = "ok", status = [200, 201, 204, 302, 303], {proof} }}']


def _patterns(captures: Mapping[str, str | dict[str, str]]) -> Iterator[str]:
    yield from (one for one in captures.values() if isinstance(one, str))


def _seen(draft: Draft) -> str:
    pattern = next(iter(_patterns(draft.captures)), "")
    text = f", text = {quoted(pattern)}" if pattern else ""
    return f'{{ means = "ok", status = [200, 302]{text} }}'


def _act_rules() -> list[str]:
    return [
        "{ means = \"refused\", location = '(?i)login' }",
        '{ means = "refused", status = [401, 403] }',
        '{ means = "failed", status = [400, 404, 405, 500, 501] }',
        "{ means = \"failed\", text = '(?i)\\b(error|fehler|failed|denied|invalid)' }",
        "{ means = \"ok\", text = '(?i)re-?boot|restart|neustart' }, # its own words: half a proof",
    ]


def _step(
    head: str,
    name: str,
    draft: Draft,
    rules: Sequence[str],
    *,
    otherwise: str = "failed",
    captures: bool = True,
) -> str:
    request = draft.request
    lines = [head, f"name = {quoted(name)}"]
    if request.method != "GET":
        lines.append(f"method = {quoted(request.method)}")
    lines.append(f"path = {quoted(_replaced(request.path, draft, encode=quote))}")
    headers = _headers(draft)
    if headers:
        pairs = ", ".join(f"{quoted(one)} = {quoted(text)}" for one, text in headers.items())
        lines.append(f"headers = {{ {pairs} }}")
    if request.form is not None:
        pairs = [f"[{quoted(one)}, {quoted(_replaced(text, draft))}]" for one, text in request.form]
        lines.append(f"form = [{', '.join(pairs)}]")
    elif request.body is not None:
        lines.append(f"body = {quoted(_replaced(request.body, draft))}")
    if request.pause:
        lines.append(f"pause = {quoted(f'{request.pause:g}s')}")
    if draft.captures and captures:
        pairs = ", ".join(f"{one} = {_table(how)}" for one, how in draft.captures.items())
        lines.append(f"capture = {{ {pairs} }}")
    if otherwise != "failed":
        lines.append(f"otherwise = {quoted(otherwise)}")
    lines.append("rules = [")
    lines += [f"  {rule}" if "#" in rule else f"  {rule}," for rule in rules]
    return "\n".join([*lines, "]", ""])


def _headers(draft: Draft) -> dict[str, str]:
    request, kept = draft.request, {}
    for name, text in request.headers.items():
        form = name == "content-type" and request.form is not None
        wanted = name in KEPT_HEADERS or name.startswith("x-") or name == "authorization"
        client = name == "user-agent" and BROWSER not in text.lower() and "curl" not in text.lower()
        if (wanted and not form and (request.body is not None or name != "content-type")) or client:
            if name == "authorization" and not text.lower().startswith("bearer "):
                continue
            # What follows the path of a referrer may hold a session.
            value = re.split("[?#;]", text, maxsplit=1)[0] if name == "referer" else text
            origin = f"{request.url.split('//')[0]}//{request.host}"
            kept[name.title()] = _replaced(value, draft).replace(origin, "{origin}")
    return kept


def _replaced(text: str, draft: Draft, *, encode: object = None) -> str:
    """Put the placeholders in, the longest value first: one may be a part of another."""
    for value, placeholder in sorted(draft.replaced.items(), key=lambda pair: -len(pair[0])):
        if placeholder == "{user}":  # `admin` is a part of many other words
            whole = rf"(?:^|(?<=[\"'>=])){re.escape(value)}(?=[\"'<&]|$)"
            text = re.sub(whole, placeholder, text)
            continue
        forms = [value, json.dumps(value)[1:-1], quote(value, safe=""), quote_plus(value)]
        for form in forms if encode is None else [*forms[2:], value]:
            text = text.replace(form, placeholder)
    return text


def _table(how: str | dict[str, str]) -> str:
    if isinstance(how, str):
        return quoted(how)
    return "{ " + ", ".join(f"{name} = {quoted(text)}" for name, text in how.items()) + " }"


def quoted(text: str) -> str:
    """Write a text as TOML does: in single quotes as it is, or in double quotes with escapes."""
    if "'" not in text and text.isprintable():
        return f"'{text}'" if "\\" in text or '"' in text else f'"{text}"'
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
