"""Shows what retention.sql and nightly.sql keep, on made-up spans.

    target/sql/bin/python examples/sql/retention.py
"""

import json

import chdb

import schema
from sessions import HERE, statements

SPANS = [
    # how many days ago, session, name, status
    (91, "failed", "before the last move", "Error"),
    (7, "failed", "look", "Unset"),
    (7, "failed", "buy", "Error"),
    (7, "went-well", "look", "Unset"),
    (7, "", "of no session", "Error"),
    (6, "failed", "come back", "Unset"),
    (6, "went-well", "come back", "Unset"),
    (0, "new", "look", "Unset"),
]


def main():
    connection = chdb.connect(":memory:")
    connection.query(schema.traces())
    for statement in statements(HERE / "clickhouse" / "retention.sql"):
        connection.query(statement)
    for days, session, name, status in SPANS:
        table = "otel_traces_kept" if days > 9 else "otel_traces"
        connection.query(
            f"INSERT INTO {table} (Timestamp, SpanName, SpanAttributes, StatusCode) VALUES "
            f"(toDateTime64(today() - {days}, 9) + 3600, '{name}', map('session.id', '{session}'), '{status}')"
        )
    day = str(connection.query("SELECT today() - 7", "TSV")).strip()
    for statement in statements(HERE / "clickhouse" / "nightly.sql", day=day):
        connection.query(statement)
    for table in ["otel_traces", "otel_traces_kept"]:
        connection.query(f"OPTIMIZE TABLE {table} FINAL")
    answer = connection.query(
        "SELECT SpanAttributes['session.id'] AS session, SpanName AS name FROM all_traces ORDER BY Timestamp, name",
        "JSONEachRow",
    )
    for line in str(answer).splitlines():
        row = json.loads(line)
        print(f"{row['session']}: {row['name']}")


if __name__ == "__main__":
    main()
