"""An OpenTelemetry collector on a real socket: takes OTLP over HTTP and keeps the spans."""

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Collector:
    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                assert self.path == "/v1/traces"
                outer.headers.append({name.lower(): value for name, value in self.headers.items()})
                outer.bodies.append(body)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def resources(self) -> list[dict[str, str]]:
        return [
            _plain(group.resource.attributes) for body in self.bodies for group in _read(body).resource_spans
        ]

    def spans(self) -> list[dict]:
        return [
            {
                "name": span.name, "kind": span.kind, "trace": span.trace_id.hex(), "id": span.span_id.hex(),
                "parent": span.parent_span_id.hex(), "status": span.status.code, "said": span.status.message,
                "events": len(span.events), "state": span.trace_state, **_plain(span.attributes),
            }
            for body in self.bodies
            for group in _read(body).resource_spans
            for scope in group.scope_spans
            for span in scope.spans
        ]  # fmt: skip


def _read(body: bytes) -> ExportTraceServiceRequest:
    return ExportTraceServiceRequest.FromString(body)


def _plain(attributes) -> dict[str, str]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in attributes}
