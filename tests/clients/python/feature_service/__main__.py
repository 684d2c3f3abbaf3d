"""python -m feature_service

Serves the features on LISTEN_ADDR: `host:port` or `unix:/path`, by default 127.0.0.1:50053. Then, in another terminal:
FEATURE_URL=http://127.0.0.1:50053 cargo run --release
"""

import asyncio
import os
import signal

import grpc
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import aio as health
from grpc_health.v1.health_pb2 import HealthCheckResponse

from .features import Features, services

NAME = "everything.feature.v1.FeatureService"
DRAIN_SECONDS = 5


async def main() -> None:
    address = os.environ.get("LISTEN_ADDR", "127.0.0.1:50053")
    server = grpc.aio.server()
    services.add_FeatureServiceServicer_to_server(Features(), server)
    # Edges watch it, and send calls only to replicas that serve.
    status = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(status, server)
    port = server.add_insecure_port(address)
    await server.start()
    await status.set(NAME, HealthCheckResponse.SERVING)
    where = address if address.startswith("unix:") else f"http://{address.rpartition(':')[0]}:{port}"
    print(f"listening on {where}", flush=True)

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    await status.enter_graceful_shutdown()
    await server.stop(DRAIN_SECONDS)


if __name__ == "__main__":
    asyncio.run(main())
