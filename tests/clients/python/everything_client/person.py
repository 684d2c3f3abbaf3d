"""The model and the person behind the client: what the server may ask, and what it says unasked."""

from typing import Any

import mcp_types as types
from mcp.client.session import ClientRequestContext, IncomingMessage

# Answers to questions that come one after the other.
STEPS = {"guests": 12, "dish": "chili", "agreed": True}
FORM = {
    "name": "Ada Lovelace",
    "agree": True,
    "color": "green",
    "email": "ada@example.com",
    "homepage": "https://example.com/ada",
    "birthdate": "1815-12-10",
    "appointment": "2026-01-02T03:04:05Z",
    "integer": 7,
    "number": 2.5,
    "size": "large",
    "pet": "cat",
    "instruments": ["piano", "drums"],
    "fish": ["trout"],
    "planet": "saturn",
}
ROOTS = [types.Root(uri="file:///home/ada", name="home"), types.Root(uri="file:///tmp")]


class Person:
    def __init__(self) -> None:
        self.sampled: list[types.CreateMessageRequestParams] = []
        self.elicited: list[types.ElicitRequestParams] = []
        self.logs: list[types.LoggingMessageNotificationParams] = []
        self.notices: list[Any] = []
        # What the person does with the next form or link.
        self.action = "accept"

    async def sample(
        self, _: ClientRequestContext, params: types.CreateMessageRequestParams
    ) -> types.CreateMessageResult:
        self.sampled.append(params)
        return types.CreateMessageResult(
            role="assistant",
            model="a-model",
            stop_reason="endTurn",
            content=types.TextContent(type="text", text=f"answer {len(self.sampled)}"),
        )

    async def elicit(self, _: ClientRequestContext, params: types.ElicitRequestParams) -> types.ElicitResult:
        self.elicited.append(params)
        if self.action != "accept" or params.mode == "url":
            return types.ElicitResult(action=self.action)
        fields = params.requested_schema["properties"]
        if set(fields) <= set(STEPS):
            return types.ElicitResult(action="accept", content={name: STEPS[name] for name in fields})
        return types.ElicitResult(action="accept", content=FORM)

    async def list_roots(self, _: ClientRequestContext) -> types.ListRootsResult:
        return types.ListRootsResult(roots=ROOTS)

    async def log(self, params: types.LoggingMessageNotificationParams) -> None:
        self.logs.append(params)

    async def notice(self, message: IncomingMessage) -> None:
        if isinstance(message, Exception):
            raise message
        self.notices.append(message)

    def updates(self, uri: str) -> int:
        """How often the server said that the resource changed."""
        return sum(
            isinstance(notice, types.ResourceUpdatedNotification) and str(notice.params.uri) == uri
            for notice in self.notices
        )

    def seen(self, kind: type) -> int:
        return sum(isinstance(notice, kind) for notice in self.notices)
