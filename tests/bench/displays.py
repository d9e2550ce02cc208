"""A simulated cluster whose displays say what they are asked to, in a process of its own.

`python -m tests.bench.displays GUESTS` prints how to reach it, and ends with its input. A display takes keys,
which say a size and a count, and answers with so many times so many bytes: sound of QEMU, which has any length.
"""

import asyncio
import json
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pvesim import Simulator
from tests.waits import TIMEOUT, read_line_with

VERSION = b"RFB 003.008\n"
ASK = struct.Struct(">BxHI")
KEY = 4
SOUND = struct.Struct(">BBHI")
FIRST = 1000


@contextmanager
def begun(guests: int) -> Iterator[dict[str, Any]]:
    command = [sys.executable, "-m", "tests.bench.displays", str(guests)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield json.loads(read_line_with(process, ""))
        finally:
            process.communicate(timeout=TIMEOUT)


def ask(size: int, count: int) -> bytes:
    return ASK.pack(KEY, count, size)


async def _display(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Without a password: the simulator asks for that."""
    writer.write(VERSION)
    await reader.readexactly(12)
    writer.write(b"\x01\x01")
    await reader.readexactly(1)
    writer.write(b"\0\0\0\0")
    await reader.readexactly(1)
    writer.write(struct.pack(">HHBBBB12xI", 640, 480, 32, 24, 0, 1, 5) + b"bench")
    try:
        while True:
            _key, count, size = ASK.unpack(await reader.readexactly(ASK.size))
            piece = SOUND.pack(255, 1, 2, size - SOUND.size) + bytes(size - SOUND.size)
            for _ in range(count):
                writer.write(piece)
                await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


def _serve(ready: threading.Event, place: list[tuple[str, int]]) -> None:
    async def serve() -> None:
        server = await asyncio.start_server(_display, "127.0.0.1", 0)
        place.append(server.sockets[0].getsockname()[:2])
        ready.set()
        await server.serve_forever()

    asyncio.run(serve())


def stand() -> tuple[str, int]:
    """Begin to serve such displays, until the process ends. Returns where."""
    ready, place = threading.Event(), list[tuple[str, int]]()
    threading.Thread(target=_serve, args=(ready, place), daemon=True).start()
    if not ready.wait(TIMEOUT):
        raise TimeoutError("The display did not start.")
    return place[0]


def main() -> None:
    place = stand()
    with Simulator() as simulator:
        lab = simulator.add_cluster("bench", statd_interval=0.0)
        lab.add_user("portal@pve", password="only-for-this-run", acl={"/": "Administrator"})
        token = lab.add_token("portal@pve", "labs", privsep=False)
        for number in range(guests := int(sys.argv[1])):
            lab.add_guest(FIRST + number, name=f"display-{number}", status="running")
            lab.guest(FIRST + number).vnc_backend = place
        answer = {
            "host": lab.host, "port": lab.port, "token_id": token.full_id, "token_secret": token.secret,
            "fingerprint": lab.fingerprint("pve1"), "guests": guests,
        }  # fmt: skip
        print(json.dumps(answer), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
