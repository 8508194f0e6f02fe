"""A verdict rests on facts: what proves a restart, what disproves it, and what does neither.

Each case was a wrong verdict once: a restart called confirmed without one, a restarted device said
to be running on.
"""

import re
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootwatch import attempt
from bootwatch.evidence import Evidence, Reading, parse_uptime
from scripted import RECIPE, page


def test_an_error_page_and_three_lost_probes_are_no_proof(world, script):
    """The act is answered by 200 with an error page, and the device is only silent for a while."""

    def fail_three_times() -> bytes:
        left = iter(range(4))
        script.replies["/"] = lambda: page("hello") if next(left, None) is None else None
        return page("error 17: not possible")

    script.replies["/act"] = fail_three_times
    told = world.reboot(expect=12)  # the old session lives on, so that a check failed
    assert told["reason"] == "old-session"
    script.replies["/inside"] = page("who are you?")  # a device that shows no such page
    told = world.reboot("--force", expect=13)
    assert (told["verdict"], told["facts"]["proof"]) == ("probably restarted", "none")
    assert world.attempts()[0].verdict == 13


def test_its_own_words_and_a_dead_session_are_a_proof(world, script):
    """Both together confirm; its words alone do not, and nor does an error page."""
    script.replies["/act"] = script.restart()
    assert "old session is dead" in world.reboot(expect=0)["facts"]["proof"]
    script.replies["/act"] = script.restart(text="error 17")
    assert world.reboot("--force", expect=13)["reason"] == "no-proof"


def test_its_words_and_a_serial_page_that_was_gone_are_a_proof(world, script):
    """Where no session can be looked at; not if that page answered while the probes failed."""
    script.replies["/inside"] = page("nothing here")
    script.replies["/act"] = script.restart()
    assert "serial page was gone" in world.reboot(expect=0)["facts"]["proof"]

    def fail_the_probe_only() -> bytes:
        script.replies["/"] = None
        threading.Timer(0.4, script.replies.pop, ("/",)).start()
        return page("restarting")

    script.replies["/act"] = fail_the_probe_only
    assert world.reboot("--force", expect=13)["facts"]["proof"] == "none"


@pytest.mark.parametrize(
    ("before", "after", "code", "reason"),
    [
        ("uptime=5000", "uptime=3", 0, "confirmed"),
        ("uptime=5000", "uptime=5001", 7, "went-on"),
        ("boots=6", "boots=7", 0, "confirmed"),
        ("boots=6", "boots=6", 7, "went-on"),
        ("nothing", "nothing", 13, "no-proof"),
    ],
)
def test_a_counter_decides(world, script, before, after, code, reason):
    """An uptime that went back or another count of starts proves it; the same one disproves it."""
    recipe = RECIPE.replace(
        "capture = {", "capture = { uptime = 'uptime=(.+)', boots = 'boots=(.+)',"
    )
    script.use(recipe)
    script.replies["/inside"] = page("nothing here")
    script.replies["/about"] = page(f"serial=4711 {before}")

    def act() -> bytes:
        script.replies["/about"] = page(f"serial=4711 {after}")
        return script.restart(text="error")()

    script.replies["/act"] = act
    assert world.reboot(expect=code)["reason"] == reason


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("93784", 93784),
        ("1 day, 2:03:04", 93784),
        ("1d 2h 3m 4s", 93784),
        ("1 Tag, 2 Stunden, 3 Minuten", 93780),
        ("26:03:04", 93784),
        ("17 Std. 5 Min.", 61500),
        ("up 5 min", 300),
        ("for ages", None),
        ("", None),
    ],
)
def test_uptimes_are_read_as_devices_write_them(text, seconds):
    """Seconds, clocks, and numbers with units, in English and German."""
    assert parse_uptime(text) == seconds


@given(
    st.floats(min_value=100, max_value=1e7), st.floats(min_value=1, max_value=600), st.booleans()
)
def test_an_uptime_never_proves_what_did_not_happen(before, elapsed, restarted):
    """Rounded to minutes, it proves restarts only, and disproves only where there was none."""
    after = elapsed / 2 if restarted else before + elapsed
    evidence = Evidence(
        before=Reading(uptime=before // 60 * 60, at=0.0),
        after=Reading(uptime=after // 60 * 60, at=elapsed),
        said_so=False,
        session_died=None,
        serial_looks=0,
        serial_gone=0,
    )
    assert evidence.proof() is None or restarted
    assert evidence.disproof() is None or not restarted or before < 4 * 60 + elapsed


def test_a_redirect_to_the_act_is_watched(world, script):
    """A 302 that no rule knows is no failure: whether the device goes down will be seen."""
    recipe = RECIPE.replace("status = [200, 302]", "status = [204]")
    script.use(recipe)
    restart = script.restart()
    script.replies["/act"] = lambda: (
        restart() and page("", "Location: /wait.html", status="302 Found")
    )
    world.reboot(expect=13)
    script.replies["/act"] = page("", "Location: /wait.html", status="302 Found")
    world.sections["verify"]["down_within"] = "200ms"
    assert world.reboot("--force", expect=7)["reason"] == "act-failed"


def test_silence_is_seen_although_the_timeout_is_long(world, script, monkeypatch):
    """Connections are accepted and not answered for longer than a probe may take: it is down.

    A probe that waits for the whole timeout would be answered at last, and see nothing.
    """
    monkeypatch.setattr(attempt, "SHORTEST_PATIENCE", 0.3)
    world.sections[""]["timeout"] = "30s"
    world.sections["verify"] |= {"down_within": "20s"}

    def act() -> bytes:
        script.silent.set()
        threading.Thread(target=script.be_silent, args=(1.5,), daemon=True).start()
        script.session = None
        return page("restarting")

    script.replies["/act"] = act
    told = world.reboot(expect=0)
    assert told["downtime_s"] > 0.5


@pytest.mark.usefixtures("script")
def test_the_deadline_bounds_the_wait_for_going_down(world):
    """`down_within` is longer: the attempt still ends by the deadline, and says so."""
    world.sections["verify"] |= {"down_within": "10min", "deadline": "500ms"}
    told = world.reboot(expect=7)
    assert re.search(r"kept answering for \d{3}ms", told["message"])


def test_a_restart_within_the_wait_for_the_reply_is_seen(world, script, monkeypatch):
    """The reply to the act never comes, and the device is back before that is given up.

    A device that only keeps this one request waiting is not held for restarted.
    """
    monkeypatch.setattr(attempt, "SHORTEST_PATIENCE", 0.2)
    world.sections[""]["timeout"] = "6s"

    def hang(seconds: float) -> None:
        script.closing.wait(seconds)

    def act() -> None:
        script.be_silent(0.5)
        hang(6.5)

    script.replies["/act"] = act
    told = world.reboot(expect=12)
    assert (told["reason"], told["facts"]["went down"]) == ("old-session", "once")
    world.sections[""]["timeout"] = "2s"
    script.replies["/act"] = lambda: hang(2.5)
    assert world.reboot("--force", expect=7)["reason"] == "kept-running"


NO_REFUSAL = {
    "busy": page("busy", status="503 Service Unavailable"),
    "too many requests": page("slow down", status="429 Too Many Requests"),
    "a page that asks for patience": page("please wait until the system is ready"),
    "an error of the server": page("oops", status="500 Internal Server Error"),
    "a blank page": page(),
    "a move to another page": page("", "Location: /wizard", status="302 Found"),
}


@pytest.mark.parametrize("reply", NO_REFUSAL.values(), ids=NO_REFUSAL)
def test_a_session_page_that_only_fails_is_no_dead_session(world, script, reply):
    """The device said that it restarts, was silent, and is too busy to show the page: no proof."""

    def act() -> bytes:
        script.replies["/inside"] = reply
        return script.restart()()

    script.replies["/act"] = act
    told = world.reboot(expect=13)
    assert told["facts"]["proof"] == "none"
    assert told["facts"]["old session"].startswith("unclear (status ")


def test_a_refusal_with_another_token_and_time_is_one(world, script):
    """The page for strangers holds a token and a clock, which differ; or a rule says so."""
    login = "<form>who are you? it is {} <input name=token value={}></form>"
    replies = iter((login.format("03:30", "aa11"), login.format("03:31", "bb22")))

    def inside() -> bytes:
        own = script.session is not None and f"sid={script.session}" in script.heads[-1]
        return page("inside" if own else next(replies))

    script.replies |= {"/inside": inside, "/act": script.restart()}
    assert "old session is dead" in world.reboot(expect=0)["facts"]["proof"]
    script.use(RECIPE.replace('"inside" }]', '"inside" }, { means = "refused", text = "^no$" }]'))
    script.replies.pop("/inside")

    def act() -> bytes:
        script.replies["/inside"] = page("no")
        return script.restart()()

    script.replies["/act"] = act
    assert "old session is dead" in world.reboot("--force", expect=0)["facts"]["proof"]
