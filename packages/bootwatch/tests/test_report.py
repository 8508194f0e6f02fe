"""Why does it misbehave? The history of probes and what weeks of it say, checked by other means."""

import itertools
import json
import socket
import threading
import warnings
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bootwatch import probe_history
from bootwatch.findings import find
from bootwatch.ledger import Ledger
from bootwatch.report_page import make_report
from bootwatch.survival import compare_rates, kaplan_meier, median, poisson_tail, share_at
from played import DAY, HOUR, play, run

spells = st.lists(
    st.tuples(st.integers(min_value=1, max_value=12).map(float), st.booleans()),
    min_size=1,
    max_size=30,
)


@settings(max_examples=40)
@given(spells)
def test_the_curve_is_that_of_scipy(spells):
    """Kaplan and Meier's estimate and its interval are those of `scipy.stats.ecdf`."""
    stats = pytest.importorskip("scipy.stats")
    failed = [length for length, ended in spells if ended]
    if not failed:
        assert kaplan_meier(spells) == []
        return
    censored = [length for length, ended in spells if not ended]
    data = stats.CensoredData(uncensored=failed, right=censored)
    expected = stats.ecdf(data).sf
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of 0 divided by 0, where there is no interval
        bounds = expected.confidence_interval(method="log-log")
    for step in kaplan_meier(spells):
        place = list(expected.quantiles).index(step.time)
        assert step.share == pytest.approx(expected.probabilities[place], abs=1e-9)
        if 0 < step.share < 1:
            assert step.low == pytest.approx(bounds.low.probabilities[place], abs=1e-6)
            assert step.high == pytest.approx(bounds.high.probabilities[place], abs=1e-6)


@settings(max_examples=40)
@given(
    st.integers(min_value=0, max_value=40),
    st.integers(min_value=0, max_value=40),
    st.floats(min_value=0.1, max_value=10),
)
def test_the_comparison_of_rates_is_the_exact_one(early, late, share):
    """Interval and probability follow from the binomial ones of SciPy."""
    stats = pytest.importorskip("scipy.stats")
    ratio = compare_rates(early, 1.0, late, share)
    if not early + late:
        assert ratio is None
        return
    assert ratio is not None
    tested = stats.binomtest(late, early + late, share / (1 + share))
    bounds = tested.proportion_ci(0.95, method="exact")
    for mine, theirs in ((ratio.low, bounds.low), (ratio.high, bounds.high)):
        expected = theirs / (1 - theirs) / share if theirs < 1 else float("inf")
        assert mine == pytest.approx(expected, rel=1e-6, abs=1e-9)
    tails = [
        stats.binomtest(late, early + late, share / (1 + share), alternative=one).pvalue
        for one in ("less", "greater")
    ]
    assert ratio.p == pytest.approx(min(1.0, 2 * min(tails)), abs=1e-9)
    assert poisson_tail(late, share) == pytest.approx(stats.poisson.sf(late - 1, share), abs=1e-9)


def test_a_median_is_unknown_where_the_curve_stays_up():
    """Two of five failed: nothing is made up."""
    steps = kaplan_meier([(1.0, True), (2.0, True), (9.0, False), (9.0, False), (9.0, False)])
    assert median(steps)[0] is None
    assert share_at(steps, 0.5).share == 1.0
    assert share_at(steps, 100.0).share == pytest.approx(0.6)


def verdict_of(**kind) -> str:
    """Return the verdict on a played device."""
    runs, attempts = play(**kind)
    return find(runs, attempts, now=1.7e9 + 61 * DAY).verdict


def test_restarts_that_help_are_told_from_those_that_do_not():
    """A device that wears out is found out; of those that do not, 5 % are taken for one by chance.

    At most 10 of 100 are allowed here: more has a probability of 1 % with 5 % each.
    """
    for seed in range(5):
        assert verdict_of(wears_out=True, seed=seed).startswith("Restarts seem to help: ")
    wrong = sum(
        not verdict_of(wears_out=False, seed=seed).startswith("No sign") for seed in range(100)
    )
    assert wrong <= 10


def test_few_failures_are_called_few():
    """After three nights nothing is said about restarts."""
    runs, attempts = play(wears_out=True, nights=3)
    found = find(runs, attempts, now=1.7e9 + 4 * DAY)
    assert found.verdict.startswith("Too early to say")


def test_what_a_restart_causes_is_no_failure():
    """Probes that fail while the device restarts are the restart's own."""
    runs, attempts = play(wears_out=False, nights=2)
    restart = attempts[0].started.wall
    own = run("web", restart + 30, restart + 90, ok=False)
    before = find(runs, attempts, now=1.7e9 + 3 * DAY).outages
    assert find([*runs, own], attempts, now=1.7e9 + 3 * DAY).outages == before
    real = run("web", restart - HOUR, restart - HOUR + 60, ok=False)
    more = find([*runs, real], attempts, now=1.7e9 + 3 * DAY).outages
    assert len(more) == len(before) + 1


class _Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def test_the_page_loads_nothing_and_shows_every_failure():
    """One row for each failure, three drawings, and nothing from anywhere."""
    runs, attempts = play(wears_out=True)
    found = find(runs, attempts, now=1.7e9 + 61 * DAY)
    page = make_report("<tk>", found)
    parsed = _Tags()
    parsed.feed(page)
    names = [tag for tag, _ in parsed.tags]
    assert names.count("svg") == 3
    assert names.count("tr") == 1 + len(found.outages)
    assert not {"script", "link", "img", "iframe"} & set(names)
    assert "http" not in page
    assert "<tk>" not in page
    assert "Restarts seem to help" in page
    assert json.loads(json.dumps(found.as_dict()))["verdict"] == found.verdict


@settings(max_examples=12)
@given(st.lists(st.booleans(), max_size=40))
def test_runs_keep_the_count_of_probes(tmp_path_factory, results):
    """However they alternate, all probes are counted; a run has one result."""
    with Ledger(tmp_path_factory.mktemp("state")) as ledger:
        for number, ok in enumerate(results):
            probe_history.book_probe(ledger, "tk", "web", ok=ok, wall=60.0 * number, every=60.0)
        found = probe_history.runs(ledger, "tk")
        assert sum(one.count for one in found) == len(results)
        assert sum(one.failed for one in found) == results.count(False)
        changes = sum(a != b for a, b in itertools.pairwise(results))
        assert len(found) == (changes + 1 if results else 0)
        probe_history.thin(ledger, "tk", wall=60.0 * len(results) + 100 * DAY)
        thinned = probe_history.runs(ledger, "tk")
        assert sum(one.count for one in thinned) == len(results)
        assert sum(one.failed for one in thinned) == results.count(False)
        assert len(thinned) <= len(found)


def test_old_blips_are_merged_and_very_old_runs_forgotten(tmp_path):
    """Twenty single failures of last spring are one row; three years ago is nothing."""
    with Ledger(tmp_path) as ledger:
        for number in range(200):
            ok = number % 10 != 5
            probe_history.book_probe(ledger, "tk", "web", ok=ok, wall=60.0 * number, every=60.0)
        assert len(probe_history.runs(ledger, "tk")) == 41
        probe_history.thin(ledger, "tk", wall=91 * DAY)
        (one,) = probe_history.runs(ledger, "tk")
        assert (one.count, one.failed, one.ok) == (200, 20, True)
        probe_history.thin(ledger, "tk", wall=3 * 365 * DAY)
        assert probe_history.runs(ledger, "tk") == []


def test_a_pause_in_watching_ends_a_run(tmp_path):
    """Nobody knows what happened meanwhile."""
    with Ledger(tmp_path) as ledger:
        for wall in (0.0, 60.0, 1000.0):
            probe_history.book_probe(ledger, "tk", "web", ok=True, wall=wall, every=60.0)
        assert [one.count for one in probe_history.runs(ledger, "tk")] == [2, 1]


def test_watching_keeps_a_history_of_every_probe(world):
    """SIP, registrar, web page and a command of one's own; the page is made from them."""
    device, _ = world.device(sip=True)
    world.sections[""]["timeout"] = "30s"
    world.sections["watch"] = {
        "every": "10ms",
        "failures": 2,
        "restart": False,
        "probes": ["sip", "register", "web", "command"],
        "command": ["false"],
    }
    assert "Nothing was seen" in world.run("report", "tk", expect=2).stderr
    world.run("watch", "tk", "--rounds", "3", expect=0)
    assert device.boots == 0
    with Ledger(world.state) as ledger:
        found = {one.kind: (one.ok, one.count) for one in probe_history.runs(ledger, "tk")}
    assert found == {
        "sip": (True, 3),
        "register": (True, 3),
        "web": (True, 3),
        "command": (False, 3),
    }
    assert "Why does tk misbehave?" in world.run("report", "tk", expect=0).stdout
    told = json.loads(world.run("report", "tk", "--json", expect=0).stdout)
    assert [one["kinds"] for one in told["outages"]] == [["command"]]


def test_a_registrar_that_wants_a_password_works():
    """REGISTER without `Contact` changes nothing; 401 is an answer."""
    from bootwatch.sip import ask

    heard = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        channel.bind(("127.0.0.1", 0))

        def answer() -> None:
            request, sender = channel.recvfrom(65535)
            heard.append(request.decode())
            (own,) = [line for line in request.split(b"\r\n") if line.startswith(b"Call-ID")]
            channel.sendto(b"SIP/2.0 401 Unauthorized\r\n" + own + b"\r\n\r\n", sender)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        target = f"127.0.0.1:{channel.getsockname()[1]}"
        assert ask(target, timeout=10, method="REGISTER") == 401
        thread.join(timeout=10)
    assert heard[0].startswith("REGISTER sip:")
    assert "Contact:" not in heard[0]


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ({"probes": ["command"]}, "needs both or neither"),
        ({"command": ["true"]}, "needs both or neither"),
        ({"probes": ["register"]}, "no `verify.sip`"),
        ({"probes": ["ping"]}, "probes"),
    ],
)
def test_probes_that_cannot_work_are_told(world, settings, hint):
    """A command without a command, SIP without a target, an unknown kind: exit 2."""
    world.device()
    world.sections["watch"] = settings
    assert hint in world.run("plan", "tk", expect=2).stderr


def test_a_ledger_of_the_first_version_is_upgraded(tmp_path):
    """It keeps its attempts, and takes probes."""
    import sqlite3

    with Ledger(tmp_path) as ledger:
        ledger.begin("tk", phase="limit")
    old = sqlite3.connect(tmp_path / "ledger.sqlite")
    old.executescript("DROP TABLE probes; PRAGMA user_version = 1")
    old.close()
    with Ledger(tmp_path) as ledger:
        assert len(ledger.attempts()) == 1
        probe_history.book_probe(ledger, "tk", "web", ok=True, wall=0.0, every=60.0)
        assert len(probe_history.runs(ledger, "tk")) == 1
