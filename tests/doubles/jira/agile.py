"""Jira Software: boards, sprints, the backlog."""

from typing import Any

from tests.doubles.atlassian import refuse
from tests.doubles.double import route
from tests.doubles.jira import records
from tests.doubles.jira.searching import Searching
from tests.doubles.messages import Answer, Request

BOARDS, SPRINTS, SPRINTING = (
    ("read:board-scope:jira-software",),
    ("read:sprint:jira-software",),
    ("write:sprint:jira-software",),
)
MOST_MOVED = 50
_TIMES = ("startDate", "endDate", "completeDate", "goal")


class Agile(Searching):
    """A scrum board of PROJ with a closed, an active and a future sprint."""

    read_scopes = Searching.read_scopes | {*BOARDS, *SPRINTS}

    def fill(self) -> None:
        super().fill()
        self.boards = {1: {"id": 1, "name": "PROJ board", "type": "scrum", "project": "PROJ"},
                       2: {"id": 2, "name": "OPS board", "type": "kanban", "project": "OPS"}}  # fmt: skip
        self.sprints: dict[int, dict[str, Any]] = {
            1: {"id": 1, "name": "Sprint 1", "state": "closed", "originBoardId": 1, "goal": "Invoices",
                "startDate": "2026-01-05T09:00:00.000Z", "endDate": "2026-01-19T09:00:00.000Z",
                "completeDate": "2026-01-19T10:00:00.000Z"},
            2: {"id": 2, "name": "Sprint 2", "state": "active", "originBoardId": 1, "goal": "Orders",
                "startDate": "2026-01-19T11:00:00.000Z", "endDate": "2026-02-02T09:00:00.000Z"},
            3: {"id": 3, "name": "Sprint 3", "state": "future", "originBoardId": 1},
        }  # fmt: skip
        next(iter(self.issues.values()))["sprint"] = 2

    def open_sprints(self) -> list[str]:
        return [str(id) for id, sprint in self.sprints.items() if sprint["state"] == "active"]

    def sprint_value(self, id: int) -> dict[str, Any]:
        sprint = self.sprints[id]
        return {name: sprint[name] for name in ("id", "name", "state", *_TIMES) if name in sprint} | {
            "boardId": sprint["originBoardId"]
        }

    def _told_board(self, base: str, row: dict[str, Any]) -> dict[str, Any]:
        project = self.projects[row["project"]]
        location = {"projectId": int(project["id"]), "projectKey": project["key"], "projectName": project["name"],
                    "displayName": f"{project['name']} ({project['key']})", "name": project["name"]}  # fmt: skip
        place = f"{base}/rest/agile/1.0/board/{row['id']}"
        return {
            "id": row["id"],
            "self": place,
            "name": row["name"],
            "type": row["type"],
            "location": location,
        }

    def _told_sprint(self, base: str, row: dict[str, Any]) -> dict[str, Any]:
        return {"self": f"{base}/rest/agile/1.0/sprint/{row['id']}", **row}

    def _board(self, request: Request) -> dict[str, Any]:
        row = self.boards.get(int(request.parameters["boardId"]))
        if row is None:
            raise refuse(
                404,
                f"Board with ID '{request.parameters['boardId']}' does not exist or you do not have permission to view it.",
            )
        return row

    def _sprint(self, request: Request) -> dict[str, Any]:
        row = self.sprints.get(int(request.parameters["sprintId"]))
        if row is None:
            raise refuse(404, "Sprint does not exist.")
        return row

    @route("GET", "/rest/agile/1.0/board", scopes=BOARDS)
    def list_boards(self, request: Request) -> Any:
        kind, name, project = request.one("type"), request.one("name").lower(), request.one("projectKeyOrId")
        rows = [
            self._told_board(request.base_url, row) for row in self.boards.values()
            if kind in ("", row["type"]) and name in row["name"].lower()
            and project in ("", row["project"], self.projects[row["project"]]["id"])
        ]  # fmt: skip
        return records.page(rows, request.number("startAt", 0), request.number("maxResults", 50))

    @route("GET", "/rest/agile/1.0/board/{boardId}", scopes=BOARDS)
    def get_board(self, request: Request) -> Any:
        return self._told_board(request.base_url, self._board(request))

    @route("GET", "/rest/agile/1.0/board/{boardId}/configuration", scopes=BOARDS)
    def configuration(self, request: Request) -> Any:
        row, base = self._board(request), request.base_url
        columns = [
            {"name": name, "statuses": [{"id": id, "self": f"{base}/rest/api/3/status/{id}"}]}
            for id, (name, _) in records.STATUSES.items()
        ]
        return {
            "id": row["id"], "name": row["name"], "type": row["type"],
            "self": f"{base}/rest/agile/1.0/board/{row['id']}/configuration",
            "filter": {"id": str(1000 + row["id"]), "self": f"{base}/rest/api/3/filter/{1000 + row['id']}"},
            "columnConfig": {"columns": columns, "constraintType": "none"},
            "estimation": {"type": "field", "field": {"fieldId": records.POINTS, "displayName": "Story point estimate"}},
            "ranking": {"rankCustomFieldId": 10019},
        }  # fmt: skip

    @route("GET", "/rest/agile/1.0/board/{boardId}/sprint", scopes=SPRINTS)
    def list_sprints(self, request: Request) -> Any:
        board = self._board(request)
        if board["type"] != "scrum":
            raise refuse(400, "The board does not support sprints")
        states = [state for text in request.query.get("state", []) for state in text.split(",")]
        rows = [
            self._told_sprint(request.base_url, row) for row in self.sprints.values()
            if row["originBoardId"] == board["id"] and (not states or row["state"] in states)
        ]  # fmt: skip
        return records.page(rows, request.number("startAt", 0), request.number("maxResults", 50))

    @route("POST", "/rest/agile/1.0/sprint", scopes=SPRINTING)
    def create_sprint(self, request: Request) -> Answer:
        body = request.json
        if body.get("originBoardId") not in self.boards:
            raise refuse(404, "Board does not exist.")
        if self.boards[body["originBoardId"]]["type"] != "scrum":
            raise refuse(400, "The board does not support sprints")
        id = max(self.sprints) + 1
        self.sprints[id] = {"id": id, "state": "future", "name": body["name"], "originBoardId": body["originBoardId"],
                            **{name: body[name] for name in _TIMES if name in body}}  # fmt: skip
        return Answer(201, self._told_sprint(request.base_url, self.sprints[id]))

    @route("GET", "/rest/agile/1.0/sprint/{sprintId}", scopes=SPRINTS)
    def get_sprint(self, request: Request) -> Any:
        return self._told_sprint(request.base_url, self._sprint(request))

    @route("POST", "/rest/agile/1.0/sprint/{sprintId}", scopes=SPRINTING)
    def update_sprint(self, request: Request) -> Any:
        row, body = self._sprint(request), request.json
        follows = {"future": "active", "active": "closed"}
        if body.get("state", row["state"]) not in (row["state"], follows.get(row["state"])):
            raise refuse(400, f"A sprint cannot go from {row['state']} to {body['state']}.")
        if row["state"] == "closed" and set(body) & {"startDate", "endDate"}:
            raise refuse(400, "Only the name and the goal of a closed sprint can be changed.")
        if body.get("state") == "active" and not {"startDate", "endDate"} <= {*row, *body}:
            raise refuse(400, "A sprint has to have a start and an end date to be started.")
        row |= {name: body[name] for name in ("name", "state", *_TIMES) if name in body}
        return self._told_sprint(request.base_url, row)

    @route("GET", "/rest/agile/1.0/sprint/{sprintId}/issue", scopes=SPRINTS, spare=True)
    def sprint_issues(self, request: Request) -> Any:
        row = self._sprint(request)
        rows = (
            self.found(request, request.one("jql"), bounded=False)
            if request.one("jql")
            else list(self.issues.values())
        )
        fields = request.one("fields").split(",") if request.one("fields") else None
        told = [self.told(request, issue, fields) for issue in rows if issue["sprint"] == row["id"]]
        page = records.page(told, request.number("startAt", 0), request.number("maxResults", 50), "issues")
        del page["isLast"]
        return {"expand": "schema,names", **page}

    @route("POST", "/rest/agile/1.0/sprint/{sprintId}/issue", scopes=SPRINTING)
    def move_to_sprint(self, request: Request) -> Answer:
        row = self._sprint(request)
        if row["state"] == "closed":
            raise refuse(400, "Issues cannot be moved to a closed sprint.")
        return self._moved(request, row["id"])

    @route("POST", "/rest/agile/1.0/backlog/issue", scopes=SPRINTING)
    def move_to_backlog(self, request: Request) -> Answer:
        return self._moved(request, None)

    def _moved(self, request: Request, sprint: int | None) -> Answer:
        names = request.json["issues"]
        if len(names) > MOST_MOVED:
            raise refuse(
                400, f"The maximum number of issues that can be moved in one operation is {MOST_MOVED}."
            )
        for row in [self.issue_by(name) for name in names]:
            self.change(request, row, {"sprint": sprint})
        return Answer(204)
