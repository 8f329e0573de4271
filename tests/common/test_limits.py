import secrets

from limits.errors import StorageError

from common.limits import take, wait_for


def test_a_use_is_granted_so_often_and_then_the_wait_is_told():
    key = ("sign-in", secrets.token_hex(8))
    assert [take(2, 60, *key) for _ in range(2)] == [0.0, 0.0]
    assert 0 < take(2, 60, *key) <= 61
    assert 0 < wait_for(2, 60, *key) <= 61
    assert take(2, 60, "sign-in", secrets.token_hex(8)) == 0.0


def test_without_redis_the_process_counts(monkeypatch, caplog):
    def away():
        raise StorageError(ConnectionError())

    key = ("sign-in", secrets.token_hex(8))
    monkeypatch.setattr("common.limits._limiter", away)
    assert [take(2, 60, *key) for _ in range(2)] == [0.0, 0.0]
    assert take(2, 60, *key) > 0
    assert len([record for record in caplog.records if "per process" in record.message]) == 1
