"""The report as one self-contained page: weeks, survival after restarts, and hours, as SVG.

No script, no font and no picture is loaded from anywhere.
"""

from __future__ import annotations

import datetime as dt
import html
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bootwatch.findings import Findings

# Of drawings, in their own units. On a telephone their texts are twice as large, and must fit.
WIDTH, LEFT, ROW = 900, 150, 30
CURVE_HEIGHT, BARS_HEIGHT, TOP, AXIS = 280, 160, 22, 34
WEEK, DAY, HOUR = 604800.0, 86400.0, 3600.0
MOST_WEEKS = 52
NARROWEST = 1.5  # of a failure's bar: a short one must be seen, too
LABELLED = 3  # hours between two that are written

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>bootwatch: {device}</title>
<style>
:root {{ color-scheme: light dark; --ink: #1b1b1b; --soft: #555; --ground: #fff;
  --good: #b7dfc0; --bad: #b3261e; --restart: #1f4e9c; --line: #ddd }}
@media (prefers-color-scheme: dark) {{
  :root {{ --ink: #e6e6e6; --soft: #b0b0b0; --ground: #14181d;
    --good: #2f6b45; --bad: #ff8a80; --restart: #8ab8ff; --line: #3a4048 }}
}}
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem;
  padding: 0 1rem; color: var(--ink); background: var(--ground); overflow-wrap: anywhere }}
svg {{ width: 100%; height: auto; display: block }}
text {{ font-size: 13px; fill: var(--soft) }}
.good {{ fill: var(--good) }}
.bad {{ fill: var(--bad) }}
.restart {{ fill: var(--restart) }}
.gap {{ fill: var(--line) }}
.band {{ fill: var(--restart); fill-opacity: .2 }}
.curve {{ fill: none; stroke: var(--restart); stroke-width: 2 }}
.grid {{ stroke: var(--line) }}
table {{ border-collapse: collapse; width: 100% }}
th, td {{ text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid var(--line) }}
.verdict {{ font-size: 1.2rem }}
.note {{ color: var(--soft) }}
@media (max-width: 600px) {{ text {{ font-size: 25px }} body {{ margin: 1rem auto }} }}
</style>
</head>
<body>
<h1>Why does {device} misbehave?</h1>
<p class="verdict">{verdict}.</p>
<ul>
{answers}
</ul>
<h2>Week by week</h2>
<p class="note">A row is a week, from Monday. Green: it worked. Red: it failed. Blue: a restart.
Grey: nobody watched.</p>
{weeks}
<h2>How long until it fails again</h2>
<p class="note">The share of restarts after which it works for longer than so many hours, with its
95% interval (Kaplan and Meier).</p>
{curve}
<h2>At which hours</h2>
<p class="note">Failures by the hour of the day at which they began.</p>
{hours}
<h2>Failures</h2>
<table>
<thead><tr>
<th>Began</th><th>Lasted, min</th><th>What failed</th><th>After the last restart, h</th>
</tr></thead>
<tbody>
{rows}
</tbody>
</table>
<p class="note">All of this was seen, not tried. To find out whether restarts help, leave some out
by chance, and compare.</p>
</body>
</html>
"""


def make_report(device: str, findings: Findings) -> str:
    """Draw what was found.

    Args:
        device: The device's name.
        findings: What was found.

    Returns:
        The page, as HTML.
    """
    rows = []
    for one in reversed(findings.outages):
        began = dt.datetime.fromtimestamp(one.begin).astimezone().strftime("%Y-%m-%d %H:%M")
        after = "" if one.since_restart is None else f"{one.since_restart / HOUR:.1f}"
        cells = (began, f"{(one.end - one.begin) / 60:.0f}", ", ".join(one.kinds), after)
        rows.append("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>")
    return _PAGE.format(
        device=html.escape(device),
        verdict=html.escape(findings.verdict),
        answers="\n".join(f"<li>{html.escape(one)}</li>" for one in findings.answers),
        weeks=_draw_weeks(findings),
        curve=_draw_curve(findings),
        hours=_draw_hours(findings),
        rows="\n".join(rows),
    )


def _monday(wall: float) -> dt.datetime:
    day = dt.datetime.fromtimestamp(wall).astimezone()
    day = day.replace(hour=0, minute=0, second=0, microsecond=0)
    return day - dt.timedelta(days=day.weekday())


def _svg(height: float, label: str, parts: Iterator[str]) -> str:
    head = f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{label}">'
    return "\n".join([head, *parts, "</svg>"])


def _draw_weeks(findings: Findings) -> str:
    first, last = findings.watched[0][0], max(end for _, end in findings.watched)
    begin, weeks = _monday(first), []
    while begin.timestamp() <= last:
        weeks.append(begin)
        begin += dt.timedelta(days=7)
    weeks = weeks[-MOST_WEEKS:]
    return _svg(ROW * len(weeks) + AXIS, "Week by week", _weeks(findings, weeks))


def _weeks(findings: Findings, weeks: list[dt.datetime]) -> Iterator[str]:
    scale = (WIDTH - LEFT) / WEEK
    for number, monday in enumerate(weeks):
        top, start = number * ROW, monday.timestamp()
        yield f'<text x="0" y="{top + 21}">{monday:%Y-%m-%d}</text>'
        yield _bar(LEFT, top, WIDTH - LEFT, "gap")
        spans = [(a, b, "good", "") for a, b in findings.watched]
        spans += [(one.begin, one.end, "bad", ", ".join(one.kinds)) for one in findings.outages]
        for a, b, kind, title in spans:
            low, high = max(a, start), min(b, start + WEEK)
            if high >= low:
                width = max((high - low) * scale, NARROWEST)
                yield _bar(LEFT + (low - start) * scale, top, width, kind, title)
        for at in findings.restarts:
            if start <= at < start + WEEK:
                yield _bar(LEFT + (at - start) * scale, top, 2, "restart", "restart")
    for day, name in enumerate(("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")):
        x = LEFT + day * DAY * scale
        yield f'<text x="{x:.1f}" y="{ROW * len(weeks) + 22}">{name}</text>'


def _bar(x: float, y: float, width: float, kind: str, title: str = "") -> str:
    inner = f"<title>{html.escape(title)}</title>" if title else ""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{ROW - 4}" '
        f'class="{kind}">{inner}</rect>'
    )


def _draw_curve(findings: Findings) -> str:
    if not findings.curve:
        return "<p>No failure after a restart was seen yet.</p>"
    return _svg(CURVE_HEIGHT + AXIS, "Share that still works", _curve(findings))


def _curve(findings: Findings) -> Iterator[str]:
    longest = max(step.time for step in findings.curve) * 1.05
    scale = (WIDTH - LEFT) / longest

    def path(pick: str) -> list[str]:
        points, before = [f"{LEFT},{_height(1.0):.1f}"], 1.0
        for step in findings.curve:
            x, share = LEFT + step.time * scale, getattr(step, pick)
            points += [f"{x:.1f},{_height(before):.1f}", f"{x:.1f},{_height(share):.1f}"]
            before = share
        return [*points, f"{WIDTH},{_height(before):.1f}"]

    band = " ".join([*path("high"), *reversed(path("low"))])
    yield f'<polygon points="{band}" class="band"/>'
    yield f'<polyline points="{" ".join(path("share"))}" class="curve"/>'
    for share in (0.0, 0.5, 1.0):
        yield f'<text x="0" y="{_height(share) + 4:.1f}">{share:.0%}</text>'
        yield (
            f'<line x1="{LEFT}" x2="{WIDTH}" y1="{_height(share):.1f}" y2="{_height(share):.1f}" '
            f'class="grid"/>'
        )
    for part in (0.25, 0.5, 0.75):
        x = LEFT + part * longest * scale
        hours = part * longest / HOUR
        yield f'<text x="{x:.1f}" y="{CURVE_HEIGHT + 22}">{hours:.3g} h</text>'


def _height(share: float) -> float:
    return TOP + (1 - share) * (CURVE_HEIGHT - 2 * TOP)


def _draw_hours(findings: Findings) -> str:
    return _svg(BARS_HEIGHT + AXIS, "Failures by hour", _hours(findings))


def _hours(findings: Findings) -> Iterator[str]:
    most = max((count for count, _ in findings.by_hour), default=0) or 1
    width = (WIDTH - LEFT) / len(findings.by_hour)
    for hour, (count, spent) in enumerate(findings.by_hour):
        height = count / most * (BARS_HEIGHT - 20)
        x = LEFT + hour * width
        title = f"{hour} o'clock: {count} failures in {spent:.0f} hours watched"
        yield (
            f'<rect x="{x:.1f}" y="{BARS_HEIGHT - height:.1f}" width="{width - 3:.1f}" '
            f'height="{height:.1f}" class="bad"><title>{html.escape(title)}</title></rect>'
        )
        if hour % LABELLED == 0:
            yield f'<text x="{x + 4:.1f}" y="{BARS_HEIGHT + 22}">{hour}</text>'
    yield f'<text x="0" y="30">{most}</text>'
