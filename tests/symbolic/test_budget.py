"""The time budget: it ends what does not end, nests, and leaves the process as it found it."""

import signal
import threading
import time

import pytest

from symdsm.symbolic.budget import OutOfTime, bounded


def forever():
    while True:
        try:
            sum(range(1000))
        except Exception:
            pass


def elsewhere(function):
    """Run in another thread; hand back its result or error."""
    out = []

    def run():
        try:
            out.append(function())
        except BaseException as error:
            out.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(10)
    return out[0]


def test_result_and_errors_pass_through():
    assert bounded(5, lambda a, b: a + b, 1, 2) == 3
    with pytest.raises(ZeroDivisionError):
        bounded(5, lambda: 1 / 0)
    assert elsewhere(lambda: bounded(5, lambda a, b: a + b, 1, 2)) == 3
    assert isinstance(elsewhere(lambda: bounded(5, lambda: 1 / 0)), ZeroDivisionError)


def test_main_thread_is_interrupted():
    began = time.monotonic()
    with pytest.raises(OutOfTime, match="forever"):
        bounded(0.1, forever)
    assert time.monotonic() - began < 2
    with pytest.raises(OutOfTime):
        bounded(0, forever)


def test_other_thread_is_interrupted():
    assert isinstance(elsewhere(lambda: bounded(0.1, forever)), OutOfTime)


@pytest.mark.parametrize("run", [lambda f: f(), elsewhere], ids=["main", "other"])
def test_nested_budgets(run):
    def inner_first():
        try:
            bounded(0.05, forever)
        except OutOfTime:
            return "inner"

    def outer_first():
        bounded(30, forever)

    assert run(lambda: bounded(5, inner_first)) == "inner"

    def ended():
        with pytest.raises(OutOfTime, match="outer_first"):
            bounded(0.05, outer_first)
        return "outer"

    assert run(ended) == "outer"


def test_outer_budget_goes_on_after_an_inner_one():
    def body():
        bounded(0.5, lambda: None)
        forever()

    with pytest.raises(OutOfTime, match="body"):
        bounded(0.1, body)


def test_foreign_timer_and_handler_are_put_back():
    rang = []
    before = signal.signal(signal.SIGALRM, lambda *_: rang.append(1))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.15)
        bounded(5, lambda: None)
        assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 0.15
        time.sleep(0.3)
        assert rang == [1]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_interruption_inside_a_destructor_comes_again_without_noise(capsys):
    class Slow:
        def __del__(self):
            time.sleep(0.2)

    def body():
        Slow()
        forever()

    with pytest.raises(OutOfTime):
        bounded(0.05, body)
    assert "Interruption" not in capsys.readouterr().err


@pytest.mark.parametrize("run", [lambda f: f(), elsewhere], ids=["main", "other"])
def test_a_second_is_one_of_the_thread_itself(run):
    def waits_for_its_turn():
        time.sleep(0.4)
        return "done"

    assert run(lambda: bounded(0.1, waits_for_its_turn)) == "done"


def test_sleep_ends_by_the_wall_clock():
    began = time.monotonic()
    with pytest.raises(OutOfTime):
        bounded(0.1, time.sleep, 30)
    assert time.monotonic() - began < 5
