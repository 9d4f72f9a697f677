"""Threads that work ahead: order, bounds, errors, and an end wherever the consumer stops."""

import itertools
import threading
import time

import pytest

from mmtranspose.inference.background import Background


def wait_for(condition):
    """Wait at most five seconds; the condition decides, not the time."""
    for _ in range(500):
        if condition():
            return True
        time.sleep(0.01)
    return False


def test_order_through_two_threads():
    with Background() as background:
        doubled = (2 * item for item in background.ahead(range(100), 3))
        assert list(background.ahead(doubled, 2)) == list(range(0, 200, 2))
    assert background.ended


def test_works_in_other_threads():
    def names():
        yield threading.current_thread().name

    with Background() as background:
        assert list(background.ahead(names(), 1)) != [threading.current_thread().name]


def test_no_further_ahead_than_asked():
    made = []

    def items():
        for number in itertools.count():
            made.append(number)
            yield number

    with Background() as background:
        ahead = background.ahead(items(), 3)
        for taken in range(20):
            assert next(ahead) == taken
            # Those taken, three waiting, one in the thread's hand; a thread without a bound would be far beyond.
            assert wait_for(lambda: len(made) == taken + 5)  # noqa: B023  called at once


def test_error_comes_up_where_its_turn_is():
    def items():
        yield 1
        raise ValueError('broken')

    with Background() as background:
        ahead = background.ahead((item for item in background.ahead(items(), 2)), 2)
        assert next(ahead) == 1
        with pytest.raises(ValueError, match='broken'):
            next(ahead)


def test_leaving_ends_threads_and_closes_generators():
    closed = []

    def items():
        try:
            yield from itertools.count()
        finally:
            closed.append(threading.current_thread())

    before = threading.active_count()
    with Background() as background:
        chain = background.ahead((item for item in background.ahead(items(), 1)), 1)
        assert [next(chain), next(chain)] == [0, 1]
    assert background.ended and threading.active_count() == before
    assert len(closed) == 1 and closed[0] is not threading.current_thread()


def test_what_is_no_longer_wanted_is_not_finished():
    finished, held, waits = [], threading.Event(), threading.Event()

    def first():
        yield 1
        waits.wait(5)

    def second(items):
        for _ in items:
            held.set()
        finished.append('end of the input')
        yield 'result'

    with Background() as background:
        background.ahead(second(background.ahead(first(), 1)), 1)
        assert held.wait(5)
        background._stopped.set()
        assert wait_for(lambda: not background._threads[1].is_alive())
        waits.set()
    assert finished == []


def test_newest_where_the_source_does_not_wait():
    ready = threading.Event()

    def items():
        yield from range(50)
        ready.set()
        yield 'end'

    with Background() as background:
        ahead = background.ahead(items(), 1, drops=lambda item: item != 'end')
        first = next(ahead)
        assert ready.wait(5)
        rest = list(ahead)
    assert first <= 49 and rest[-1] == 'end'
    assert len(rest) <= 2 and (len(rest) == 1 or rest[0] > first)
    assert 49 in (first, *rest)


def test_only_droppable_items_are_dropped():
    release = threading.Event()

    def items():
        yield from ('first', 'keep', 1, 2, 3)
        release.set()
        yield 'end'

    with Background() as background:
        ahead = background.ahead(items(), 2, drops=lambda item: isinstance(item, int))
        assert next(ahead) == 'first'
        rest = []
        while 'end' not in rest:
            if len(rest) == 0:
                assert wait_for(lambda: release.is_set())
            rest.append(next(ahead))
    assert rest == ['keep', 3, 'end']
