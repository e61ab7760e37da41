"""A receiver of webhooks, to copy: verifies, deduplicates, and notices what is missing of a wallet.

pip install standardwebhooks; WEBHOOK_SECRET=whsec_... python consumer.py   (listens on port 9000)
"""

import os
import sqlite3
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

store = sqlite3.connect(os.environ.get("STORE", "received.db"))
store.execute("CREATE TABLE IF NOT EXISTS seen (id TEXT PRIMARY KEY)")
store.execute("CREATE TABLE IF NOT EXISTS entries (wallet TEXT, seq INT, amount TEXT, PRIMARY KEY (wallet, seq))")


def receive(headers: Mapping[str, str], body: bytes) -> int:
    """Take an event once, with what is done about it in one transaction; return the HTTP status to answer."""
    try:
        event = Webhook(os.environ["WEBHOOK_SECRET"]).verify(body, dict(headers))
    except WebhookVerificationError:
        return 400
    with store:  # one transaction: a crash before its end has the event sent again
        if store.execute("INSERT OR IGNORE INTO seen VALUES (?)", [event["id"]]).rowcount:
            for entry in event["data"].get("entries", []):
                row = [entry["account_id"], entry["seq"], entry["direction"][0] + entry["amount"]]
                store.execute("INSERT INTO entries VALUES (?, ?, ?)", row)
    return 204


def missing() -> list[tuple[str, int]]:
    """Wallets of which entries between the first and the last are missing, and how many: events come in any order,
    so ask again after a minute; what is still missing is in GET /api/v1/events?wallet_id=..."""
    return store.execute(
        "SELECT wallet, max(seq) - min(seq) + 1 - count(*) FROM entries GROUP BY wallet"
        " HAVING max(seq) - min(seq) + 1 > count(*)"
    ).fetchall()


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.send_response(receive(self.headers, self.rfile.read(int(self.headers["Content-Length"]))))
        self.end_headers()


if __name__ == "__main__":
    HTTPServer(("127.0.0.1", 9000), Handler).serve_forever()
