"""The features. What a client asks for arrives as an RPC; what it gets is told in events, the last one ends the call."""

import asyncio
import json
import sys
from pathlib import Path

import grpc
from jsonschema import Draft202012Validator

sys.path.append(str(Path(__file__).resolve().parents[4] / "proto"))
# Generated from the contract, in memory.
pb, services = grpc.protos_and_services("everything/feature/v1/feature.proto")

INVALID_PARAMS = -32602
RESOURCE_NOT_FOUND = -32002
MISSING_CLIENT_CAPABILITY = -32021

ABOUT = "example://about"
ABOUT_TEXT = "These features are served by a program in Python."
FOR_ALL = pb.CacheHint(ttl_ms=300_000, scope=pb.CacheHint.SCOPE_PUBLIC)


def encode(value) -> bytes:
    return json.dumps(value).encode()


def result(value) -> pb.CallEvent:
    return pb.CallEvent(result=pb.Result(result_json=encode(value), cache=FOR_ALL))


def text(words: str, is_error: bool = False) -> pb.CallEvent:
    return result({"content": [{"type": "text", "text": words}]} | ({"isError": True} if is_error else {}))


def error(code: int, message: str, data: dict | None = None) -> pb.CallEvent:
    return pb.CallEvent(error=pb.Error(code=code, message=message, data_json=encode(data) if data else b""))


async def countdown(arguments, context):
    """Reports progress. When the client cancels, the edge drops the stream, and the `await` raises CancelledError."""
    start = arguments["from"]
    for done in range(1, start + 1):
        await asyncio.sleep(arguments.get("pause", 0.1))
        yield pb.CallEvent(progress=pb.Progress(progress=done, total=start, message=f"{start - done} left"))
    yield text("Lift-off!")


async def haiku(arguments, context):
    """Asks the client's model. Nothing is kept meanwhile: the tool is called again with the answer, maybe elsewhere."""
    if "poem" in context.inputs_json:
        content = json.loads(context.inputs_json["poem"])["content"]
        blocks = content if isinstance(content, list) else [content]
        yield text("\n".join(block["text"] for block in blocks if block["type"] == "text"))
    elif not context.client_capabilities.sampling:
        required = {"requiredCapabilities": {"sampling": {}}}
        yield error(MISSING_CLIENT_CAPABILITY, "the client cannot be asked for sampling", required)
    else:
        prompt = {"type": "text", "text": f"Write a haiku about {arguments['topic']}."}
        params = encode({"messages": [{"role": "user", "content": prompt}], "maxTokens": 100})
        question = pb.InputRequest(key="poem", sampling_json=params)
        yield pb.CallEvent(input_required=pb.InputRequired(requests=[question]))


TOOLS = {
    "countdown": (countdown, "Counts down to zero.", {
        "type": "object",
        "properties": {
            "from": {"type": "integer", "minimum": 1, "maximum": 100},
            "pause": {"type": "number", "minimum": 0, "maximum": 60, "description": "Seconds between two numbers."},
        },
        "required": ["from"],
    }),
    "haiku": (haiku, "Has the client's model write a haiku.", {
        "type": "object",
        "properties": {"topic": {"type": "string", "minLength": 1}},
        "required": ["topic"],
    }),
}


class Features(services.FeatureServiceServicer):
    """RPCs that are missing here answer UNIMPLEMENTED; edges call none whose capability is not declared."""

    async def Describe(self, request, context):
        capabilities = pb.Capabilities(tools=True, resources=True)
        return pb.DescribeResponse(name="python-features", version="1.0.0", capabilities=capabilities)

    async def ListTools(self, request, context):
        tools = [
            pb.Tool(name=name, description=description, input_schema_json=encode(schema))
            for name, (_, description, schema) in TOOLS.items()
        ]
        return pb.ListToolsResponse(tools=tools, cache=FOR_ALL)

    async def ListResources(self, request, context):
        about = pb.Resource(uri=ABOUT, name="about", mime_type="text/plain", size=len(ABOUT_TEXT))
        return pb.ListResourcesResponse(resources=[about], cache=FOR_ALL)

    async def ListResourceTemplates(self, request, context):
        return pb.ListResourceTemplatesResponse(cache=FOR_ALL)

    async def CallTool(self, request, context):
        if request.name not in TOOLS:
            yield error(INVALID_PARAMS, f"unknown tool: {request.name}")
            return
        tool, _, schema = TOOLS[request.name]
        arguments = json.loads(request.arguments_json or b"{}")
        # The model can correct what it sees in a result.
        for problem in Draft202012Validator(schema).iter_errors(arguments):
            yield text(f"Invalid arguments for tool {request.name}: {problem.json_path}: {problem.message}", True)
            return
        async for event in tool(arguments, request.context):
            yield event

    async def ReadResource(self, request, context):
        if request.uri == ABOUT:
            yield result({"contents": [{"uri": ABOUT, "mimeType": "text/plain", "text": ABOUT_TEXT}]})
        else:
            yield error(RESOURCE_NOT_FOUND, "resource not found", {"uri": request.uri})
