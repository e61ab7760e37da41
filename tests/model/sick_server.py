"""
One server that hangs, fails and redirects, for thousands of webhooks at a time; prints its port.

``python -m tests.model.sick_server URL``, where URL is that to which it redirects.
"""

from __future__ import annotations

import asyncio
import sys


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    path = (await reader.readline()).split(b" ")[1]
    if path == b"/hang":
        await asyncio.sleep(60)
    elif path == b"/fail":
        writer.write(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    else:
        writer.write(b"HTTP/1.1 307 There\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % sys.argv[1].encode())
    writer.close()


async def _serve() -> None:
    server = await asyncio.start_server(_answer, "127.0.0.1", 0, backlog=2000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
