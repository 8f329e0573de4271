"""Databases of released versions, and the test that today's code upgrades and reads them.

``released/<version>/`` holds an SQLite file, a PostgreSQL dump, the test key ring that both were
written with, and what must be readable in them (``facts.json``). The secrets in there were made
for this test and open nothing else.
"""
