-- Spans live for 7 days, those of sessions with errors for 90.
--
-- A TTL sees one row: it can't know that another span of the session failed. So a view notes the sessions with errors as
-- spans arrive, and each night the oldest day is moved: its sessions with errors to a table with a longer life, the rest away.

CREATE TABLE otel_traces_kept AS otel_traces;

ALTER TABLE otel_traces_kept MODIFY TTL toDateTime(Timestamp) + INTERVAL 90 DAY;

-- In case the nightly job does not run. In place of the exporter's `ttl`, which is too short for it.
ALTER TABLE otel_traces MODIFY TTL toDateTime(Timestamp) + INTERVAL 9 DAY;

CREATE TABLE error_sessions (
    session_id String,
    day Date
) ENGINE = ReplacingMergeTree
ORDER BY (session_id, day)
TTL day + INTERVAL 30 DAY;

CREATE MATERIALIZED VIEW error_sessions_view TO error_sessions AS
SELECT DISTINCT SpanAttributes['session.id'] AS session_id, toDate(Timestamp) AS day
FROM otel_traces
WHERE StatusCode = 'Error' AND SpanAttributes['session.id'] <> '';

CREATE VIEW all_traces AS
SELECT * FROM otel_traces
UNION ALL
SELECT * FROM otel_traces_kept;
