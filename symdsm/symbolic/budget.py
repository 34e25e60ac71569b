"""A time budget for one call.

SymPy answers most questions in milliseconds and a few never. Every open-ended call of this room (`integrate`,
`simplify`, `Matrix.exp`) therefore runs inside `bounded`, and its caller holds an exact fallback.

A second is one of the calling thread's own processor time, so that a busy machine answers what an idle one does; a
call that sleeps ends after WALL times as many seconds on the wall's clock.

In the main thread the budget is watched by a POSIX interval timer (SIGALRM). Elsewhere, and where SIGALRM does not
exist, a watching thread raises the same interruption in the calling thread at its next bytecode. Both
interrupt Python code only: one C call (the power of two large integers) runs to its end, so sizes are
limited separately, in `symdsm.symbolic.limits`. Budgets nest; an outer one that ends first wins. A timer
and a handler set by somebody else are put back with the time that they had left.

The interruption is a BaseException, because SymPy catches `Exception` in places, and it is repeated until
it arrives: a destructor, where Python drops every exception, may swallow the first. A result of SymPy's
own cache may stay incomplete after it ("unknown"), never wrong.
"""

import ctypes
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

__all__ = ["OutOfTime", "bounded"]

WALL, _REPEAT = 8.0, 0.25
_open: list["_Interruption"] = []


class OutOfTime(Exception):
    """The call did not end within its budget."""


class _Interruption(BaseException):
    """Raised when `left` has come down to zero."""

    def __init__(self, seconds: float | int = 0.0, processor: Callable[[], float] = time.thread_time):
        self._processor, self._until = processor, processor() + seconds
        self._wall_until = time.monotonic() + WALL * seconds

    def left(self) -> float:
        """Seconds for which the budget is certain to last."""
        return min(self._until - self._processor(), self._wall_until - time.monotonic())


def bounded[T](seconds: float | int, function: Callable[..., T], *args: Any) -> T:
    """`function(*args)`, or OutOfTime after `seconds`.

    Errors of the function pass through. It works in any thread, nests, and leaves timers and handlers alone.
    """
    if seconds <= 0:
        raise OutOfTime(f"no time left for {getattr(function, '__name__', function)}")
    if hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread():
        return _by_signal(seconds, function, args)
    return _by_watcher(seconds, function, args)


def _by_signal(seconds: float | int, function: Callable, args: tuple) -> Any:
    own = _Interruption(seconds)
    foreign_left, foreign_every = signal.setitimer(signal.ITIMER_REAL, 0)
    began = time.monotonic()
    foreign_handler = signal.signal(signal.SIGALRM, _interrupt)
    foreign_hook = sys.unraisablehook

    def quiet(report) -> None:
        if not isinstance(report.exc_value, _Interruption):
            foreign_hook(report)

    sys.unraisablehook = quiet
    _open.append(own)
    try:
        try:
            _arm()
            return function(*args)
        finally:
            # The list first: an alarm that comes now must not find this budget open.
            _open[:] = [each for each in _open if each is not own]
            signal.setitimer(signal.ITIMER_REAL, 0)
    except _Interruption as interruption:
        _open[:] = [each for each in _open if each is not own]
        signal.setitimer(signal.ITIMER_REAL, 0)
        if interruption is not own:
            raise
        raise OutOfTime(f"{getattr(function, '__name__', function)} took more than {seconds:g} s") from None
    finally:
        sys.unraisablehook = foreign_hook
        signal.signal(signal.SIGALRM, foreign_handler)
        if _open:
            _arm()
        elif foreign_left:
            left = max(foreign_left - (time.monotonic() - began), 1e-3)
            signal.setitimer(signal.ITIMER_REAL, left, foreign_every)


def _arm() -> None:
    nearest = min(each.left() for each in _open)
    signal.setitimer(signal.ITIMER_REAL, max(nearest, 1e-3), _REPEAT)


def _interrupt(number, frame) -> None:
    for each in _open:
        if each.left() <= 0:
            raise each
    if _open:
        _arm()


def _by_watcher(seconds: float | int, function: Callable, args: tuple) -> Any:
    thread = ctypes.c_ulong(threading.get_ident())
    raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
    ended, turn = threading.Event(), threading.Lock()

    own = _Interruption(seconds, _processor_clock())

    # A class of its own for each call, so that nested budgets tell their interruptions apart.
    class Own(_Interruption):
        pass

    def watch() -> None:
        while not ended.wait(max(own.left(), 1e-3) if own.left() > 0 else _REPEAT):
            with turn:
                if not ended.is_set() and own.left() <= 0:
                    raise_in(thread, ctypes.py_object(Own))

    watcher = threading.Thread(target=watch, daemon=True)
    try:
        watcher.start()
        try:
            return function(*args)
        finally:
            _end(ended, turn, raise_in, thread)
    except Own:
        _end(ended, turn, raise_in, thread)
        raise OutOfTime(f"{getattr(function, '__name__', function)} took more than {seconds:g} s") from None


def _processor_clock() -> Callable[[], float]:
    """The calling thread's processor time, readable from another thread; the wall's where there is no such clock."""
    if not hasattr(time, "pthread_getcpuclockid"):
        return time.monotonic
    clock = time.pthread_getcpuclockid(threading.get_ident())
    return lambda: time.clock_gettime(clock)


def _end(ended, turn, raise_in, thread) -> None:
    """Stop the watcher and take back an interruption that is on its way."""
    ended.set()
    with turn:
        raise_in(thread, None)
