"""Calls that become tasks: by the extension of 2026-07-28, for which the SDK has hooks."""

from collections.abc import Sequence
from typing import Any, Literal

import anyio
import mcp_types as types
from mcp import Client
from mcp.client.extension import ClaimContext, ClientExtension, ResultClaim
from mcp.client.session import ClientRequestContext, ClientSession
from pydantic import ValidationError

from .expect import texts
from .tour_person import Tourist

PATIENCE_SECONDS = 20
LOOK_SECONDS = 0.02
ENDS = {"completed", "failed", "cancelled"}


class Unsupported(Exception):
    """The client cannot do this step."""


class TaskParams(types.RequestParams):
    task_id: str


class UpdateParams(TaskParams):
    input_responses: dict[str, Any]


class TaskRequest(types.Request[TaskParams, Literal["tasks/get", "tasks/cancel"]]):
    name_param = "taskId"


class UpdateRequest(types.Request[UpdateParams, Literal["tasks/update"]]):
    method: Literal["tasks/update"] = "tasks/update"
    name_param = "taskId"


class Created(types.Result):
    """The answer to a call that became a task."""

    result_type: Literal["task"] = "task"
    task_id: str
    status: str


class State(types.Result):
    """A task of the extension, with what its status brings."""

    model_config = types.Result.model_config | {"extra": "allow"}
    task_id: str | None = None
    status: str | None = None


class Tasks(ClientExtension):
    identifier = "io.modelcontextprotocol/tasks"

    def __init__(self, person: Tourist) -> None:
        self.person = person
        self.statuses: list[str] = []
        self.give_up = False

    def claims(self) -> Sequence[ResultClaim[Any]]:
        return [ResultClaim(result_type="task", model=Created, resolve=self.resolve)]

    async def resolve(self, created: Created, context: ClaimContext) -> types.CallToolResult:
        """Sees the task to its end; the SDK then hands the result out as that of the call."""
        session = context.session
        self.statuses = [created.status]
        if self.give_up:
            cancel = TaskRequest(method="tasks/cancel", params=TaskParams(task_id=created.task_id))
            await session.send_request(cancel, State)
            self.statuses.append((await self.reaches(session, created.task_id, ENDS)).status)
            return types.CallToolResult(content=[])
        state = await self.reaches(session, created.task_id, {"input_required"})
        self.statuses.append(state.status)
        answers = {}
        for key, request in state.model_extra["inputRequests"].items():
            question = types.ElicitRequest.model_validate(request, by_name=False)
            asker = ClientRequestContext(session=session, request_id=key, meta=None)
            answer = await session.dispatch_input_request(asker, question)
            answers[key] = answer.model_dump(by_alias=True, mode="json", exclude_none=True)
        update = UpdateRequest(params=UpdateParams(task_id=created.task_id, input_responses=answers))
        await session.send_request(update, State)
        state = await self.reaches(session, created.task_id, ENDS)
        self.statuses.append(state.status)
        return types.CallToolResult.model_validate(state.model_extra["result"], by_name=False)

    async def reaches(self, session: ClientSession, task_id: str, wanted: set[str]) -> State:
        with anyio.fail_after(PATIENCE_SECONDS):
            while True:
                get = TaskRequest(method="tasks/get", params=TaskParams(task_id=task_id))
                state = await session.send_request(get, State)
                if state.status in wanted:
                    return state
                await anyio.sleep(LOOK_SECONDS)

    async def of_extension(self, client: Client, step: dict) -> dict:
        before = len(self.person.elicited)
        result = await client.call_tool(step["call"]["name"], step["call"]["arguments"])
        statuses = self.statuses
        self.give_up = True
        await client.call_tool(step["endless"]["name"], step["endless"]["arguments"])
        return self.seen(statuses, before, result, self.statuses[-1])

    async def of_session(self, client: Client, step: dict) -> dict:
        """The experimental tasks: the SDK has types for them, but takes nothing but a tool's result from a call."""
        params = types.CallToolRequestParams(**step["call"], task=types.TaskMetadata(ttl=60_000))
        try:
            created = await client.session.send_request(types.CallToolRequest(params=params), types.CreateTaskResult)
        except ValidationError as error:
            raise Unsupported(f"a call cannot become a task of 2025-11-25: {error}") from None
        return {"created": created.task.task_id}

    def seen(self, statuses: list[str], before: int, result: types.CallToolResult, endless: str) -> dict:
        asked = [{"mode": asked.mode, "message": asked.message} for asked in self.person.elicited[before:]]
        title = texts(result.content)[0].splitlines()[0]
        return {"statuses": statuses, "asked": asked, "title": title, "endless": endless}
