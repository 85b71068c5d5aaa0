"""A small server around ClickHouse's engine, for where there is no ClickHouse: chDB is a library.

    target/sql/bin/python examples/sql/server.py 127.0.0.1:8123

It knows as much of ClickHouse's HTTP interface as the Collector's exporter and sessions.py use, and keeps all in memory.
"""

import json
import struct
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import chdb

CONNECTION = chdb.connect(":memory:")
LOCK = threading.Lock()


def ask(statement, form="Null"):
    with LOCK:
        return CONNECTION.query(statement, form).bytes()


def insert(statement, data):
    """INSERT … FORMAT Native, with the rows that follow."""
    table = statement[: statement.upper().rindex("FORMAT")].strip()
    table = table.removesuffix("VALUES").strip()
    with tempfile.NamedTemporaryFile(suffix=".native") as file:
        file.write(data)
        file.flush()
        ask(f"{table} SELECT * FROM file('{file.name}', Native)")


def native(statement):
    """The rows as one block of the format Native, as clickhouse-go reads it: protocol version 54454 and later."""
    answer = json.loads(ask(statement, "JSONCompact"))
    block = b"\x01\x00\x02\xff\xff\xff\xff\x00" + number(len(answer["meta"])) + number(len(answer["data"]))
    for at, column in enumerate(answer["meta"]):
        block += text(column["name"]) + text(column["type"]) + b"\x00"
        for row in answer["data"]:
            block += value(column["type"], row[at])
    return block


def value(kind, given):
    packed = {"UInt8": "<B", "UInt16": "<H", "UInt32": "<I", "UInt64": "<Q"}
    if kind == "String":
        return text(given)
    return struct.pack(packed[kind], int(given))


def text(given):
    given = given.encode()
    return number(len(given)) + given


def number(given):
    encoded = b""
    while given > 127:
        encoded += bytes([given & 127 | 128])
        given >>= 7
    return encoded + bytes([given])


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        parameters = parse_qs(urlsplit(self.path).query)
        body = self.body()
        statement = parameters.get("query", [""])[0]
        try:
            if statement.lstrip().upper().startswith("INSERT"):
                insert(statement, body)
                self.answer(200, b"")
                return
            statement = (statement + body.decode()).strip()
            code = [line for line in statement.splitlines() if not line.startswith("--")]
            is_question = " ".join(code).split()[0].upper() in ["SELECT", "WITH", "DESC", "DESCRIBE", "SHOW"]
            if not is_question:
                ask(statement)
                self.answer(200, b"")
            elif "client_protocol_version" in parameters:
                self.answer(200, native(statement))
            else:
                self.answer(200, ask(statement, "JSONEachRow"))
        except Exception as error:  # what the engine says is the answer
            print(f"{statement[:2000]}\n{error}", file=sys.stderr, flush=True)
            self.answer(500, f"{error}".encode())

    def body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if status != 200:
            self.send_header("X-ClickHouse-Exception-Code", "1")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def main():
    host, port = sys.argv[1].rsplit(":", 1)
    ThreadingHTTPServer((host, int(port)), Handler).serve_forever()


if __name__ == "__main__":
    main()
