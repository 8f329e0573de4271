import pytest

from tests.live import environment, manage, own_database, run_code

CALL_IT = """
from asgiref.sync import async_to_sync
from audit.models import AuditEvent
from connectors.base import CheckResult
from connectors.pipeline import call_tool, catalogue
from connectors.reading import complete, get_prompt, read_resource
from connectors.services import connection_check
from common.writer import writer
from tests.factories import make_caller, make_connection, make_tenant

tenant = make_tenant()
connection = make_connection(
    tenant, "stations", settings={"unit": "fahrenheit"}, credential_mode="shared",
    credential={"token": "planted-secret"},
)
caller = make_caller(tenant)

async def use():
    found = await catalogue(caller)
    reading = await call_tool(caller, "get_temperature", {"station": "summit"})
    absent = await call_tool(caller, "get_temperature", {"station": "moon"})
    wrong = await call_tool(caller, "get_temperature", {})
    page = await read_resource(caller, "stations://station/valley")
    _, messages = await get_prompt(caller, "compare_stations", {"first": "summit", "second": "valley"})
    names = await complete(caller, "prompt", "compare_stations", "first", "s", {})
    check = await connection_check(connection)
    return {
        "tools": [tool.name for tool in found.tools],
        "reading": reading.structured,
        "errors": [absent.error_type, wrong.error_type],
        "page": page[0].text,
        "prompt": messages[0].content.text,
        "names": names,
        "check": [check.ok, check.message],
    }

result = async_to_sync(use)()
result["audited"] = sorted(AuditEvent.objects.for_tenant(tenant).filter(kind="call").values_list("outcome", flat=True))
writer.stop()
print(json.dumps(result))
"""


@pytest.mark.slow
def test_the_connector_of_the_tutorial_runs_as_the_page_says(tmp_path):
    env = environment(
        own_database(tmp_path, "tutorial"),
        PORTICO_CONNECTORS="stations=docs.examples.stations:Stations",
        PORTICO_VAR=str(tmp_path),
    )
    migrated = manage("migrate", "--verbosity=0", env=env)
    assert migrated.returncode == 0, migrated.stderr
    result = run_code(CALL_IT, env)
    assert result["tools"] == ["get_temperature", "list_stations"]
    assert result["reading"] == {"station": "summit", "temperature": 26.6, "unit": "fahrenheit"}
    assert result["errors"] == ["not_found", "validation"]
    assert result["page"] == "valley: 14.0 °C"
    assert result["prompt"].startswith("Compare the temperatures at summit and valley")
    assert result["names"] == ["summit"]
    assert result["check"] == [True, "3 stations answer."]
    assert len(result["audited"]) == 3
