import base64

from mcp import Client

from . import expect
from .person import Person

TEMPLATE = "test://static/resource/{id}"


async def pages(client: Client, _: Person) -> None:
    uris: list[str] = []
    sizes: list[int] = []
    cursor = None
    while True:
        page = await client.list_resources(cursor=cursor)
        sizes.append(len(page.resources))
        uris += [str(resource.uri) for resource in page.resources]
        cursor = page.next_cursor
        if cursor is None:
            break
        expect.true(len(sizes) < 30, "the list does not end")
    expect.equal(sizes[:10], [10] * 10, "ten a page")
    expect.equal(len(set(uris)), len(uris), "no resource twice")
    expect.equal(set(uris) >= {f"test://static/resource/{n}" for n in range(1, 101)}, True, "all static resources")
    expect.true("ui://everything/hello-world" in uris, "the app is listed")
    await expect.error(client.list_resources(cursor="not a cursor"), -32602, "bad cursor")


async def text_and_binary(client: Client, _: Person) -> None:
    text = (await client.read_resource("test://static/resource/99")).contents[0]
    expect.equal((text.mime_type, text.text), ("text/plain", "Resource 99: This is a plaintext resource"), "text")
    blob = (await client.read_resource("test://static/resource/100")).contents[0]
    expect.equal(blob.mime_type, "application/octet-stream", "type of a blob")
    expect.equal(base64.b64decode(blob.blob), b"Resource 100: This is a base64 blob", "blob")


async def template(client: Client, _: Person) -> None:
    templates = (await client.list_resource_templates()).resource_templates
    expect.true(TEMPLATE in [template.uri_template for template in templates], "the template is listed")


async def mistakes(client: Client, _: Person) -> None:
    sessions = client.protocol_version < "2026-07-28"
    not_found = -32002 if sessions else -32602
    for uri in ["test://static/resource/101", "test://static/resource/007", "file:///etc/passwd"]:
        raised = await expect.error(client.read_resource(uri), not_found, uri)
        expect.equal(raised.data, {"uri": uri}, "the error names the resource")
    if sessions:
        await expect.error(client.subscribe_resource("test://static/resource/0"), -32002, "subscribe to nothing")
