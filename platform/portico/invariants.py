"""What must hold before Portico serves: durable commits, readable secrets, a server that keeps data."""

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from redis import Redis, RedisError

from common.keyring import ring
from common.vault import missing_kids


def database_problems() -> list[str]:
    """Sentences about a database session that would lose what was committed.

    Raises ``django.db.OperationalError`` where the database does not answer.
    """
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA journal_mode")
            journal = str(cursor.fetchone()[0]).lower()
            cursor.execute("PRAGMA synchronous")
            synchronous = int(cursor.fetchone()[0])
            problems = []
            if journal != "wal":
                problems.append(
                    f"SQLite's journal mode is {journal}, not WAL; put the file on a local disk (not a network folder)."
                )
            if synchronous < 2:
                problems.append("SQLite's synchronous mode is below FULL; remove what overrides it.")
            return problems
        cursor.execute("show synchronous_commit")
        commit = str(cursor.fetchone()[0])
        cursor.execute("show fsync")
        fsync = str(cursor.fetchone()[0])
    problems = []
    if commit == "off":
        problems.append(
            "PostgreSQL's synchronous_commit is off, so an answered call could lose its audit row; run: "
            "ALTER ROLE <Portico's user> SET synchronous_commit = on."
        )
    if fsync != "on":
        problems.append(
            "PostgreSQL's fsync is off, so a power cut loses data; write fsync = on in postgresql.conf."
        )
    return problems


def key_problems() -> list[str]:
    """A sentence where stored secrets were encrypted with a key that the ring does not hold."""
    from tenants.models import Tenant

    try:
        ring()
    except ImproperlyConfigured as error:
        return [str(error)]
    if Tenant._meta.db_table not in connection.introspection.table_names():
        return []
    missing = missing_kids(Tenant.objects.values_list("wrapped_data_key", flat=True).iterator())
    if not missing:
        return []
    return [
        f"Stored secrets were encrypted with {', '.join(sorted(missing))}, which PORTICO_KEYS does not hold; "
        "add the key back behind the first one."
    ]


def redis_problems(client: "Redis | None" = None) -> list[str]:
    """A sentence where the Redis server may throw users' data away.

    Raises ``redis.RedisError`` where it does not answer. Managed servers that forbid CONFIG
    are not judged.
    """
    owned = client or Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2)
    try:
        owned.ping()
        try:
            policy = owned.config_get("maxmemory-policy").get("maxmemory-policy", "noeviction")
        except RedisError:
            return []
    finally:
        if client is None:
            owned.close()
    if policy == "noeviction":
        return []
    return [
        f"Redis evicts keys (maxmemory-policy is {policy}), and the memory connector keeps users' data there; "
        "set maxmemory-policy to noeviction."
    ]
