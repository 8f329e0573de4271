import threading
import uuid

import orjson
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from common import bus as bus_module
from common.bus import Bus, MessageTooLargeError
from common.keyring import ring
from common.redis import sync_client, tenant_key


class Heard:
    """What a subscriber was told."""

    def __init__(self):
        self.messages, self.news = [], threading.Condition()

    def __call__(self, tenant_id, body):
        with self.news:
            self.messages.append((tenant_id, body))
            self.news.notify_all()

    def wait_for(self, count, seconds=5):
        with self.news:
            assert self.news.wait_for(lambda: len(self.messages) >= count, seconds), self.messages
        return self.messages


@pytest.fixture
def buses():
    made = [Bus(), Bus()]
    for one in made:
        one.start()
        assert one.connected.wait(5)
    yield made
    for one in made:
        one.stop()


def test_a_message_reaches_every_process_once(buses):
    here, there, heard, mine = *buses, Heard(), Heard()
    here.subscribe("test", mine)
    there.subscribe("test", heard)
    there.subscribe("test", heard)
    tenant = uuid.uuid4()
    here.publish(tenant, "test", {"n": 1})
    assert mine.messages == [(tenant, {"n": 1})]  # at once
    here.publish(tenant, "test", {"n": 2})
    assert heard.wait_for(2) == [(tenant, {"n": 1}), (tenant, {"n": 2})]
    there.publish(tenant, "test", {"n": 3})
    assert mine.wait_for(3) == [(tenant, {"n": n}) for n in (1, 2, 3)]


async def test_a_message_of_the_event_loop_reaches_the_others(buses):
    here, there = buses
    heard = Heard()
    there.subscribe("test", heard)
    tenant = uuid.uuid4()
    await here.publish_async(tenant, "test", {"text": "ü"})
    assert heard.wait_for(1) == [(tenant, {"text": "ü"})]


def test_nobody_reads_or_forges_messages_on_the_way(buses):
    _, there = buses
    heard, tenant, other = Heard(), uuid.uuid4(), uuid.uuid4()
    there.subscribe("test", heard)
    with sync_client().pubsub() as wire:
        wire.subscribe(tenant_key(tenant, "bus"))
        assert wire.get_message(timeout=5)["type"] == "subscribe"
        buses[0].publish(tenant, "test", {"word": "planted-word"})
        sealed = wire.get_message(timeout=5)["data"]
    assert b"planted-word" not in sealed
    key = AESGCM(ring().derive(ring().current, "another purpose"))
    forged = (
        ring().current.encode()
        + b":"
        + b"0" * 12
        + key.encrypt(b"0" * 12, orjson.dumps(["x", "test", {}]), None)
    )
    for channel, data in [
        (tenant_key(other, "bus"), sealed),  # of another tenant
        (tenant_key(tenant, "bus"), forged),
        (tenant_key(tenant, "bus"), b"nonsense"),
        (tenant_key(tenant, "bus"), b"gone:" + sealed),
    ]:
        sync_client().publish(channel, data)
    buses[0].publish(tenant, "test", {"last": True})
    assert heard.wait_for(2) == [(tenant, {"word": "planted-word"}), (tenant, {"last": True})]


def test_a_failing_subscriber_harms_nobody_else(buses):
    here, _ = buses
    heard = Heard()

    def broken(tenant_id, body):
        raise RuntimeError

    here.subscribe("test", broken)
    here.subscribe("test", heard)
    here.publish(uuid.uuid4(), "test", {})
    assert len(heard.messages) == 1


def test_a_message_beyond_the_limit_is_refused(buses, monkeypatch):
    monkeypatch.setattr(bus_module, "MAX_BODY", 100)
    with pytest.raises(MessageTooLargeError):
        buses[0].publish(uuid.uuid4(), "test", {"text": "x" * 100})


def test_without_redis_the_own_process_is_told_and_the_subscription_comes_back(buses):
    here, there = buses
    mine, heard, tenant = Heard(), Heard(), uuid.uuid4()
    here.subscribe("test", mine)
    there.subscribe("test", heard)
    there.connected.clear()
    for client in sync_client().client_list():
        if int(client.get("psub", 0)):
            sync_client().client_kill_filter(_id=client["id"])
    here.publish(tenant, "test", {"n": 1})
    assert mine.messages == [(tenant, {"n": 1})]
    assert there.connected.wait(5)
    here.publish(tenant, "test", {"n": 2})
    # The first message may have come too, where the connection was lost a moment later.
    with heard.news:
        assert heard.news.wait_for(lambda: (tenant, {"n": 2}) in heard.messages, 5), heard.messages
