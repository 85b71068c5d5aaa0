-- The slowest request of each session. A request is a span of the kind server whose parent is not a span of ours: the
-- calls between services are part of it.
SELECT session_id, requests, service, name, duration_ms, trace_id
FROM (
    SELECT
        attributes['session.id'] AS session_id,
        count(*) OVER (PARTITION BY attributes['session.id']) AS requests,
        row_number() OVER (PARTITION BY attributes['session.id'] ORDER BY duration_ms DESC) AS nth,
        service, name, duration_ms, trace_id
    FROM traces
    WHERE kind = 'Server'
        AND attributes['session.id'] <> ''
        AND parent_span_id NOT IN (SELECT span_id FROM traces)
) AS request
WHERE nth = 1
ORDER BY duration_ms DESC;
