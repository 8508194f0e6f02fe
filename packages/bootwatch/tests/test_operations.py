"""What surrounds a restart: watching, metrics, messages, history, units and trust."""

import json
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bootwatch.ledger import Ledger
from bootwatch.metrics import write_metrics
from bootwatch.page import make_page
from bootwatch.simulator import Fault
from bootwatch.verdicts import Verdict


def test_watching_restarts_only_after_failures_in_a_row(world):
    """Two dead probes of SIP lead to one restart; the next two meet the rate limit."""
    device, simulator = world.device(sip=True)
    world.sections["watch"] = {"every": "20ms", "failures": 2}
    assert world.run("watch", "tk", "--rounds", "3", expect=0).stdout == ""
    assert device.boots == 0
    world.sections["verify"]["sip"] = f"127.0.0.1:{simulator.port}"  # nobody speaks SIP there
    world.sections["verify"]["deadline"] = "1s"
    world.sections[""]["timeout"] = "300ms"
    told = world.run("watch", "tk", "--rounds", "4", "-v", expect=9)
    assert device.boots == 1
    assert "failed, 2 in a row" in told.stderr
    assert [one.verdict for one in world.attempts()] == [
        Verdict.RATE_LIMITED,
        Verdict.CHECK_FAILED,
    ]


def test_watching_by_the_web_page_notices_a_device_that_is_off(world):
    """Without SIP the web page is probed; a restart of a device that is off gives 6."""
    _, simulator = world.device()
    world.sections["watch"] = {"every": "20ms", "failures": 2}
    world.run("watch", "tk", "--rounds", "3", expect=0)
    simulator.switch_off()
    world.run("watch", "tk", "--rounds", "2", expect=6)


def test_metrics_tell_success_downtime_and_results(world):
    """After a restart and a refusal by the rate limit, the text file has both, parsed."""
    world.device()
    told = world.reboot(expect=0)
    world.reboot(expect=9)
    text = (world.state / "tk.prom").read_text("utf-8")
    values = {
        (sample.name, sample.labels.get("reason", "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert values["bootwatch_results", "confirmed"] == 1
    assert values["bootwatch_results", "too-soon"] == 1
    assert values["bootwatch_downtime_seconds", ""] == pytest.approx(told["downtime_s"], abs=0.01)
    last, success = (
        values[f"bootwatch_last_{what}_timestamp_seconds", ""] for what in ("attempt", "success")
    )
    newest, oldest = world.attempts()
    assert (last, success) == (newest.started.wall, oldest.started.wall)


apprise_is_old = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


def test_metrics_of_a_device_without_attempts_have_no_values(tmp_path: Path):
    """Nothing is made up: no time stamp of 1970, no downtime of 0."""
    with Ledger(tmp_path) as ledger:
        write_metrics(ledger, "tk", tmp_path / "tk.prom")
    families = text_string_to_metric_families((tmp_path / "tk.prom").read_text("utf-8"))
    assert [sample for family in families for sample in family.samples] == []


@apprise_is_old
def test_people_are_told_of_failures_and_not_of_successes(world, inbox):
    """One message for a refused password, without the password; none for a good restart."""
    address, heard = inbox
    world.device()
    world.sections["notify"]["urls"] = [address]
    world.reboot(expect=0)
    assert heard == []
    world.device(Fault.WRONG_PASSWORD)
    world.sections["notify"]["urls"] = [address]
    world.reboot("--force", expect=3)
    (message,) = heard
    world.search(message)
    assert json.loads(message)["title"] == "tk: login refused"


@apprise_is_old
def test_watching_tells_the_same_news_once(world, inbox):
    """A device that stays away makes a message once, not after each series of probes."""
    address, heard = inbox
    _, simulator = world.device()
    simulator.switch_off()
    world.sections["watch"] = {"every": "10ms", "failures": 1}
    world.sections["notify"]["urls"] = [address]
    world.run("watch", "tk", "--rounds", "2", expect=6)
    assert len(world.attempts()) == 2
    assert len(heard) == 1


@apprise_is_old
def test_a_message_that_nobody_takes_changes_no_verdict(world):
    """An address that is none, and one where nobody listens, are told on stderr, by number."""
    world.device()
    world.sections["notify"] = {"urls": ["nonsense:/x"], "success": True, "textfile": "no/tk.prom"}
    told = world.run("reboot", "tk", expect=0).stderr
    assert "notify.urls[0]" in told
    assert "no/tk.prom" in told
    world.sections["notify"] = {"urls": ["json://127.0.0.1:1"]}
    assert "`notify.urls[0]` did not take the message" in world.run("reboot", "tk", expect=9).stderr
    world.sections["notify"] = {"textfile": "tk\0.prom"}  # a name that no file can have
    assert "ValueError: embedded null byte" in world.run("reboot", "tk", expect=9).stderr


class _Text(HTMLParser):
    """Collects the tags and the cells of a page."""

    def __init__(self):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.cells: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.tags and self.tags[-1][0] == "td":
            self.cells.append(data)


def test_the_history_is_a_table_json_and_a_page(world):
    """All three show each attempt; the page has one circle for each and loads nothing."""
    world.device()
    world.reboot(expect=0)
    world.reboot(expect=9)
    listed = json.loads(world.run("history", "tk", "--json", expect=0).stdout)
    assert [one["code"] for one in listed] == [9, 0]
    table = world.run("history", expect=0).stdout
    assert "rate-limited" in table
    assert "confirmed" in table
    parsed = _Text()
    page = world.run("history", "--html", expect=0).stdout
    parsed.feed(page)
    assert sum(tag == "circle" for tag, _ in parsed.tags) == 2
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in parsed.tags}
    assert "http" not in page
    assert "rate-limited" in parsed.cells


def test_an_empty_history_is_a_page_too(tmp_path: Path):
    """A new ledger has no attempts and draws none; odd texts are escaped."""
    assert "<svg" not in make_page([])
    with Ledger(tmp_path) as ledger:
        number = ledger.begin("<tk>", phase="limit")
        ledger.finish(
            number, verdict=Verdict.NOT_BACK, reason="&", downtime=1e6, seconds=1.0, facts={}
        )
        page = make_page(ledger.attempts())
    assert "&lt;tk&gt;" in page
    assert "<tk>" not in page


needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="needs systemd-analyze"
)


@needs_systemd
def test_the_units_are_right_and_hardened(world, tmp_path):
    """`systemd-analyze verify` finds nothing, `security` calls the service safe enough."""
    world.device()
    world.sections[""]["password"] = {"credential": "tk"}
    written = world.run("install", "tk", "--into", str(tmp_path), expect=0).stdout.split()
    written += world.run(
        "install", "tk", "--watch", "--into", str(tmp_path), expect=0
    ).stdout.split()
    assert {Path(one).name for one in written} == {
        "bootwatch-tk.service",
        "bootwatch-tk.timer",
        "bootwatch-tk-failed.service",
        "bootwatch-tk-watch.service",
    }
    checked = subprocess.run(
        ["systemd-analyze", "verify", *written],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "bootwatch-tk" not in checked.stdout + checked.stderr
    for service in (one for one in written if one.endswith(".service")):
        rated = subprocess.run(
            ["systemd-analyze", "security", "--offline=true", "--threshold=20", service],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert rated.returncode == 0, rated.stdout + rated.stderr


@needs_systemd
def test_a_time_that_systemd_cannot_read_is_refused(world):
    """It would make a timer that never runs: exit 2, and nothing is written."""
    world.device()
    world.sections[""]["password"] = {"credential": "tk"}
    into = ("--into", str(world.folder))
    told = world.run("install", "tk", "--on-calendar", "--nonsense", *into, expect=2).stderr
    assert "systemd cannot read" in told
    assert not list(world.folder.glob("*.timer"))


def test_units_are_printed_for_a_credential_only(world):
    """`--print` writes nothing; a password file of the user's is refused for a service."""
    world.device()
    assert "credential = ..." in world.run("install", "tk", "--print", expect=2).stderr
    world.sections[""]["password"] = {"credential": "tk"}
    shown = world.run("install", "tk", "--on-calendar", "Mon 04:00", "--print", expect=0).stdout
    assert f"LoadCredential=tk:{world.folder}/tk.password" in shown
    assert "OnCalendar=Mon 04:00" in shown
    for line in ("DynamicUser=yes", "ProtectSystem=strict"):
        assert line in shown
    assert "Persistent" not in shown
    told = world.run("install", "tk", "--into", str(world.folder / "nowhere"), expect=2).stderr
    assert "cannot be written" in told
    assert "one line" in world.run("install", "tk", "--on-calendar", " ", expect=2).stderr
    shown = world.run("install", "tk", "--on-calendar", "Mon 04:00", "--print", expect=0, PATH="")
    assert "OnCalendar=Mon 04:00" in shown.stdout, "systemd need not be installed here"
    world.sections[""]["password"] = {"credential": "a b"}
    assert "rename it" in world.run("install", "tk", "--print", expect=2).stderr


def test_the_line_for_cron_is_daily(world):
    """Half past three becomes `30 3 * * *`; what cron cannot say is refused."""
    world.device()
    line = world.run("install", "tk", "--cron", "--on-calendar", "*-*-* 03:30", expect=0).stdout
    assert line.startswith("30 3 * * * ")
    assert " reboot tk --config " in line
    told = world.run("install", "tk", "--cron", "--on-calendar", "Mon 04:00", expect=2).stderr
    assert "a daily time was expected" in told


def test_trust_asks_and_refuses(world):
    """Plain HTTP has no certificate; an answer that is not yes stores nothing."""
    _, simulator = world.device()
    assert "plain HTTP" in world.run("trust", "tk", expect=2).stderr
    world.sections[""]["url"] = simulator.url.replace("http:", "https:")
    assert "No certificate came" in world.run("trust", "tk", expect=1).stderr
    world.device(tls=True)
    asked = world.run("trust", "tk", expect=1)  # nobody answers the question
    assert "Trust it?" in asked.stderr
    assert not (world.folder / "tk.fingerprint").exists()
    world.run("trust", "tk", answer="n\n", expect=11)
    assert not (world.folder / "tk.fingerprint").exists()
    world.run("trust", "tk", "--yes", expect=0)
    assert "trusted already" in world.run("trust", "tk", expect=0).stderr
    (world.folder / "tk.fingerprint").write_text("nonsense", encoding="ascii")
    assert "run `bootwatch trust` again" in world.run("check", "tk", expect=2).stderr
