-- Short names over the exporter's tables.

CREATE OR REPLACE VIEW traces AS
SELECT
    TraceId AS trace_id,
    SpanId AS span_id,
    ParentSpanId AS parent_span_id,
    ServiceName AS service,
    SpanName AS name,
    SpanKind AS kind,
    Timestamp AS start_time,
    Timestamp + toIntervalNanosecond(Duration) AS end_time,
    Duration / 1e6 AS duration_ms,
    StatusCode AS status,
    StatusMessage AS status_message,
    SpanAttributes AS attributes
FROM otel_traces;

CREATE OR REPLACE VIEW logs AS
SELECT
    TraceId AS trace_id,
    SpanId AS span_id,
    ServiceName AS service,
    Timestamp AS time,
    SeverityText AS severity,
    Body AS body,
    LogAttributes AS attributes
FROM otel_logs;
