import base64
import gzip

from mcp import Client

from . import expect
from .person import Person

TOOLS = [
    "echo",
    "add",
    "longRunningOperation",
    "sampleLLM",
    "getTinyImage",
    "annotatedMessage",
    "getResourceReference",
    "elicitInputs",
    "elicitUrl",
    "elicitInSteps",
    "getStructuredContent",
    "getResourceLinks",
    "getRoots",
    "gzipAsResource",
    "mcpAppsHelloWorld",
    "mirrorHeaders",
    "simulateResearchQuery",
    "switchExtraTool",
    "switchExtraPrompt",
]
HELLO_WORLD = "ui://everything/hello-world"


async def listed_truthfully(client: Client, _: Person) -> None:
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    expect.equal(sorted(tools), sorted(TOOLS), "tools")
    for tool in tools.values():
        expect.true(tool.title and tool.description and tool.icons and tool.annotations, f"{tool.name} lacks a face")
        expect.equal(tool.input_schema["type"], "object", f"input schema of {tool.name}")
    expect.true(tools["echo"].annotations.read_only_hint, "echo is read-only")
    expect.true(tools["getStructuredContent"].output_schema, "getStructuredContent has an output schema")
    expect.equal(tools["longRunningOperation"].input_schema["properties"]["steps"]["default"], 5, "default of steps")


async def echo(client: Client, _: Person) -> None:
    for message in ["hello", "", "ünïcode 🔊\n\"quoted\" \u2028", "x" * 100_000]:
        result = await client.call_tool("echo", {"message": message})
        expect.equal(expect.texts(result.content), [f"Echo: {message}"], "echo")


async def add(client: Client, _: Person) -> None:
    for a, b, text in [
        (2, 3, "The sum of 2 and 3 is 5."),
        (0.5, -1, "The sum of 0.5 and -1 is -0.5."),
    ]:
        result = await client.call_tool("add", {"a": a, "b": b})
        expect.equal(expect.texts(result.content), [text], "add")


async def long_running_operation(client: Client, _: Person) -> None:
    progress: list[tuple[float, float | None, str | None]] = []

    async def report(done: float, total: float | None, message: str | None) -> None:
        progress.append((done, total, message))

    arguments = {"duration": 0.4, "steps": 4}
    result = await client.call_tool("longRunningOperation", arguments, progress_callback=report)
    text = "Long running operation completed. Duration: 0.4 seconds, Steps: 4."
    expect.equal(expect.texts(result.content), [text], "longRunningOperation")
    expect.equal(progress, [(step, 4, f"Step {step} of 4") for step in range(1, 5)], "progress")


async def get_tiny_image(client: Client, _: Person) -> None:
    content = (await client.call_tool("getTinyImage")).content
    expect.equal([block.type for block in content], ["text", "image", "text"], "getTinyImage")
    expect.equal(content[1].mime_type, "image/png", "type of the image")
    expect.true(base64.b64decode(content[1].data).startswith(b"\x89PNG"), "the image is a PNG")


async def annotated_message(client: Client, _: Person) -> None:
    for kind, text, priority, audience in [
        ("error", "Error: Operation failed", 1.0, ["user", "assistant"]),
        ("success", "Operation completed successfully", 0.7, ["user"]),
        ("debug", "Debug: Cache hit ratio 0.95, latency 150ms", 0.3, ["assistant"]),
    ]:
        content = (await client.call_tool("annotatedMessage", {"messageType": kind})).content
        expect.equal(expect.texts(content), [text], kind)
        expect.equal(content[0].annotations.priority, priority, f"priority of {kind}")
        expect.equal(content[0].annotations.audience, audience, f"audience of {kind}")
    arguments = {"messageType": "success", "includeImage": True}
    content = (await client.call_tool("annotatedMessage", arguments)).content
    expect.equal([block.type for block in content], ["text", "image"], "with an image")


async def get_resource_reference(client: Client, _: Person) -> None:
    for number, kind in [(1, "plaintext resource"), (2, "base64 blob")]:
        content = (await client.call_tool("getResourceReference", {"resourceId": number})).content
        resource = content[1].resource
        uri = f"test://static/resource/{number}"
        expect.equal(str(resource.uri), uri, "uri")
        body = resource.text if number == 1 else base64.b64decode(resource.blob).decode()
        expect.equal(body, f"Resource {number}: This is a {kind}", "body")
        expect.true(uri in expect.texts(content)[1], "the text names the uri")


async def get_structured_content(client: Client, _: Person) -> None:
    result = await client.call_tool("getStructuredContent", {"location": "Zürich"})
    weather = result.structured_content
    expect.equal(sorted(weather), ["conditions", "humidity", "temperature"], "weather")
    again = await client.call_tool("getStructuredContent", {"location": "Zürich"})
    expect.equal(again.structured_content, weather, "the same place has the same weather")


async def get_resource_links(client: Client, _: Person) -> None:
    content = (await client.call_tool("getResourceLinks", {"count": 2})).content
    links = [block for block in content if block.type == "resource_link"]
    expect.equal([str(link.uri) for link in links], [f"test://static/resource/{n}" for n in (1, 2)], "links")
    for link in links:
        contents = (await client.read_resource(str(link.uri))).contents
        expect.equal(contents[0].mime_type, link.mime_type, "type of a link and of what it leads to")


async def gzip_as_resource(client: Client, _: Person) -> None:
    arguments = {"name": "poem.txt.gz", "data": ["roses ", "data:text/plain;base64,YXJlIHJlZA=="]}
    content = (await client.call_tool("gzipAsResource", arguments)).content
    link = content[0]
    expect.equal((link.type, link.mime_type), ("resource_link", "application/gzip"), "link")
    contents = (await client.read_resource(str(link.uri))).contents
    expect.equal(gzip.decompress(base64.b64decode(contents[0].blob)), b"roses are red", "what was compressed")
    inline = (await client.call_tool("gzipAsResource", arguments | {"outputType": "resource"})).content
    expect.equal(gzip.decompress(base64.b64decode(inline[0].resource.blob)), b"roses are red", "inline")


async def mcp_apps_hello_world(client: Client, _: Person) -> None:
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    expect.equal(tools["mcpAppsHelloWorld"].meta["ui"]["resourceUri"], HELLO_WORLD, "resourceUri")
    result = await client.call_tool("mcpAppsHelloWorld", {"name": "Ada"})
    expect.equal(expect.texts(result.content), ["Hello, Ada!"], "greeting")
    expect.equal(result.structured_content, {"greeting": "Hello, Ada!", "name": "Ada"}, "structured greeting")
    app = (await client.read_resource(HELLO_WORLD)).contents[0]
    expect.equal(app.mime_type, "text/html;profile=mcp-app", "type of the app")
    expect.true("<script" in app.text, "the app does something")


async def mistakes(client: Client, _: Person) -> None:
    """What the model did wrong is a result that it can correct; what the client did wrong is an error."""
    for tool, arguments, field in [
        ("echo", {}, "message"),
        ("add", {"a": "two", "b": 3}, "a"),
        ("getResourceReference", {"resourceId": 101}, "resourceId"),
        ("annotatedMessage", {"messageType": "loud"}, "messageType"),
        ("longRunningOperation", {"steps": 0}, "steps"),
    ]:
        result = await client.call_tool(tool, arguments)
        expect.true(result.is_error, f"{tool} took {arguments}")
        expect.true(field in expect.texts(result.content)[0], f"{tool} does not name {field}: {result.content}")
    raised = await expect.error(client.call_tool("no_such_tool", {}), -32602, "unknown tool")
    expect.true("no_such_tool" in raised.message, "the error names the tool")


async def mirror_headers(client: Client, _: Person) -> None:
    """Without a session the SDK repeats the annotated arguments in headers, in the Base64 form where it must."""
    await client.list_tools()
    for region in ["eu", "Zürich", " padded ", "=?base64?x?="]:
        arguments = {"region": region, "priority": 7, "dryRun": True, "target": {"tenant": "t"}}
        result = await client.call_tool("mirrorHeaders", arguments)
        text = f"Region: {region}\nPriority: 7\nDry run: true\nTenant: t\nNote: "
        expect.equal(expect.texts(result.content), [text], "mirrorHeaders")
