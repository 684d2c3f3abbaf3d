"""python -m everything_client.tour URL MODE: the official Python client goes on the tour of ../tour.json.

Prints one JSON line a step: what it saw. Needs somebody at the other end of its standard input who can break connections.
"""

import argparse
import json
import sys
import warnings
from pathlib import Path

import anyio
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.exceptions import MCPDeprecationWarning

from . import login, tour_person, tour_steps, tour_tasks

MODES = {"modern": "2026-07-28", "legacy": "legacy", "auto": "auto"}
SCRIPT = Path(__file__).parent.parent.parent / "tour.json"
DEADLINE_SECONDS = 110


def say(line: dict) -> None:
    print(json.dumps(line), flush=True)


async def ask(question: dict) -> dict:
    say(question)
    return json.loads(await anyio.to_thread.run_sync(sys.stdin.readline))


async def run(url: str, mode: str) -> None:
    script = json.loads(SCRIPT.read_text(encoding="utf-8"))
    era = script["modes"][mode]["era"]
    steps = [step for step in script["steps"] if step.get("era", era) == era]
    auth = login.Login(url, "python")
    person = tour_person.Tourist(script["person"])
    tasks = tour_tasks.Tasks(person)
    async with (
        create_mcp_http_client(auth=auth.provider) as http,
        Client(
            streamable_http_client(url, http_client=http),
            mode=MODES[mode],
            read_timeout_seconds=60,
            sampling_callback=person.sample,
            elicitation_callback=person.elicit,
            list_roots_callback=person.list_roots,
            logging_callback=person.log,
            message_handler=person.notice,
            extensions=[tasks],
        ) as client,
    ):
        visit = tour_steps.Visit(client, person, auth, era, ask, tasks)
        for step in steps[:-1]:
            await report(visit, step)
    # The last step is to leave, which happened just now.
    await report(visit, steps[-1])


async def report(visit: tour_steps.Visit, step: dict) -> None:
    name = step["name"]
    try:
        say({"step": name, "saw": await getattr(tour_steps, name)(visit, step)})
    except tour_tasks.Unsupported as unsupported:
        say({"step": name, "unsupported": str(unsupported)})
    except Exception as error:
        say({"step": name, "failed": f"{type(error).__name__}: {error}"})
        raise


async def main() -> None:
    parser = argparse.ArgumentParser(prog="everything_client.tour", description=__doc__)
    parser.add_argument("url", help="the MCP endpoint")
    parser.add_argument("mode", choices=MODES, help="how to find the revision")
    arguments = parser.parse_args()
    with anyio.fail_after(DEADLINE_SECONDS):
        await run(arguments.url, arguments.mode)


if __name__ == "__main__":
    # Logging and roots are deprecated in 2026-07-28 and part of the revisions before.
    warnings.simplefilter("ignore", MCPDeprecationWarning)
    anyio.run(main)
    sys.exit(0)
