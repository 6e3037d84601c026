# SPDX-License-Identifier: BSD-3-Clause
"""The web server that the pages of tests/interop come from and talk through, in the client namespace of a lab."""

import contextlib
import http.server
import json
import queue
import threading

from netns import ROOT, inside

PAGES = {f"/{path.name}": path for path in (ROOT / "tests/interop").iterdir()}
TYPES = {".html": "text/html", ".js": "text/javascript"}
PATIENCE = 5  # seconds for which a request for a message waits; the page asks again


class Exchange:
    """Serves from construction to close(): the pages, the ICE servers they are to use, and a mailbox for each of `names`."""

    def __init__(self, lab, ice_servers, names):
        self.ice_servers = json.dumps(ice_servers).encode()
        self.boxes = {f"/mail/{name}": queue.Queue() for name in names}
        with inside(lab.namespace("client")):
            self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    def url(self, path):
        return f"http://127.0.0.1:{self.server.server_port}/{path}"

    def find(self, path):
        """Content type and bytes of what is behind a path; None if there is nothing, or no message yet."""
        if path == "/ice-servers":
            return "application/json", self.ice_servers
        if path in PAGES:
            return TYPES[PAGES[path].suffix], PAGES[path].read_bytes()
        if path in self.boxes:
            with contextlib.suppress(queue.Empty):
                return "application/json", self.boxes[path].get(timeout=PATIENCE)
        return None

    def tell(self, name, message):
        self.boxes[f"/mail/{name}"].put(json.dumps(message).encode())

    def hear(self, name, timeout):
        """The next message to a mailbox, taken out of it; None if there is none in time."""
        with contextlib.suppress(queue.Empty):
            return json.loads(self.boxes[f"/mail/{name}"].get(timeout=timeout))
        return None

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def _handler(exchange):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):  # pylint: disable=invalid-name
            found = exchange.find(self.path.partition("?")[0])
            with contextlib.suppress(ConnectionError):  # a browser that was ended meanwhile
                self._answer(*(found or (None, b"")))

        def do_POST(self):  # pylint: disable=invalid-name
            exchange.boxes[self.path].put(self.rfile.read(int(self.headers["Content-Length"])))
            self._answer()

        def _answer(self, kind=None, body=b""):
            self.send_response(200 if kind else 204)
            if kind:
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):  # pylint: disable=arguments-differ
            """A page asks for its messages all the time."""

    return Handler
