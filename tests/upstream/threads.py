"""Doing the same at once in several threads that give their database connections back."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connections

T = TypeVar("T")


def at_once(count: int, work: Callable[[], T]) -> list[T]:
    """What ``count`` threads got; raises what one of them raised."""
    with ThreadPoolExecutor(count) as threads:
        return [future.result() for future in [threads.submit(closing, work) for _ in range(count)]]


def closing(work: Callable[[], T]) -> T:
    """Work of a thread, whose connections are closed at its end."""
    try:
        return work()
    finally:
        connections.close_all()
