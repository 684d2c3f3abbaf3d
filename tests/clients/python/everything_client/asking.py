"""Tools that ask the client back."""

import json

from mcp import Client

from . import expect
from .person import FORM, Person

FIELDS = list(FORM)


async def sample_llm(client: Client, person: Person) -> None:
    result = await client.call_tool("sampleLLM", {"prompt": "What is MCP?", "maxTokens": 55})
    asked = person.sampled[-1]
    expect.equal(expect.texts(result.content), [f"LLM sampling result: answer {len(person.sampled)}"], "sampleLLM")
    expect.equal(asked.max_tokens, 55, "maxTokens")
    expect.true("What is MCP?" in asked.messages[0].content.text, "the prompt arrived")


async def elicit_inputs(client: Client, person: Person) -> None:
    result = await client.call_tool("elicitInputs")
    asked = person.elicited[-1]
    schema = asked.requested_schema
    expect.equal(sorted(schema["properties"]), sorted(FIELDS), "fields")
    expect.equal(schema["required"], ["name"], "required fields")
    kinds = {field.get("type") for field in schema["properties"].values()}
    expect.equal(kinds, {"string", "number", "integer", "boolean", "array"}, "kinds of fields")
    text = expect.texts(result.content)
    expect.true("User provided the requested information" in text[0], f"not told: {text[0]}")
    expect.true("- name: Ada Lovelace" in text[0] and "- instruments: piano, drums" in text[0], f"not told: {text[0]}")
    answer = json.loads(text[1].removeprefix("Elicitation result: "))
    expect.equal(answer, {"action": "accept", "content": FORM}, "the answer as it arrived")
    for action, told in [("decline", "declined"), ("cancel", "cancelled")]:
        person.action = action
        text = expect.texts((await client.call_tool("elicitInputs")).content)
        expect.true(told in text[0], f"{action}: {text[0]}")
    person.action = "accept"


async def elicit_url(client: Client, person: Person) -> None:
    arguments = {"url": "https://example.com/pay", "message": "Please pay."}
    result = await client.call_tool("elicitUrl", arguments)
    asked = person.elicited[-1]
    expect.equal((asked.mode, str(asked.url), asked.message), ("url", *arguments.values()), "what was asked")
    # Only sessions can be told that it was completed.
    expect.equal(bool(asked.elicitation_id), client.protocol_version < "2026-07-28", "an id for the completion")
    expect.equal(expect.texts(result.content), ["User agreed to open https://example.com/pay."], "elicitUrl")


async def get_roots(client: Client, _: Person) -> None:
    text = expect.texts((await client.call_tool("getRoots")).content)[0]
    for part in ["2 total", "1. home", "URI: file:///home/ada", "URI: file:///tmp"]:
        expect.true(part in text, f"no {part!r} in {text!r}")


async def elicit_in_steps(client: Client, person: Person) -> None:
    before = len(person.elicited)
    result = await client.call_tool("elicitInSteps", {"occasion": "a party"})
    expect.equal(expect.texts(result.content), ["Planned. For a party: chili for 12."], "elicitInSteps")
    expect.equal(len(person.elicited) - before, 3, "questions")
