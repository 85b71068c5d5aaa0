"""How the query for a session grows with the number of spans, and what session.id costs: the tables of docs/scale.md.

    target/sql/bin/python examples/sql/scale.py [SPANS ...]

Without arguments: 100,000, a million and ten million spans, of a tenth as many sessions. Needs 5 GB under target/.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import chdb

import schema

TARGET = Path(__file__).parents[2] / "target"

# A session is ten spans of one or more requests, within its half hour, on one of two days. Its ID is a UUID, and so is as hard to
# compress as a real one. Attributes are those of the shop's spans.
GENERATE = """
INSERT INTO {table} (Timestamp, TraceId, SpanId, ParentSpanId, SpanName, SpanKind, ServiceName, ResourceAttributes, ScopeName,
    SpanAttributes, Duration, StatusCode)
SELECT
    toDateTime64('2026-11-26 00:00:00', 9, 'UTC')
        + toIntervalSecond(cityHash64(session, 'start') % 172800) + toIntervalMillisecond(number % 10 * 50 + number % 7),
    lower(hex(MD5(concat('trace', toString(session), '-', toString(number % 10 < 7))))),
    lower(hex(toUInt64(cityHash64(number, 'span')))),
    if(number % 10 IN (0, 7), '', lower(hex(toUInt64(cityHash64(number - 1, 'span'))))),
    ['POST /api/checkout', 'price the basket', 'reserve the stock', 'call payments', 'POST /charge', 'check the card',
     'write the ledger', 'GET /api/products', 'look up prices', 'render'][number % 10 + 1],
    ['Server', 'Internal', 'Internal', 'Client', 'Server', 'Internal', 'Internal', 'Server', 'Internal', 'Internal']
        [number % 10 + 1],
    if(number % 10 IN (4, 5, 6), 'payments', 'storefront'),
    map('service.name', if(number % 10 IN (4, 5, 6), 'payments', 'storefront'), 'service.version', '1.4.2',
        'host.name', concat('web-', toString(cityHash64(session, 'host') % 40)), 'telemetry.sdk.language', 'rust'),
    'shop',
    map('http.request.method', if(number % 10 < 7, 'POST', 'GET'), 'url.path', if(number % 10 < 7, '/api/checkout', '/api/products'),
        'http.response.status_code', if(cityHash64(number, 'status') % 500 = 0, '503', '200'),
        'order', concat('A-', toString(session % 90000)), 'total_cents', toString(cityHash64(session, 'total') % 20000)
        {session_id}),
    cityHash64(number, 'duration') % 40000000,
    if(cityHash64(number, 'status') % 500 = 0, 'Error', 'Unset')
FROM (SELECT number, intDiv(number, 10) AS session FROM numbers({first}, {count}))
SETTINGS max_insert_threads = 1, max_threads = 2
"""
UUID = "lower(concat(substring(hex(MD5(toString(session))), 1, 8), '-', substring(hex(MD5(toString(session))), 9, 4), '-7', " \
    "substring(hex(MD5(toString(session))), 14, 3), '-9', substring(hex(MD5(toString(session))), 18, 3), '-', " \
    "substring(hex(MD5(toString(session))), 21, 12)))"
BY_MAP = "SELECT * FROM {table} WHERE SpanAttributes['session.id'] = '{id}' ORDER BY Timestamp"
BY_COLUMN = "SELECT * FROM {table} WHERE session_id = '{id}' ORDER BY Timestamp"

# The cache of conditions knows where the last query found its rows: not what is measured here.
INDEX = "SETTINGS use_query_condition_cache = 0"
NO_INDEX = INDEX + ", use_skip_indexes = 0"
COLUMN = "SELECT * FROM {table} WHERE session_id = '{id}' ORDER BY Timestamp"

# The cache of conditions knows where the last query found its rows: not what is measured here.
INDEX = "SETTINGS use_query_condition_cache = 0"
NO_INDEX = INDEX + ", use_skip_indexes = 0"
VARIANTS = [
    # name, changes to the exporter's table, query, settings
    ("no index", [], BY_MAP, NO_INDEX),
    ("the exporter's: bloom filters on keys and values of the map", [], BY_MAP, INDEX),
    (
        "a text index on the map's values",
        ["ALTER TABLE {table} DROP INDEX idx_span_attr_value",
         "ALTER TABLE {table} ADD INDEX idx_span_attr_value mapValues(SpanAttributes) TYPE text(tokenizer = 'array')"],
        BY_MAP,
        INDEX,
    ),
    ("a column for session.id, no index", ["COLUMN"], BY_COLUMN, NO_INDEX),
    (
        "a column, with a bloom filter",
        ["COLUMN", "ALTER TABLE {table} ADD INDEX idx_session session_id TYPE bloom_filter(0.001) GRANULARITY 1"],
        BY_COLUMN,
        INDEX,
    ),
    (
        "a column, and a projection in its order",
        ["COLUMN", "PROJECTION"],
        BY_COLUMN,
        INDEX,
    ),
]
COLUMN = "ALTER TABLE {table} ADD COLUMN session_id String MATERIALIZED SpanAttributes['session.id'] CODEC(ZSTD(1))"
PROJECTION = "ALTER TABLE {table} ADD PROJECTION by_session (SELECT * ORDER BY session_id)"


class Store:
    """One engine with its data in a folder that goes away."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(dir=TARGET)
        self.connection = chdb.connect(self.folder.name)

    def do(self, statement):
        return str(self.connection.query(statement))

    def number(self, query):
        return float(self.do(query).strip() or 0)

    def fill(self, table, spans, with_session=True):
        pair = f", 'session.id', {UUID}" if with_session else ""
        step = 1_000_000
        for first in range(0, spans, step):
            count = min(step, spans - first)
            self.do(GENERATE.format(table=table, session_id=pair, first=first, count=count))
        self.do(f"OPTIMIZE TABLE {table} FINAL")

    def size(self, table):
        """Data, indexes and projections."""
        return self.number(f"SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND table = '{table}'")

    def sessions(self, spans):
        """Some sessions from all over."""
        chosen = [spans // 10 * part // 11 for part in range(1, 11)]
        numbers = ", ".join(map(str, chosen))
        answer = self.do(f"SELECT {UUID} FROM (SELECT arrayJoin([{numbers}]) AS session) FORMAT TSV")
        return answer.split()


def measure(store, table, query, settings, ids):
    """The median time in ms, and how many rows were read, of one query for each of these sessions.

    Of each, the best of three: the others waited for something else on this machine.
    """
    times, read = [], []
    for session_id in ids:
        tries = []
        for _ in range(3):
            began = time.perf_counter()
            answer = store.connection.query(query.format(table=table, id=session_id) + " " + settings, "JSONCompact")
            tries.append((time.perf_counter() - began) * 1000)
        times.append(min(tries))
        read.append(answer.storage_rows_read())
        rows = str(answer).count('"shop"')
        assert rows == 10, f"{rows} spans of {session_id}"
    return statistics.median(times), statistics.median(read)


def main():
    scales = [int(argument.replace(",", "")) for argument in sys.argv[1:]] or [100_000, 1_000_000, 10_000_000]
    for spans in scales:
        store = Store()
        ids = store.sessions(spans)
        base = None
        print(f"\n{spans:,} spans of {spans // 10:,} sessions\n")
        print("| | median | rows read | bytes a span |")
        print("| --- | ---: | ---: | ---: |")
        store.do(schema.traces("without"))
        store.fill("without", spans, with_session=False)
        without = store.size("without") / spans
        store.do("DROP TABLE without SYNC")
        print(f"| the exporter's table without session.id | | | {without:.1f} |", flush=True)
        for name, changes, query, settings in VARIANTS:
            table = "spans"
            if base is None or changes:
                store.do(f"DROP TABLE IF EXISTS {table} SYNC")
                store.do(schema.traces(table))
                for change in changes:
                    change = {"COLUMN": COLUMN, "PROJECTION": PROJECTION}.get(change, change)
                    store.do(change.format(table=table))
                store.fill(table, spans)
                base = True
            median, read = measure(store, table, query, settings, ids)
            size = store.size(table) / spans
            print(f"| {name} | {median:.0f} ms | {read:,.0f} | {size:.1f} |", flush=True)
        store.connection.close()
        store.folder.cleanup()


if __name__ == "__main__":
    main()
