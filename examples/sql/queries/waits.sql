-- What one session waited for, by service: each span's duration without that of its children. Children that ran at the same
-- time count each, but a span never less than nothing.
SELECT service, count(*) AS spans, sum(greatest(duration_ms - coalesce(of_children, 0), 0)) AS waited_ms
FROM (
    SELECT trace_id, span_id, service, duration_ms
    FROM traces
    WHERE attributes['session.id'] = 'abc-123-xyz'
) AS span
LEFT JOIN (
    SELECT trace_id, parent_span_id, sum(duration_ms) AS of_children
    FROM traces
    WHERE attributes['session.id'] = 'abc-123-xyz'
    GROUP BY trace_id, parent_span_id
) AS children ON children.trace_id = span.trace_id AND children.parent_span_id = span.span_id
GROUP BY service
ORDER BY waited_ms DESC;
