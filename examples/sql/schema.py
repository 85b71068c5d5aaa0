"""The tables that the Collector's ClickHouse exporter makes, from the exporter's own templates."""

import re
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "target" / "sql" / "schema"


def traces(name="otel_traces", engine="MergeTree()", ttl=""):
    """CREATE TABLE for spans."""
    template = (FOLDER / "traces_table.sql").read_text()
    # Go's verbs: the database, the table, the cluster, the engine, the TTL.
    for value in ['"default"', f'"{name}"', "", engine, ttl]:
        template = re.sub("%[qs]", lambda _: value, template, count=1)
    return _finished(template)


def logs(name="otel_logs", engine="MergeTree()", ttl=""):
    """CREATE TABLE for log records, as the exporter makes it on ClickHouse 26.2 and later."""
    template = (FOLDER / "logs_table.sql").read_text()
    template = re.sub(r"\{\{-? ?else\}\}.*?\{\{-? ?end\}\}", "", template, flags=re.DOTALL)
    template = re.sub(r"\{\{-? ?if .HasFullTextSearch\}\}", "", template)
    values = {
        "ident .Database": '"default"',
        "ident .TableName": f'"{name}"',
        ".ClusterString": "",
        ".Engine": engine,
        ".TTL": ttl,
    }
    return _finished(re.sub(r"\{\{(.*?)\}\}", lambda match: values[match[1]], template))


def _finished(statement):
    if "{{" in statement or re.search("%[qs]", statement):
        raise ValueError(f"the exporter's template has changed:\n{statement}")
    return statement
