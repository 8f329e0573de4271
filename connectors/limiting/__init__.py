"""What calls may cost: a tenant's limits, compiled, counted in Redis, and said when they are reached.

:mod:`connectors.limits` is the door; the pieces: ``rules`` (what applies to a tool), ``calendar``
(months), ``script`` (the atomic step in Redis), ``local`` (the same within this process, while
Redis is away), ``verdict`` (what both answer), ``asking`` (Redis, with little patience), ``spent``
(windows that are known to be full), ``seeds`` (a month's use from the database), ``step`` (all of
it together), ``saying`` (the refusal), ``use`` (figures for people).
"""
