"""Doubles: vendors' systems on a socket of this machine, for tests and for who has no account.

A double keeps state, checks each request against OpenAPI documents, and breaks on demand. See
``double.py`` for how one is written, ``faults.py`` for what can go wrong, ``running.py`` for how
they run; ``python -m tests.doubles`` and ``make sandbox`` serve them.
"""
