"""python -m everything_client URL [--user ID | --without-login]

Needs nothing but the address of the MCP endpoint. Says what it checks as it goes, and ends with status 1 at the first
thing that is not as it should be.
"""

import argparse
import sys
import time
import warnings

import anyio
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.exceptions import MCPDeprecationWarning

from . import asking, login, notifications, prompts, resources, tools
from .person import Person

DEADLINE_SECONDS = 170

CHECKS = [
    tools.listed_truthfully,
    tools.echo,
    tools.add,
    tools.long_running_operation,
    tools.get_tiny_image,
    tools.annotated_message,
    tools.get_resource_reference,
    tools.get_structured_content,
    tools.get_resource_links,
    tools.gzip_as_resource,
    tools.mcp_apps_hello_world,
    tools.mistakes,
    asking.sample_llm,
    asking.elicit_inputs,
    asking.elicit_url,
    asking.get_roots,
    resources.pages,
    resources.text_and_binary,
    resources.template,
    resources.mistakes,
    prompts.listed,
    prompts.every_prompt,
    prompts.completions,
    prompts.mistakes,
    asking.elicit_in_steps,
    tools.mirror_headers,
]
# What needs a session, and what takes its place without one.
WITH_SESSION = [
    notifications.ping,
    notifications.log_level,
    notifications.list_changed,
    notifications.subscription,
]
WITHOUT_SESSION = [
    notifications.listening,
]


async def run(url: str, mode: str, auth: login.Login | None, checks: list) -> None:
    person = Person()
    async with (
        create_mcp_http_client(auth=auth and auth.provider) as http,
        Client(
            streamable_http_client(url, http_client=http),
            mode=mode,
            read_timeout_seconds=60,
            sampling_callback=person.sample,
            elicitation_callback=person.elicit,
            list_roots_callback=person.list_roots,
            logging_callback=person.log,
            message_handler=person.notice,
        ) as client,
    ):
        print(f"connected: protocol {client.protocol_version}, mode {mode}", flush=True)
        if checks is CHECKS:
            checks = CHECKS + (WITHOUT_SESSION if client.protocol_version >= "2026-07-28" else WITH_SESSION)
        for check in checks:
            began = time.monotonic()
            await check(client, person)
            name = f"{check.__module__.rpartition('.')[2]}.{check.__name__}"
            print(f"ok {name} ({time.monotonic() - began:.2f} s)", flush=True)
    if auth is not None:
        auth.was_used()
    print(f"all {len(checks)} checks passed", flush=True)


async def main() -> None:
    parser = argparse.ArgumentParser(prog="everything_client", description=__doc__)
    parser.add_argument("url", help="the MCP endpoint")
    parser.add_argument("--user", default="python", help="user id to type at the fake login")
    parser.add_argument("--without-login", action="store_true", help="the server asks for no login")
    parser.add_argument(
        "--mode", default="legacy", choices=["legacy", "auto", "2026-07-28"], help="how to find the revision"
    )
    parser.add_argument("--only-log-in", action="store_true", help="log in and make one call")
    parser.add_argument("--client-id", help="the client was registered beforehand, under this id")
    parser.add_argument("--metadata-url", help="the client is this metadata document")
    arguments = parser.parse_args()
    checks = [tools.echo] if arguments.only_log_in else CHECKS
    auth = None
    if not arguments.without_login:
        auth = login.Login(arguments.url, arguments.user, arguments.client_id, arguments.metadata_url)
    with anyio.fail_after(DEADLINE_SECONDS):
        await run(arguments.url, arguments.mode, auth, checks)


if __name__ == "__main__":
    # Logging and roots are deprecated in 2026-07-28 and part of the revisions before.
    warnings.simplefilter("ignore", MCPDeprecationWarning)
    anyio.run(main)
    sys.exit(0)
