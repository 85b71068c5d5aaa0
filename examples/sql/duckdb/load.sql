-- What the Collector's file exporter wrote, as tables of DuckDB. {folder} is filled in by sessions.py.

CREATE MACRO text(value) AS
    coalesce(value.stringValue, value.intValue, value.doubleValue::VARCHAR, value.boolValue::VARCHAR, '');

CREATE MACRO attributes_of(list) AS
    map_from_entries(list_transform(list, lambda pair: (pair.key, text(pair.value))));

CREATE TABLE traces AS
SELECT
    span.traceId AS trace_id,
    span.spanId AS span_id,
    coalesce(span.parentSpanId, '') AS parent_span_id,
    resource['service.name'] AS service,
    span.name AS name,
    ['Unspecified', 'Internal', 'Server', 'Client', 'Producer', 'Consumer'][coalesce(span.kind, 0) + 1] AS kind,
    make_timestamp_ns(span.startTimeUnixNano) AS start_time,
    make_timestamp_ns(span.endTimeUnixNano) AS end_time,
    (span.endTimeUnixNano - span.startTimeUnixNano) / 1e6 AS duration_ms,
    ['Unset', 'Ok', 'Error'][coalesce(span.status.code, 0) + 1] AS status,
    coalesce(span.status.message, '') AS status_message,
    attributes_of(span.attributes) AS attributes
FROM (
    SELECT attributes_of(of_resource.resource.attributes) AS resource, unnest(scope.spans) AS span
    FROM (
        SELECT of_resource, unnest(of_resource.scopeSpans) AS scope
        FROM (
            SELECT unnest(resourceSpans) AS of_resource
            FROM read_json('{folder}/traces.jsonl', format = 'newline_delimited', maximum_object_size = 67108864, columns = {
                resourceSpans: 'STRUCT(
                    resource STRUCT(attributes STRUCT(key VARCHAR, "value" STRUCT(
                        stringValue VARCHAR, intValue VARCHAR, doubleValue DOUBLE, boolValue BOOLEAN
                    ))[]),
                    scopeSpans STRUCT(spans STRUCT(
                        traceId VARCHAR,
                        spanId VARCHAR,
                        parentSpanId VARCHAR,
                        name VARCHAR,
                        kind INTEGER,
                        startTimeUnixNano BIGINT,
                        endTimeUnixNano BIGINT,
                        attributes STRUCT(key VARCHAR, "value" STRUCT(
                            stringValue VARCHAR, intValue VARCHAR, doubleValue DOUBLE, boolValue BOOLEAN
                        ))[],
                        status STRUCT(code INTEGER, message VARCHAR)
                    )[])[]
                )[]'
            })
        )
    )
);

CREATE TABLE logs AS
SELECT
    coalesce(record.traceId, '') AS trace_id,
    coalesce(record.spanId, '') AS span_id,
    resource['service.name'] AS service,
    make_timestamp_ns(coalesce(record.timeUnixNano, record.observedTimeUnixNano)) AS time,
    coalesce(record.severityText, '') AS severity,
    coalesce(record.body.stringValue, '') AS body,
    attributes_of(record.attributes) AS attributes
FROM (
    SELECT attributes_of(of_resource.resource.attributes) AS resource, unnest(scope.logRecords) AS record
    FROM (
        SELECT of_resource, unnest(of_resource.scopeLogs) AS scope
        FROM (
            SELECT unnest(resourceLogs) AS of_resource
            FROM read_json('{folder}/logs.jsonl', format = 'newline_delimited', maximum_object_size = 67108864, columns = {
                resourceLogs: 'STRUCT(
                    resource STRUCT(attributes STRUCT(key VARCHAR, "value" STRUCT(
                        stringValue VARCHAR, intValue VARCHAR, doubleValue DOUBLE, boolValue BOOLEAN
                    ))[]),
                    scopeLogs STRUCT(logRecords STRUCT(
                        traceId VARCHAR,
                        spanId VARCHAR,
                        timeUnixNano BIGINT,
                        observedTimeUnixNano BIGINT,
                        severityText VARCHAR,
                        body STRUCT(stringValue VARCHAR),
                        attributes STRUCT(key VARCHAR, "value" STRUCT(
                            stringValue VARCHAR, intValue VARCHAR, doubleValue DOUBLE, boolValue BOOLEAN
                        ))[]
                    )[])[]
                )[]'
            })
        )
    )
);
