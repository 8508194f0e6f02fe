"""A headless Chromium for tests, driven over a pipe by the Chrome DevTools Protocol.

The pipe (file descriptors 3 and 4, JSON messages that end with a zero byte) needs no library and no
port. Every request that a page makes is reported by the browser itself, whether or not it succeeds.

Source: https://chromedevtools.github.io/devtools-protocol/
"""

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless",
    "--no-sandbox",  # tests may run as root in a container
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--remote-debugging-pipe",
)
# Puts the two ends of the pipe where Chromium looks for them, then becomes Chromium.
LAUNCH = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]]  # out of the way first
os.dup2(ends[0], 3)
os.dup2(ends[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
# What a reader could not see: boxes that leave the window and lie in no region that scrolls, labels
# that leave their figure, tables that go on without a cue, and a first chart below two screens.
LAYOUT_FAULTS = """
(() => {
  const width = document.documentElement.clientWidth, faults = [];
  const name = (element) => `${element.tagName}.${element.getAttribute("class") ?? ""} `
      + element.textContent.trim().slice(0, 40);
  for (const element of document.body.querySelectorAll("*")) {
    const box = element.getBoundingClientRect();
    if (!box.width || element.closest(".scroll, svg, .skip, .unseen")) continue;
    if (box.left < -1 || box.right > width + 1) faults.push(`off the page: ${name(element)}`);
  }
  for (const text of document.querySelectorAll("figure svg text")) {
    const box = text.getBoundingClientRect();
    const frame = text.closest("figure").getBoundingClientRect();
    if (!box.width) continue;
    if (box.left < frame.left - 1 || box.right > frame.right + 1)
      faults.push(`clipped: ${name(text)}`);
  }
  for (const region of document.querySelectorAll(".scroll")) {
    const isCut = region.scrollWidth > region.clientWidth + 1;
    const mask = getComputedStyle(region).maskImage;
    if (isCut && (mask === "none" || !region.querySelector(".hint").getClientRects().length))
      faults.push(`cut off without a cue: ${region.getAttribute("aria-label")}`);
  }
  const first = document.querySelector("figure.chart");
  if (first && first.getBoundingClientRect().top + scrollY > 2 * innerHeight)
    faults.push(`first chart at ${first.getBoundingClientRect().top + scrollY}`);
  return faults;
})()
"""
PATIENCE = 60.0  # seconds for an answer: a busy machine starts Chromium slowly


def find_browser() -> str | None:
    """The path of a Chromium, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Page:
    """One open page, and everything that it said and asked for."""

    def __init__(self, send: Callable[..., Any], pump: Callable[..., Any]) -> None:
        self._send = send
        self._pump = pump
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.is_loaded = False

    def notice(self, method: str, values: dict[str, Any]) -> None:
        """Take in an event of the browser."""
        if method == "Network.requestWillBeSent":
            self.requests.append(values["request"]["url"])
        elif method == "Network.webSocketCreated":
            self.requests.append(values["url"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(str(values["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and values["type"] in {"error", "warning"}:
            self.complaints.append(str(values["args"]))
        elif method == "Log.entryAdded":
            self.complaints.append(values["entry"]["text"])
        elif method == "Page.loadEventFired":
            self.is_loaded = True

    def open(self, url: str, *, settle: float = 0.5) -> None:
        """Load a page, and watch it for some seconds longer."""
        self.is_loaded = False
        self._send("Page.navigate", url=url)
        end = time.monotonic() + PATIENCE
        while not self.is_loaded:
            assert time.monotonic() < end, f"{url} was not loaded in {PATIENCE} seconds"
            self._pump(0.1)
        end = time.monotonic() + settle
        while time.monotonic() < end:
            self._pump(0.1)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, as JSON gives it; of a promise, what it keeps."""
        answer = self._send(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def look(self, *, width: int, height: int = 900, scheme: str = "light") -> None:
        """Set the window's size and the preferred colour scheme."""
        self._send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self._send("Emulation.setEmulatedMedia", features=[feature])

    def layout_faults(self) -> list[str]:
        """What of the open page a reader could not see, each in a few words."""
        return self.evaluate(LAYOUT_FAULTS)

    def press(self, key: str) -> None:
        """Press and release a key that writes nothing, such as `ArrowRight`."""
        code = {"ArrowLeft": 37, "ArrowRight": 39, "Escape": 27}[key]
        for kind in ("rawKeyDown", "keyUp"):
            self._send("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code)

    def screenshot(self, path: Path) -> None:
        """Save the whole page as a PNG."""
        answer = self._send("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(answer["data"]))


@contextlib.contextmanager
def open_browser(browser: str, profile: Path) -> Iterator[Page]:
    """Start a browser with an empty profile and give one blank page of it.

    Args:
        browser: Its path.
        profile: A folder of its own.
    """
    to_browser, from_us = os.pipe()
    from_browser, to_us = os.pipe()
    command = [sys.executable, "-c", LAUNCH, str(to_browser), str(to_us), browser, *FLAGS]
    with subprocess.Popen(
        [*command, f"--user-data-dir={profile}", "about:blank"],
        pass_fds=(to_browser, to_us),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        os.close(to_browser)
        os.close(to_us)
        connection = _Connection(from_us, from_browser)
        try:
            yield connection.attach()
        finally:
            with contextlib.suppress(OSError, AssertionError):
                connection.send("Browser.close")
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
            os.close(from_us)
            os.close(from_browser)


class _Connection:
    """Messages to and from one browser."""

    def __init__(self, out: int, into: int) -> None:
        self._out = out
        self._into = into
        self._rest = b""
        self._count = 0
        self._answers: dict[int, Any] = {}
        self._session: str | None = None
        self._page: Page | None = None

    def attach(self) -> Page:
        targets = self.send("Target.getTargets")["targetInfos"]
        target = next(t["targetId"] for t in targets if t["type"] == "page")
        session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._session = session
        self._page = Page(self.send, self.pump)
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.send(f"{domain}.enable")
        return self._page

    def send(self, method: str, **values: Any) -> Any:
        self._count += 1
        number = self._count
        message: dict[str, Any] = {"id": number, "method": method, "params": values}
        if self._session is not None and not method.startswith(("Browser.", "Target.")):
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + PATIENCE
        while number not in self._answers:
            assert time.monotonic() < end, f"no answer to {method} in {PATIENCE} seconds"
            self.pump(0.5)
        answer = self._answers.pop(number)
        assert "error" not in answer, (method, answer)
        return answer["result"]

    def pump(self, seconds: float) -> None:
        """Take in what the browser says within some seconds."""
        if not select.select([self._into], [], [], seconds)[0]:
            return
        part = os.read(self._into, 1 << 20)
        assert part, "the browser has ended"
        *messages, self._rest = (self._rest + part).split(b"\0")
        for message in map(json.loads, messages):
            if "id" in message:
                self._answers[message["id"]] = message
            elif self._page is not None:
                self._page.notice(message["method"], message.get("params", {}))
