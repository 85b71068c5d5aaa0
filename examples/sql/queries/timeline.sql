-- One session's spans and log records as one list.
SELECT *
FROM (
    SELECT start_time AS time, 'span' AS kind, service, name AS text, status AS level, duration_ms, trace_id
    FROM traces
    WHERE attributes['session.id'] = 'abc-123-xyz'
    UNION ALL
    SELECT time, 'log' AS kind, service, body AS text, severity AS level, NULL AS duration_ms, trace_id
    FROM logs
    WHERE attributes['session.id'] = 'abc-123-xyz'
) AS both_kinds
ORDER BY time;
