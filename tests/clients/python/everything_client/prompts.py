from mcp import Client
from mcp_types import PromptReference, ResourceTemplateReference

from . import expect
from .person import Person
from .resources import TEMPLATE


async def listed(client: Client, _: Person) -> None:
    prompts = {prompt.name: prompt for prompt in (await client.list_prompts()).prompts}
    arguments = {
        name: [(argument.name, bool(argument.required)) for argument in prompt.arguments or []]
        for name, prompt in prompts.items()
    }
    expected = {
        "simple_prompt": [],
        "complex_prompt": [("temperature", True), ("style", False)],
        "resource_prompt": [("resourceId", True)],
        "completable_prompt": [("department", True), ("name", True)],
    }
    expect.equal(arguments, expected, "prompts")


async def every_prompt(client: Client, _: Person) -> None:
    simple = (await client.get_prompt("simple_prompt")).messages
    said = [(message.role, message.content.text) for message in simple]
    expect.equal(said, [("user", "This is a simple prompt without arguments.")], "simple")

    messages = (await client.get_prompt("complex_prompt", {"temperature": "0.7", "style": "formal"})).messages
    expect.equal([message.role for message in messages], ["user", "assistant", "user"], "roles")
    given = "This is a complex prompt with arguments: temperature=0.7, style=formal"
    expect.equal(messages[0].content.text, given, "arguments")
    expect.equal((messages[2].content.type, messages[2].content.mime_type), ("image", "image/png"), "image")

    messages = (await client.get_prompt("resource_prompt", {"resourceId": "3"})).messages
    expect.equal(str(messages[1].content.resource.uri), "test://static/resource/3", "embedded resource")

    arguments = {"department": "Engineering", "name": "Alice"}
    messages = (await client.get_prompt("completable_prompt", arguments)).messages
    expect.equal(messages[0].content.text, "Please promote Alice to the head of the Engineering team.", "completable")


async def completions(client: Client, _: Person) -> None:
    async def complete(ref: str, argument: str, typed: str, known: dict[str, str] | None = None) -> list[str]:
        reference = (
            ResourceTemplateReference(type="ref/resource", uri=ref)
            if "://" in ref
            else PromptReference(type="ref/prompt", name=ref)
        )
        answer = await client.complete(reference, {"name": argument, "value": typed}, context_arguments=known)
        return answer.completion.values

    expect.equal(await complete("complex_prompt", "style", "f"), ["formal", "friendly"], "styles")
    expect.equal(await complete("complex_prompt", "temperature", "0"), ["0", "0.5", "0.7"], "temperatures")
    expect.equal(await complete("resource_prompt", "resourceId", "10"), ["10", "100"], "ids")
    expect.equal((await complete(TEMPLATE, "id", "9"))[:2], ["9", "90"], "ids in the template")
    sales = await complete("completable_prompt", "name", "", {"department": "Sales"})
    expect.equal(sales, ["David", "Eve", "Frank"], "names in a department")
    expect.equal(await complete("completable_prompt", "name", "E", {"department": "Sales"}), ["Eve"], "by prefix")


async def mistakes(client: Client, _: Person) -> None:
    raised = await expect.error(client.get_prompt("complex_prompt", {}), -32602, "missing argument")
    expect.true("temperature" in raised.message, f"the argument is not named: {raised.message}")
    await expect.error(client.get_prompt("no_such_prompt"), -32602, "unknown prompt")
    await expect.error(client.get_prompt("resource_prompt", {"resourceId": "0"}), -32602, "bad argument")
