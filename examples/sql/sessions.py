"""Runs the queries of this folder, on ClickHouse or on files.

    target/sql/bin/python examples/sql/sessions.py clickhouse http://127.0.0.1:8123 [--json]
    target/sql/bin/python examples/sql/sessions.py duckdb FOLDER [--json]

ClickHouse has the tables of the Collector's exporter (examples/collector/clickhouse.yaml). FOLDER has traces.jsonl and
logs.jsonl, as examples/collector/to-file.yaml makes them.
"""

import argparse
import json
import sys
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).parent


class ClickHouse:
    """A ClickHouse server, by its HTTP interface."""

    def __init__(self, url):
        self.url = url
        for statement in statements(HERE / "clickhouse" / "views.sql"):
            self.post(statement)

    def post(self, statement):
        try:
            with urllib.request.urlopen(self.url, statement.encode()) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as error:
            sys.exit(error.read().decode())
        except urllib.error.URLError as error:
            sys.exit(f"{self.url}: {error.reason}")

    def rows(self, query):
        answer = self.post(query.rstrip().rstrip(";") + " FORMAT JSONEachRow")
        return [json.loads(line) for line in answer.splitlines()]


class DuckDb:
    """DuckDB, in this process, over files."""

    def __init__(self, folder):
        import duckdb

        folder = Path(folder).resolve()
        for name in ["traces.jsonl", "logs.jsonl"]:
            if not (folder / name).is_file():
                sys.exit(f"{folder / name} is not there: see examples/sql/README.md")
        # It becomes part of a statement.
        if "'" in str(folder):
            sys.exit(f"{folder}: a folder without a quotation mark, please")
        self.connection = duckdb.connect()
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
    arguments.add_argument("where", help="the URL of ClickHouse, or a folder")
    arguments.add_argument("--json", action="store_true", help="print rows as JSON, for programs")
    arguments = arguments.parse_args()

    engine = ENGINES[arguments.engine](arguments.where)
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
