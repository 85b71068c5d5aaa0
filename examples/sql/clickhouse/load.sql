-- What the Collector's file exporter wrote, into the tables of its ClickHouse exporter. In production that exporter does
-- this. {folder} is filled in by sessions.py.

INSERT INTO otel_traces (
    Timestamp, TraceId, SpanId, ParentSpanId, SpanName, SpanKind, ServiceName, ResourceAttributes, ScopeName,
    SpanAttributes, Duration, StatusCode, StatusMessage
)
SELECT
    fromUnixTimestamp64Nano(toInt64(span.startTimeUnixNano)),
    span.traceId,
    span.spanId,
    span.parentSpanId,
    span.name,
    ['Unspecified', 'Internal', 'Server', 'Client', 'Producer', 'Consumer'][span.kind + 1],
    resource['service.name'],
    resource,
    scope.scope.name,
    mapFromArrays(
        span.attributes.key,
        arrayMap(
            value -> coalesce(value.stringValue, value.intValue, toString(value.doubleValue), toString(value.boolValue), ''),
            span.attributes.value
        )
    ),
    toUInt64(span.endTimeUnixNano) - toUInt64(span.startTimeUnixNano),
    ['Unset', 'Ok', 'Error'][span.status.code + 1],
    span.status.message
FROM (
    SELECT
        arrayJoin(resourceSpans) AS of_resource,
        mapFromArrays(
            of_resource.resource.attributes.key,
            arrayMap(value -> coalesce(value.stringValue, value.intValue, ''), of_resource.resource.attributes.value)
        ) AS resource,
        arrayJoin(of_resource.scopeSpans) AS scope,
        arrayJoin(scope.spans) AS span
    FROM file(
        '{folder}/traces.jsonl',
        JSONEachRow,
        'resourceSpans Array(Tuple(
            resource Tuple(attributes Array(Tuple(
                key String, value Tuple(stringValue Nullable(String), intValue Nullable(String))
            ))),
            scopeSpans Array(Tuple(
                scope Tuple(name String),
                spans Array(Tuple(
                    traceId String,
                    spanId String,
                    parentSpanId String,
                    name String,
                    kind UInt8,
                    startTimeUnixNano String,
                    endTimeUnixNano String,
                    attributes Array(Tuple(key String, value Tuple(
                        stringValue Nullable(String),
                        intValue Nullable(String),
                        doubleValue Nullable(Float64),
                        boolValue Nullable(Bool)
                    ))),
                    status Tuple(code UInt8, message String)
                ))
            ))
        ))'
    )
);

INSERT INTO otel_logs (
    Timestamp, TraceId, SpanId, SeverityText, SeverityNumber, ServiceName, Body, ResourceAttributes, ScopeName, LogAttributes
)
SELECT
    fromUnixTimestamp64Nano(toInt64(if(record.timeUnixNano = '', record.observedTimeUnixNano, record.timeUnixNano))),
    record.traceId,
    record.spanId,
    record.severityText,
    record.severityNumber,
    resource['service.name'],
    record.body.stringValue,
    resource,
    scope.scope.name,
    mapFromArrays(
        record.attributes.key,
        arrayMap(
            value -> coalesce(value.stringValue, value.intValue, toString(value.doubleValue), toString(value.boolValue), ''),
            record.attributes.value
        )
    )
FROM (
    SELECT
        arrayJoin(resourceLogs) AS of_resource,
        mapFromArrays(
            of_resource.resource.attributes.key,
            arrayMap(value -> coalesce(value.stringValue, value.intValue, ''), of_resource.resource.attributes.value)
        ) AS resource,
        arrayJoin(of_resource.scopeLogs) AS scope,
        arrayJoin(scope.logRecords) AS record
    FROM file(
        '{folder}/logs.jsonl',
        JSONEachRow,
        'resourceLogs Array(Tuple(
            resource Tuple(attributes Array(Tuple(
                key String, value Tuple(stringValue Nullable(String), intValue Nullable(String))
            ))),
            scopeLogs Array(Tuple(
                scope Tuple(name String),
                logRecords Array(Tuple(
                    traceId String,
                    spanId String,
                    timeUnixNano String,
                    observedTimeUnixNano String,
                    severityText String,
                    severityNumber UInt8,
                    body Tuple(stringValue String),
                    attributes Array(Tuple(key String, value Tuple(
                        stringValue Nullable(String),
                        intValue Nullable(String),
                        doubleValue Nullable(Float64),
                        boolValue Nullable(Bool)
                    )))
                ))
            ))
        ))'
    )
);
