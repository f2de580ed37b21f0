"""A service that signs as HashiCorp Vault's transit engine does, over real HTTP; it can be slow, refuse, and lie."""

import json
import threading
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from solders.keypair import Keypair

KEY_NAME = "hot"


class Vault:
    """What the service does.

    Args:
        token: Whoever does not send it is refused, with the token that he sent in the answer.
        mode: "good", "slow", "sealed" (503), "wrong" (signs something else), "garbage", or "away" (redirects).
        signed: How many signatures it gave.
    """

    def __init__(self, key: Keypair, token: str) -> None:
        self.key, self.token, self.mode, self.signed, self.url = key, token, "good", 0, ""
        self.closing = threading.Event()

    def answer(self, token: str, body: bytes) -> tuple[int, object]:
        """Return status and body."""
        if token != self.token or self.mode == "forbidden":
            return 403, {"errors": [f"permission denied for {token}"], "id": token}
        if self.mode == "slow":
            self.closing.wait()  # Longer than anybody waits.
        if self.mode == "sealed":
            return 503, {"errors": [f"Vault is sealed ({token})"]}
        if self.mode == "garbage":
            return 200, {"data": {"signature": f"vault:v1:{token}"}}
        message = b64decode(json.loads(body)["input"])
        self.signed += 1
        signature = self.key.sign_message(b"another" if self.mode == "wrong" else message)
        return 200, {"data": {"signature": f"vault:v1:{b64encode(bytes(signature)).decode()}"}}


@contextmanager
def vault(key: Keypair, token: str) -> Iterator[Vault]:
    """Run the service on this machine."""
    service = Vault(key, token)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, answer = service.answer(self.headers.get("X-Vault-Token", ""), body)
            text = json.dumps(answer).encode()
            self.send_response(307 if service.mode == "away" else status)
            if service.mode == "away":
                self.send_header("Location", "http://127.0.0.1:9/elsewhere")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            pass  # Who asked has gone: we were slow.

    server = Server(("127.0.0.1", 0), Handler)
    service.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield service
    finally:
        service.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
