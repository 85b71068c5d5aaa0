-- The nightly job of retention.sql, on each shard: all spans of a session are on one. {day} is the day a week ago, as 2026-11-20.

INSERT INTO otel_traces_kept
SELECT *
FROM otel_traces
WHERE toDate(Timestamp) = '{day}'
    AND SpanAttributes['session.id'] IN (SELECT session_id FROM error_sessions WHERE day >= toDate('{day}') - 1);

ALTER TABLE otel_traces DROP PARTITION '{day}';
