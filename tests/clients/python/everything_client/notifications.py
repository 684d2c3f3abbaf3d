"""What the server says unasked."""

import anyio
import mcp_types as types
from mcp import Client

from . import expect
from .person import Person

# Longer than the server's longest period between updates.
PATIENCE_SECONDS = 25


async def ping(client: Client, _: Person) -> None:
    await client.send_ping()


async def log_level(client: Client, person: Person) -> None:
    def started() -> int:
        return sum(log.logger == "longRunningOperation" and log.level == "debug" for log in person.logs)

    run = ("longRunningOperation", {"duration": 0, "steps": 1})
    await client.set_logging_level("debug")
    before = started()
    await client.call_tool(*run)
    await expect.eventually(lambda: started() == before + 1, "a debug message at level debug")
    await client.set_logging_level("error")
    await client.call_tool(*run)
    await client.send_ping()
    expect.equal(started(), before + 1, "debug messages at level error")
    await client.set_logging_level("debug")


async def list_changed(client: Client, person: Person) -> None:
    before = person.seen(types.ResourceListChangedNotification)
    await client.call_tool("gzipAsResource", {"name": "new.gz", "data": "new"})
    await expect.eventually(
        lambda: person.seen(types.ResourceListChangedNotification) > before,
        "notifications/resources/list_changed after a resource was made",
    )


async def subscription(client: Client, person: Person) -> None:
    watched, other = "test://static/resource/1", "test://static/resource/2"
    await client.subscribe_resource(watched)
    await expect.eventually(lambda: person.updates(watched) >= 2, f"two updates of {watched}", PATIENCE_SECONDS)
    expect.equal(person.updates(other), 0, f"updates of {other}, which nobody asked for")
    await client.unsubscribe_resource(watched)
    seen = person.updates(watched)
    # One may have been on its way. Another subscription shows that a period has passed.
    await client.subscribe_resource(other)
    await expect.eventually(lambda: person.updates(other) >= 2, f"two updates of {other}", PATIENCE_SECONDS)
    expect.true(person.updates(watched) <= seen + 1, f"updates of {watched} after it was unsubscribed")
    await client.unsubscribe_resource(other)


async def listening(client: Client, _: Person) -> None:
    watched = "test://static/resource/1"
    async with client.listen(tools_list_changed=True, prompts_list_changed=True) as changes:
        for tool in ["switchExtraTool", "switchExtraPrompt"]:
            for on in [True, False]:
                await client.call_tool(tool, {"on": on})
                with anyio.fail_after(PATIENCE_SECONDS):
                    await anext(changes)
    async with client.listen(resource_subscriptions=[watched]) as updates:
        for _ in range(2):
            with anyio.fail_after(PATIENCE_SECONDS):
                event = await anext(updates)
            expect.equal(str(event.uri), watched, "the resource that changed")
