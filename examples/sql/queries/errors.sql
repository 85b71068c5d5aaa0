-- Each session with errors, and the span that failed first: the first to end, since an error goes from the inside out.
SELECT session_id, errors, service, name, status_message, trace_id
FROM (
    SELECT
        attributes['session.id'] AS session_id,
        count(*) OVER (PARTITION BY attributes['session.id']) AS errors,
        row_number() OVER (PARTITION BY attributes['session.id'] ORDER BY end_time) AS nth,
        service, name, status_message, trace_id, end_time
    FROM traces
    WHERE status = 'Error' AND attributes['session.id'] <> ''
) AS failed
WHERE nth = 1
ORDER BY end_time;
