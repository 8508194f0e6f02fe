"""The page of a solved equation in a real browser: verdict first, every picture drawn, offline."""

from collections.abc import Iterator
from pathlib import Path

import jax.numpy as jnp
import pytest

from browser import Page, find_browser, open_browser
from thalweg import pde

pytestmark = pytest.mark.skipif(
    find_browser() is None, reason="no Chromium was found; on Debian: apt-get install chromium"
)

# Of the picture in a heat map: its width, and how many colours and see-through points it has.
PICTURES = """Promise.all([...document.querySelectorAll('image.raster')].map(async (image) => {
    const picture = new Image();
    picture.src = image.getAttribute('href');
    await picture.decode();
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [picture.width, picture.height];
    const context = canvas.getContext('2d');
    context.drawImage(picture, 0, 0);
    const all = context.getImageData(0, 0, picture.width, picture.height).data;
    const colours = new Set(); let empty = 0;
    for (let k = 0; k < all.length; k += 4) {
        if (all[k + 3] === 0) empty += 1;
        else colours.add(all.slice(k, k + 3).join());
    }
    return [image.getBBox().width, colours.size, empty / (picture.width * picture.height)];
}))"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One page of a browser that all tests share."""
    path = find_browser()
    assert path is not None
    with open_browser(path, tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A map of a problem that was not solved, and lines of one that was."""
    folder = tmp_path_factory.mktemp("pages")
    corner = pde.Problem(
        pde.LShape(),
        lambda u, x: pde.laplacian(u)(x) + 1,
        [pde.Dirichlet(0.0)],
        reference=lambda x: jnp.sin(x[0]) * x[1],
        name="A <corner>",
    )
    line = pde.Problem(
        pde.Interval(0, 1),
        lambda u, x: pde.partial(u)(x) - 2 * x,
        [pde.Dirichlet(0.0, on="left")],
        reference=lambda x: x**2,
        name="A line",
    )
    small = pde.MLP(6, 1)
    return {
        "map": pde.solve(corner, seconds=60, steps=2, network=small, points=40).page(
            folder / "map.html"
        ),
        "line": pde.solve(line, seconds=60, steps=80, network=small, points=30).page(
            folder / "line.html"
        ),
    }


@pytest.mark.parametrize("width", [1280, 390], ids=["desk", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["map", "line"])
def test_every_picture_is_drawn(
    browser: Page, pages: dict[str, Path], name: str, scheme: str, width: int
):
    """Nothing is clipped, no request leaves the page, and the verdict comes first."""
    address = pages[name].resolve().as_uri()
    browser.requests.clear()
    browser.complaints.clear()
    browser.look(width=width, scheme=scheme)
    browser.open(address)
    assert {url for url in browser.requests if not url.startswith("data:")} == {address}
    assert browser.complaints == []
    ground = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(18, 22, 28)"}[scheme]
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.layout_faults() == []
    lead = browser.evaluate("document.querySelector('h1 + p').innerText")
    assert lead.startswith("Not solved. " if name == "map" else "Solved. ")
    title = browser.evaluate("document.querySelector('h1').innerText")
    assert title == ("A <corner>" if name == "map" else "A line")
    long = "[...document.querySelectorAll('.series .line')].map((l) => l.getTotalLength() > 50)"
    lines = browser.evaluate(long)
    pictures = browser.evaluate(PICTURES)
    if name == "line":
        assert lines == [True] * 4  # solution, error, residual, training
        assert pictures == []
        return
    assert lines == [True]
    assert len(pictures) == 3
    for shown, colours, empty in pictures:
        assert shown > 300
        assert colours > 100
        assert empty == pytest.approx(0.25, abs=0.03)
