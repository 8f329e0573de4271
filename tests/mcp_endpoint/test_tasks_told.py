"""News of tasks on a listen stream: to whoever made them, and to nobody else."""

import pytest
from django.conf import settings

from common.db import in_db
from mcp_endpoint.long_tasks import services as tasks
from mcp_endpoint.long_tasks.contents import Payload, Question
from tests.mcp_endpoint.jobs import ENTRY
from tests.mcp_endpoint.listening import Listener
from tests.mcp_endpoint.speak import by_door, modern
from tests.mcp_endpoint.tasking import DECLARED, about, call, jobs_place, queued_here, row_of

if ENTRY not in settings.PORTICO_CONNECTORS:
    settings.PORTICO_CONNECTORS.append(ENTRY)


@pytest.fixture(autouse=True)
def queue(monkeypatch):
    return queued_here(monkeypatch)


async def begun(place):
    return (await by_door(call(place, "job_echo", word="hush"))).result["taskId"]


async def listen(place, *task_ids, meta=DECLARED):
    post = modern(place, "subscriptions/listen", {"notifications": {"taskIds": list(task_ids)}}, meta=meta)
    stream = await Listener(post).opened()
    honoured = (await stream.next())["params"]["notifications"]
    return stream, honoured.get("taskIds", [])


async def test_who_made_a_task_hears_of_each_of_its_states_and_of_progress():
    place = await in_db(jobs_place)
    task = await begun(place)
    stream, honoured = await listen(place, task)
    assert honoured == [task]
    row = await in_db(row_of, place, task)

    async def heard():
        message = await stream.next()
        assert message["method"] == "notifications/tasks"
        params = message["params"]
        assert params["taskId"] == task and params["_meta"] and not {"result", "inputRequests"} & set(params)
        return params["status"], params.get("statusMessage", "")

    run = row.pk
    row = await in_db(tasks.task_claim, row.tenant_id, row.pk, run)
    await in_db(tasks.task_beat, row, run, "half way")
    assert await heard() == ("working", "half way")
    question = Question("answer", {"method": "elicitation/create", "params": {}})
    await in_db(tasks.task_park, row, run, Payload({}), {"q1": question})
    assert (await heard())[0] == "input_required"
    answer = about(place, "update", task, inputResponses={"q1": {"action": "accept"}})
    assert (await by_door(answer)).status == 200
    assert (await heard())[0] == "working"
    assert (await by_door(about(place, "cancel", task))).status == 200
    assert (await heard())[0] == "cancelled"
    await stream.leave()


async def test_nobody_else_hears_of_a_task_nor_a_client_that_knows_no_tasks():
    place, other = await in_db(jobs_place), await in_db(jobs_place)
    task = await begun(place)
    for asking, meta in ((other, DECLARED), (place, {})):
        stream, honoured = await listen(asking, task, "no-task", meta=meta)
        assert honoured == []
        await stream.leave()
