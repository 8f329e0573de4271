from django.conf import settings
from django.db import connection

from common.redis import sync_client


def test_the_services_are_real():
    with connection.cursor() as cursor:
        cursor.execute("select 1")
        assert cursor.fetchone() == (1,)
    assert sync_client().ping()
    assert settings.PORTICO_ENV == "test"
