"""Runs the queries of this folder over the files that the Collector wrote.

    target/sql/bin/python examples/sql/sessions.py clickhouse|duckdb FOLDER [--json]

FOLDER has traces.jsonl and logs.jsonl, as examples/collector/to-file.yaml makes them.
"""

import argparse
import json
import sys
from pathlib import Path

HERE = Path(__file__).parent


class ClickHouse:
    """ClickHouse's engine, in this process."""

    def __init__(self):
        import chdb

        self.connection = chdb.connect(":memory:")

    def load(self, folder):
        import schema

        self.connection.query(schema.traces())
        self.connection.query(schema.logs())
        for file in ["views.sql", "load.sql"]:
            for statement in statements(HERE / "clickhouse" / file, folder=folder):
                self.connection.query(statement)

    def rows(self, query):
        answer = self.connection.query(query.rstrip().rstrip(";"), "JSONEachRow")
        return [json.loads(line) for line in str(answer).splitlines() if line]


class DuckDb:
    """DuckDB, in this process."""

    def __init__(self):
        import duckdb

        self.connection = duckdb.connect()

    def load(self, folder):
        for statement in statements(HERE / "duckdb" / "load.sql", folder=folder):
            self.connection.execute(statement)

    def rows(self, query):
        cursor = self.connection.execute(query)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row)) for row in cursor.fetchall()]


ENGINES = {"clickhouse": ClickHouse, "duckdb": DuckDb}


def statements(file, **values):
    """The statements of a file, one after the other, with what it leaves open filled in."""
    text = file.read_text()
    for name, value in values.items():
        text = text.replace("{" + name + "}", str(value))
    return [statement for statement in text.split(";\n") if statement.strip()]


def main():
    arguments = argparse.ArgumentParser(description="Asks about sessions, in SQL.")
    arguments.add_argument("engine", choices=ENGINES)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--json", action="store_true", help="print rows as JSON, for programs")
    arguments = arguments.parse_args()
    folder = arguments.folder.resolve()
    for name in ["traces.jsonl", "logs.jsonl"]:
        if not (folder / name).is_file():
            sys.exit(f"{folder / name} is not there: see examples/sql/README.md")
    # It becomes part of a statement.
    if "'" in str(folder):
        sys.exit(f"{folder}: a folder without a quotation mark, please")

    engine = ENGINES[arguments.engine]()
    engine.load(folder)
    answers = {file.stem: engine.rows(file.read_text()) for file in sorted((HERE / "queries").glob("*.sql"))}
    if arguments.json:
        json.dump(answers, sys.stdout, default=str)
        return
    for name, rows in answers.items():
        print(f"-- {name}.sql: {len(rows)} rows")
        for row in rows:
            print("   ", "  ".join(f"{key}={value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
