"""Assertions that say what they looked at. Plain `assert` would vanish under -O."""

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
from mcp.shared.exceptions import MCPError


def equal(actual: Any, expected: Any, what: str) -> None:
    if actual != expected:
        raise AssertionError(f"{what}: expected {expected!r}, got {actual!r}")


def true(condition: object, what: str) -> None:
    if not condition:
        raise AssertionError(what)


async def error(call: Awaitable[Any], code: int, what: str) -> MCPError:
    """The JSON-RPC error that the call must end in."""
    try:
        result = await call
    except MCPError as raised:
        equal(raised.code, code, f"{what}: code of {raised.message!r}")
        return raised
    raise AssertionError(f"{what}: no error but {result!r}")


async def eventually(condition: Callable[[], bool], what: str, seconds: float = 20) -> None:
    with anyio.move_on_after(seconds):
        while not condition():
            await anyio.sleep(0.02)
        return
    raise AssertionError(f"not within {seconds} s: {what}")


def texts(content: list[Any]) -> list[str]:
    return [block.text for block in content if block.type == "text"]
