"""The steps of ../../tour.json, by name. Each answers with what it saw."""

import base64
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import anyio
import mcp_types as types
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import PromptReference, ResourceTemplateReference

from .expect import eventually, texts
from .login import Login
from .tour_person import Tourist
from .tour_tasks import Tasks

LOG_LEVEL = "io.modelcontextprotocol/logLevel"
PATIENCE_SECONDS = 20


@dataclass
class Visit:
    client: Client
    person: Tourist
    login: Login
    era: str
    ask: Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
    tasks: Tasks

    async def call(self, call: dict[str, Any], **options: Any) -> types.CallToolResult:
        return await self.client.call_tool(call["name"], call["arguments"], **options)


async def code(request: Awaitable[Any]) -> int | None:
    """The code of the JSON-RPC error that a request must end in."""
    try:
        await request
    except MCPError as error:
        return error.code
    return None


async def connect(visit: Visit, _: dict) -> dict:
    client = visit.client
    if client.server_info is None:
        # With a fixed revision the client has not spoken to the server yet.
        client.session.adopt(await discovered(client))
    visit.login.was_used()
    return {"revision": client.protocol_version, "login": "oauth", "server": client.server_info.name}


async def discovered(client: Client) -> types.DiscoverResult:
    return types.DiscoverResult.model_validate(await client.session.send_discover(client.protocol_version))


async def discover(visit: Visit, step: dict) -> dict:
    found = await discovered(visit.client)
    return {"supported": step["supported"] in found.supported_versions}


async def ping(visit: Visit, _: dict) -> dict:
    await visit.client.send_ping()
    return {"answered": True}


async def tool_names(client: Client) -> list[str]:
    return [tool.name for tool in (await client.list_tools()).tools]


async def prompt_names(client: Client) -> list[str]:
    return [prompt.name for prompt in (await client.list_prompts()).prompts]


async def list_tools(visit: Visit, step: dict) -> dict:
    names = await tool_names(visit.client)
    return {"listed": [name for name in step["names"] if name in names]}


async def call_text(visit: Visit, step: dict) -> dict:
    return {"texts": texts((await visit.call(step["call"])).content)}


async def call_image(visit: Visit, step: dict) -> dict:
    content = (await visit.call(step["call"])).content
    image = next(block for block in content if block.type == "image")
    return {
        "types": [block.type for block in content],
        "mime_type": image.mime_type,
        "png": base64.b64decode(image.data).startswith(b"\x89PNG"),
    }


async def call_structured(visit: Visit, step: dict) -> dict:
    return {"fields": sorted((await visit.call(step["call"])).structured_content)}


async def call_error(visit: Visit, step: dict) -> dict:
    result = await visit.call(step["call"])
    return {
        "is_error": result.is_error,
        "names_field": "- a: " in texts(result.content)[0],
        "unknown": await code(visit.client.call_tool(step["unknown"], {})),
    }


async def progress(visit: Visit, step: dict) -> dict:
    seen: list[list[Any]] = []

    async def report(done: float, total: float | None, message: str | None) -> None:
        seen.append([int(done), int(total or 0), message])

    result = await visit.call(step["call"], progress_callback=report)
    return {"progress": seen, "texts": texts(result.content)}


async def logging(visit: Visit, step: dict) -> dict:
    async def logged(level: str) -> list[str]:
        before = len(visit.person.logs)

        def own() -> list[str]:
            logs = [log for log in visit.person.logs[before:] if log.logger == step["logger"]]
            return [log.data["message"] for log in logs if log.data.get("message") == "operation started"]

        options = {}
        if visit.era == "modern":
            options["meta"] = {LOG_LEVEL: level}
        else:
            await visit.client.set_logging_level(level)
        await visit.call(step["call"], **options)
        if level == "debug":
            await eventually(lambda: bool(own()), "a debug message")
        return own()

    return {"debug": await logged("debug"), "error": await logged("error")}


async def sampling(visit: Visit, step: dict) -> dict:
    before = len(visit.person.sampled)
    result = await visit.call(step["call"])
    asked = [
        {"text": asked.messages[0].content.text, "max_tokens": asked.max_tokens}
        for asked in visit.person.sampled[before:]
    ]
    return {"asked": asked, "texts": texts(result.content)}


async def asking(visit: Visit, step: dict) -> dict:
    before = len(visit.person.elicited)
    result = await visit.call(step["call"])
    asked = [{"mode": asked.mode, "message": asked.message} for asked in visit.person.elicited[before:]]
    return {"asked": asked, "text": texts(result.content)[0]}


elicitation_form = asking
elicitation_steps = asking
elicitation_url = asking


async def roots(visit: Visit, step: dict) -> dict:
    before = visit.person.looked
    result = await visit.call(step["call"])
    return {"asked": visit.person.looked - before, "text": texts(result.content)[0]}


async def mirrored_headers(visit: Visit, step: dict) -> dict:
    seen = []
    for region in step["regions"]:
        arguments = step["call"]["arguments"] | {"region": region}
        seen += texts((await visit.client.call_tool(step["call"]["name"], arguments)).content)
    return {"texts": seen}


async def changing(
    visit: Visit,
    step: dict,
    kind: type,
    filter: str,
    names: Callable[[Client], Awaitable[list[str]]],
    use: Callable[[], Awaitable[str]],
) -> dict:
    """A change that is switched on and off; the client is told through a session, or a stream that it opens."""
    listed, used, notified = [], None, 0
    async with AsyncExitStack() as streams:
        changes = None
        if visit.era == "modern":
            changes = await streams.enter_async_context(visit.client.listen(**{filter: True}))
        for on in [True, False]:
            before = visit.person.seen(kind)
            await visit.client.call_tool(step["switch"], {"on": on})
            if changes is None:
                await eventually(lambda: visit.person.seen(kind) > before, f"{step['switch']} {on} is told")
            else:
                with anyio.fail_after(PATIENCE_SECONDS):
                    await anext(changes)
            notified += 1
            listed.append(step["item"] in await names(visit.client))
            if on:
                used = await use()
    return {"notified": notified, "listed": listed, "used": used}


async def tool_list_changes(visit: Visit, step: dict) -> dict:
    async def use() -> str:
        return texts((await visit.client.call_tool(step["item"], {})).content)[0]

    kind = types.ToolListChangedNotification
    return await changing(visit, step, kind, "tools_list_changed", tool_names, use)


async def prompt_list_changes(visit: Visit, step: dict) -> dict:
    async def use() -> str:
        return (await visit.client.get_prompt(step["item"])).messages[0].content.text

    kind = types.PromptListChangedNotification
    return await changing(visit, step, kind, "prompts_list_changed", prompt_names, use)


async def list_resources(visit: Visit, step: dict) -> dict:
    uris: list[str] = []
    cursor = None
    while True:
        page = await visit.client.list_resources(cursor=cursor)
        uris += [str(resource.uri) for resource in page.resources]
        cursor = page.next_cursor
        if cursor is None:
            break
    return {"listed": [uri for uri in step["uris"] if uri in uris], "distinct": len(set(uris)) == len(uris)}


async def read_resources(visit: Visit, step: dict) -> dict:
    text = (await visit.client.read_resource(step["text"])).contents[0]
    blob = (await visit.client.read_resource(step["blob"])).contents[0]
    return {
        "text": text.text,
        "blob": base64.b64decode(blob.blob).decode(),
        "missing": await code(visit.client.read_resource(step["missing"])) in step["not_found"],
    }


async def resource_templates(visit: Visit, step: dict) -> dict:
    templates = (await visit.client.list_resource_templates()).resource_templates
    return {"listed": step["template"] in [template.uri_template for template in templates]}


async def resource_updates(visit: Visit, step: dict) -> dict:
    client, uri = visit.client, step["uri"]
    updated: list[str] = []
    if visit.era == "modern":
        async with client.listen(resource_subscriptions=[uri]) as updates:
            while len(updated) < 2:
                with anyio.fail_after(PATIENCE_SECONDS):
                    updated.append(str((await anext(updates)).uri))
        return {"updated": updated}
    before = len(visit.person.notices)

    def heard() -> list[str]:
        updates = visit.person.notices[before:]
        return [str(update.params.uri) for update in updates if isinstance(update, types.ResourceUpdatedNotification)]

    await client.subscribe_resource(uri)
    await eventually(lambda: len(heard()) >= 2, "two updates")
    await client.unsubscribe_resource(uri)
    return {"updated": heard()[:2]}


async def prompts(visit: Visit, step: dict) -> dict:
    names = await prompt_names(visit.client)
    messages = (await visit.client.get_prompt(step["get"]["name"], step["get"]["arguments"])).messages
    return {
        "listed": [name for name in step["names"] if name in names],
        "roles": [message.role for message in messages],
        "types": [message.content.type for message in messages],
        "text": messages[0].content.text,
    }


async def completion(visit: Visit, step: dict) -> dict:
    async def complete(reference: Any, asked: dict) -> list[str]:
        answer = await visit.client.complete(reference, asked["argument"], context_arguments=asked.get("known"))
        return answer.completion.values

    prompt, template, dependent = step["prompt"], step["template"], step["dependent"]
    return {
        "prompt": await complete(PromptReference(type="ref/prompt", name=prompt["name"]), prompt),
        "template": await complete(ResourceTemplateReference(type="ref/resource", uri=template["uri"]), template),
        "dependent": await complete(PromptReference(type="ref/prompt", name=dependent["name"]), dependent),
    }


async def cancellation(visit: Visit, step: dict) -> dict:
    progressed = anyio.Event()
    finished = False

    async def report(*_: Any) -> None:
        progressed.set()

    async def give_up(scope: anyio.CancelScope) -> None:
        await progressed.wait()
        scope.cancel()

    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as group:
            group.start_soon(give_up, scope)
            await visit.call(step["call"], progress_callback=report)
            finished = True
    then = texts((await visit.client.call_tool("echo", {"message": "still here"})).content)
    return {"progressed": progressed.is_set(), "ended_early": not finished, "then": then}


async def resuming(visit: Visit, step: dict) -> dict:
    seen: list[int] = []
    broken: dict[str, Any] = {}

    async def report(done: float, *_: Any) -> None:
        seen.append(int(done))
        if len(seen) == 1:
            broken.update(await visit.ask({"ask": "break streams"}))

    result = await visit.call(step["call"], progress_callback=report)
    kind = types.ResourceListChangedNotification
    before = visit.person.seen(kind)
    await visit.client.call_tool("gzipAsResource", {"name": "later.gz", "data": "later"})
    await eventually(lambda: visit.person.seen(kind) > before, "a change after the break")
    return broken | {"progress": seen, "texts": texts(result.content), "told_later": True}


async def task(visit: Visit, step: dict) -> dict:
    if visit.era == "modern":
        return await visit.tasks.of_extension(visit.client, step)
    return await visit.tasks.of_session(visit.client, step)


async def goodbye(_: Visit, __: dict) -> dict:
    return {"left": True}
