"""Handles: each ends one registration, once."""

from __future__ import annotations

import threading

from core.handles import Handle


def test_a_handle_undoes_once_however_often_it_is_ended() -> None:
    undone: list[str] = []
    handle = Handle(lambda: undone.append("it"))
    assert not handle.ended
    handle.end()
    handle.end()
    assert handle.ended
    assert undone == ["it"]


def test_threads_that_end_a_handle_at_once_undo_it_once() -> None:
    undone: list[int] = []
    for number in range(200):
        handle = Handle(lambda number=number: undone.append(number))
        gate = threading.Barrier(4)

        def run(handle: Handle = handle, gate: threading.Barrier = gate) -> None:
            gate.wait()
            handle.end()

        threads = [threading.Thread(target=run) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert undone == list(range(200))


def test_an_undo_that_ends_its_own_handle_does_not_run_again() -> None:
    undone: list[str] = []

    def undo() -> None:
        undone.append("it")
        handle.end()

    handle = Handle(undo)
    handle.end()
    assert undone == ["it"]
