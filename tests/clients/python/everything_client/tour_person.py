"""Whoever is behind a client on tour."""

from typing import Any

import mcp_types as types
from mcp.client.session import ClientRequestContext

from .person import Person


class Tourist(Person):
    """Answers what the script says."""

    def __init__(self, answers: dict[str, Any]) -> None:
        super().__init__()
        self.answers = answers
        self.looked = 0

    async def sample(
        self, _: ClientRequestContext, params: types.CreateMessageRequestParams
    ) -> types.CreateMessageResult:
        self.sampled.append(params)
        content = types.TextContent(type="text", text=self.answers["sample"])
        return types.CreateMessageResult(role="assistant", model="a-model", content=content)

    async def elicit(self, _: ClientRequestContext, params: types.ElicitRequestParams) -> types.ElicitResult:
        self.elicited.append(params)
        if params.mode == "url":
            return types.ElicitResult(action="accept")
        fields, steps = params.requested_schema["properties"], self.answers["steps"]
        if set(fields) <= set(steps):
            return types.ElicitResult(action="accept", content={name: steps[name] for name in fields})
        return types.ElicitResult(action="accept", content=self.answers["form"])

    async def list_roots(self, _: ClientRequestContext) -> types.ListRootsResult:
        self.looked += 1
        return types.ListRootsResult(roots=[types.Root(**root) for root in self.answers["roots"]])
