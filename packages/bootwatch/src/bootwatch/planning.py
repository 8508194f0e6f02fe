"""What a restart would send: every request of the recipe, the password masked. Sends nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from bootwatch.conversation import build_request, masked_values
from bootwatch.passwords import MASK
from bootwatch.templates import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bootwatch.config import Device
    from bootwatch.recipe import Recipe, Step


@dataclass(frozen=True)
class Planned:
    """One request of the plan.

    Attributes:
        phase: When it is sent.
        step: Its name in the recipe.
        method: The HTTP method.
        url: The whole URL; what an earlier reply will give stands there as `<name>`.
        body: The body, or nothing.
        pause: Seconds before it.
    """

    phase: str
    step: str
    method: str
    url: str
    body: str | None
    pause: float


def plan(device: Device, recipe: Recipe) -> list[Planned]:
    """List the requests of a restart in order. Probes, looks and logins may be sent repeatedly."""
    planned = []
    for phase, step in _in_order(recipe):
        request = build_request(
            step,
            recipe,
            url=device.url,
            values=masked_values(device, recipe),
            evaluate=shown,
        )
        is_act = step is recipe.act[-1]
        planned.append(
            Planned(
                phase=phase,
                step=step.name,
                method=request.method,
                url=request.url,
                body=None if request.body is None else _readable(request.body, recipe.encoding),
                pause=step.pause if device.pause is None or not is_act else device.pause,
            )
        )
    return planned


def _readable(body: bytes, encoding: str) -> str:
    text = body.decode(encoding)
    for mark in (MASK, "<", ">"):  # what stands for a value; a real one would be encoded
        text = text.replace(quote(mark), mark)
    return text


def _in_order(recipe: Recipe) -> Iterator[tuple[str, Step]]:
    yield "reach", recipe.probe
    if recipe.identify:
        yield "reach", recipe.identify
    if recipe.session:
        yield "login", recipe.session
    yield from (("login", step) for step in recipe.login)
    if recipe.lines:
        yield "guard", recipe.lines.step
    if recipe.uptime:
        yield "act", recipe.uptime
    yield from (("act", step) for step in recipe.act)
    yield "down", recipe.probe
    yield "back", recipe.probe
    yield from (("checks", step) for step in (recipe.identify, recipe.session) if step)
    inside = [step for step in (recipe.uptime, recipe.lines and recipe.lines.step) if step]
    if inside:
        yield from (("checks", step) for step in (*recipe.login, *inside))
    yield from (("logout", step) for step in recipe.logout)
