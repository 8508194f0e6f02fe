"""The history as one self-contained page: downtime and verdicts over time, drawn as SVG.

No script, no font and no picture is loaded from anywhere. Downtime is drawn on a logarithmic
axis, as a restart takes a minute and a dead device the whole deadline.
"""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING

from bootwatch.screen import attempt_as_dict
from bootwatch.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bootwatch.ledger import Attempt

WIDTH, HEIGHT, MARGIN = 900, 260, 50  # of the drawing, in its own units
SHORTEST, LONGEST = 0.1, 3600.0  # seconds at the two ends of the axis
GOOD, NEUTRAL, BAD = "#1a7f37", "#8a6d00", "#b3261e"
HARMLESS = {Verdict.RATE_LIMITED, Verdict.LOCKED, Verdict.CALLS, Verdict.BUSY}

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>bootwatch: history</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem;
  padding: 0 1rem; color: #1b1b1b; background: #fff }}
svg {{ width: 100%; height: auto }}
table {{ border-collapse: collapse; width: 100% }}
th, td {{ text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #ddd }}
</style>
</head>
<body>
<h1>Restarts by bootwatch</h1>
<p>{summary}</p>
{drawing}
<table>
<thead><tr>
<th>Started</th><th>Device</th><th>Result</th><th>Reason</th><th>Down, s</th>
</tr></thead>
<tbody>
{rows}
</tbody>
</table>
</body>
</html>
"""


def make_page(attempts: Sequence[Attempt]) -> str:
    """Draw past attempts.

    Args:
        attempts: The newest first.

    Returns:
        The page, as HTML.
    """
    rows = []
    for one in attempts:
        row = attempt_as_dict(one)
        down = "" if one.downtime is None else f"{one.downtime:.1f}"
        cells = [row["started"], one.device, one.result, one.reason, down]
        rows.append("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>")
    confirmed = sum(one.verdict is Verdict.CONFIRMED for one in attempts)
    summary = f"{len(attempts)} attempts, {confirmed} of them confirmed restarts."
    return _PAGE.format(summary=summary, drawing=_draw(attempts), rows="\n".join(rows))


def _draw(attempts: Sequence[Attempt]) -> str:
    """Draw one circle an attempt: across its time, up its downtime, in its verdict's colour."""
    if not attempts:
        return ""
    times = [one.started.wall for one in attempts]
    first, span = min(times), (max(times) - min(times)) or 1.0
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="Downtime over time">',
        *(_grid_line(seconds) for seconds in (1, 10, 60, 600, 3600)),
    ]
    for one in attempts:
        x = MARGIN + (one.started.wall - first) / span * (WIDTH - 2 * MARGIN)
        row = attempt_as_dict(one)
        title = html.escape(f"{row['started']} {one.device}: {one.result} {one.reason}")
        parts.append(
            f'<circle cx="{x:.1f}" cy="{_height(one.downtime):.1f}" r="5" '
            f'fill="{_colour(one)}" fill-opacity="0.8"><title>{title}</title></circle>'
        )
    parts.append("</svg>")
    return "\n".join(parts)


def _grid_line(seconds: float) -> str:
    y = _height(seconds)
    return (
        f'<line x1="{MARGIN}" y1="{y:.1f}" x2="{WIDTH - MARGIN}" y2="{y:.1f}" stroke="#ddd"/>'
        f'<text x="0" y="{y + 4:.1f}" font-size="12">{seconds:g} s</text>'
    )


def _height(downtime: float | None) -> float:
    """Return where a downtime is drawn; attempts without one stand at the bottom."""
    if downtime is None:
        return HEIGHT - 10
    inside = min(max(downtime, SHORTEST), LONGEST)
    share = math.log(inside / SHORTEST) / math.log(LONGEST / SHORTEST)
    return HEIGHT - 30 - share * (HEIGHT - 45)


def _colour(attempt: Attempt) -> str:
    if attempt.verdict is Verdict.CONFIRMED:
        return GOOD
    return NEUTRAL if attempt.verdict in HARMLESS else BAD
