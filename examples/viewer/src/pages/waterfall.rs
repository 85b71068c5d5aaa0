//! One session laid out for the eye: a waterfall per trace, log lines where they happened.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::model::{
    Attributes, Log, SESSION_ID, SEVERITY_ERROR, Session, Span, Status, Timestamp, text,
};

/// Deeper than this is not indented further: a chain without end must not leave the page.
const MAX_INDENT: usize = 12;

/// How many service colours the style sheet knows.
const COLOURS: usize = 8;

/// Narrower than this (in percent) a bar cannot be seen.
const MIN_BAR: f64 = 0.4;

#[derive(Debug)]
pub(super) struct Waterfall {
    pub(super) services: Vec<Service>,
    /// The latest first: that is the one somebody who just pressed a button looks for.
    pub(super) traces: Vec<Trace>,
    pub(super) outside: Vec<LogRow>,
}

#[derive(Debug)]
pub(super) struct Service {
    pub(super) name: String,
    pub(super) colour: usize,
}

#[derive(Debug)]
pub(super) struct Trace {
    pub(super) trace_id: String,
    pub(super) title: String,
    pub(super) started: Timestamp,
    pub(super) took: String,
    /// Labels at a quarter, half and three quarters of the trace.
    pub(super) quarters: [String; 3],
    pub(super) spans: usize,
    pub(super) logs: usize,
    pub(super) errors: usize,
    pub(super) rows: Vec<Row>,
}

#[derive(Debug)]
pub(super) enum Row {
    Span(SpanRow),
    Log(LogRow),
}

#[derive(Debug)]
pub(super) struct SpanRow {
    pub(super) anchor: String,
    pub(super) name: String,
    pub(super) service: String,
    pub(super) colour: usize,
    pub(super) indent: usize,
    pub(super) failed: bool,
    pub(super) from_percent: String,
    pub(super) width_percent: String,
    pub(super) took: String,
    pub(super) details: Vec<(String, String)>,
}

#[derive(Debug)]
pub(super) struct LogRow {
    pub(super) anchor: String,
    pub(super) body: String,
    /// The attributes, on one line with the message.
    pub(super) fields: Vec<(String, String)>,
    pub(super) severity: String,
    /// `error`, `warn`, `info` or `debug`: the words the style sheet knows.
    pub(super) level: &'static str,
    pub(super) service: String,
    pub(super) colour: usize,
    pub(super) indent: usize,
    pub(super) at_percent: String,
    pub(super) at: String,
    pub(super) details: Vec<(String, String)>,
}

pub(super) fn lay_out(session: &Session) -> Waterfall {
    let names: BTreeSet<&str> = session
        .spans
        .iter()
        .map(|span| span.service.as_str())
        .chain(session.logs.iter().map(|log| log.service.as_str()))
        .collect();
    // The service that was seen first gets the first colour, whatever its name.
    let mut colours: HashMap<&str, usize> = HashMap::new();
    for name in session.spans.iter().map(|span| span.service.as_str()).chain(names.iter().copied())
    {
        let next = colours.len();
        colours.entry(name).or_insert(next % COLOURS);
    }

    let mut by_trace: BTreeMap<&str, (Vec<&Span>, Vec<&Log>)> = BTreeMap::new();
    let mut outside = Vec::new();
    for span in &session.spans {
        by_trace.entry(&span.trace_id).or_default().0.push(span);
    }
    for log in &session.logs {
        match &log.trace_id {
            Some(trace_id) => by_trace.entry(trace_id).or_default().1.push(log),
            None => outside.push(log),
        }
    }

    let mut traces: Vec<Trace> = by_trace
        .into_iter()
        .map(|(trace_id, (spans, logs))| trace(trace_id, &spans, &logs, &colours))
        .collect();
    traces.sort_by_key(|trace| Reverse(trace.started));

    let axis = Axis::of(&[], &outside);
    Waterfall {
        services: by_colour(&colours),
        traces,
        outside: outside
            .into_iter()
            .enumerate()
            .map(|(n, log)| log_row(log, &format!("outside-{n}"), 0, &axis, &colours))
            .collect(),
    }
}

fn by_colour(colours: &HashMap<&str, usize>) -> Vec<Service> {
    let mut services: Vec<Service> = colours
        .iter()
        .map(|(name, colour)| Service { name: (*name).to_owned(), colour: *colour })
        .collect();
    services.sort_by(|a, b| (a.colour, &a.name).cmp(&(b.colour, &b.name)));
    services
}

fn trace(trace_id: &str, spans: &[&Span], logs: &[&Log], colours: &HashMap<&str, usize>) -> Trace {
    let axis = Axis::of(spans, logs);
    let rows = order(spans, logs)
        .into_iter()
        .map(|(indent, item)| match item {
            Item::Span(n) => Row::Span(span_row(spans[n], indent, &axis, colours)),
            Item::Log(n) => {
                let anchor = format!("log-{trace_id}-{n}");
                Row::Log(log_row(logs[n], &anchor, indent, &axis, colours))
            }
        })
        .collect::<Vec<_>>();
    let title = rows.iter().find_map(|row| match row {
        Row::Span(span) => Some(span.name.clone()),
        Row::Log(_) => None,
    });
    Trace {
        trace_id: trace_id.to_owned(),
        title: title.unwrap_or_else(|| "log lines without a span of this session".to_owned()),
        started: axis.from,
        took: duration(axis.length),
        quarters: [1, 2, 3].map(|n| duration(axis.length / 4 * n)),
        spans: spans.len(),
        logs: logs.len(),
        errors: spans.iter().filter(|s| s.status == Status::Error).count()
            + logs.iter().filter(|log| log.severity_number >= SEVERITY_ERROR).count(),
        rows,
    }
}

#[derive(Clone, Copy)]
enum Item {
    Span(usize),
    Log(usize),
}

/// Depth first: under each span its children and its log lines, by time.
///
/// The spans come from anyone who can reach the port, so parents may be missing or go round in
/// circles: every span and every log line is shown exactly once all the same.
fn order(spans: &[&Span], logs: &[&Log]) -> Vec<(usize, Item)> {
    let known: HashMap<&str, usize> =
        spans.iter().enumerate().map(|(n, span)| (span.span_id.as_str(), n)).collect();
    let mut under: HashMap<Option<usize>, Vec<(Timestamp, Item)>> = HashMap::new();
    for (n, span) in spans.iter().enumerate() {
        let parent = span.parent_span_id.as_deref();
        let parent = parent.and_then(|id| known.get(id)).copied();
        under.entry(parent).or_default().push((span.start, Item::Span(n)));
    }
    for (n, log) in logs.iter().enumerate() {
        let span = log.span_id.as_deref().and_then(|id| known.get(id)).copied();
        under.entry(span).or_default().push((log.time, Item::Log(n)));
    }
    for items in under.values_mut() {
        items.sort_by_key(|(time, _)| *time);
    }

    let mut rows = Vec::with_capacity(spans.len() + logs.len());
    let mut seen = HashSet::new();
    let roots = under.remove(&None).unwrap_or_default();
    // The spans of a circle are under no root: each is tried as one, after the real ones.
    let circles = (0..spans.len()).map(Item::Span);
    for root in roots.into_iter().map(|(_, item)| item).chain(circles) {
        let mut open = vec![(0, root)];
        while let Some((depth, item)) = open.pop() {
            match item {
                Item::Span(n) if !seen.insert(n) => continue,
                Item::Span(n) => {
                    let inner = under.remove(&Some(n)).unwrap_or_default();
                    open.extend(inner.into_iter().rev().map(|(_, item)| (depth + 1, item)));
                }
                Item::Log(_) => {}
            }
            rows.push((depth, item));
        }
    }
    rows
}

fn span_row(span: &Span, indent: usize, axis: &Axis, colours: &HashMap<&str, usize>) -> SpanRow {
    let length = span.end.nanos().saturating_sub(span.start.nanos()).max(0);
    let width = axis.percent(length).max(MIN_BAR);
    let from = axis.percent_of(span.start).min(100.0 - width);
    let mut details = vec![
        ("service".to_owned(), span.service.clone()),
        ("span".to_owned(), span.span_id.clone()),
        ("started".to_owned(), span.start.rfc3339()),
    ];
    if span.status != Status::Unset {
        let message = &span.status_message;
        let separator = if message.is_empty() { "" } else { ": " };
        details
            .push(("status".to_owned(), format!("{}{separator}{message}", span.status.as_str())));
    }
    details.extend(attribute_lines(&span.attributes));
    SpanRow {
        anchor: format!("span-{}-{}", span.trace_id, span.span_id),
        name: span.name.clone(),
        service: span.service.clone(),
        colour: colour(colours, &span.service),
        indent: indent.min(MAX_INDENT),
        failed: span.status == Status::Error,
        from_percent: format!("{from:.3}"),
        width_percent: format!("{width:.3}"),
        took: duration(length),
        details,
    }
}

fn log_row(
    log: &Log,
    anchor: &str,
    indent: usize,
    axis: &Axis,
    colours: &HashMap<&str, usize>,
) -> LogRow {
    let mut details = vec![
        ("message".to_owned(), log.body.clone()),
        ("service".to_owned(), log.service.clone()),
        ("time".to_owned(), log.time.rfc3339()),
    ];
    let fields: Vec<_> = attribute_lines(&log.attributes).collect();
    details.extend(fields.iter().cloned());
    LogRow {
        anchor: anchor.to_owned(),
        body: log.body.clone(),
        fields,
        severity: log.severity.clone(),
        level: match log.severity_number {
            SEVERITY_ERROR.. => "error",
            13..SEVERITY_ERROR => "warn",
            9..13 => "info",
            _ => "debug",
        },
        service: log.service.clone(),
        colour: colour(colours, &log.service),
        indent: indent.min(MAX_INDENT),
        at_percent: format!("{:.3}", axis.percent_of(log.time)),
        at: duration(log.time.nanos().saturating_sub(axis.from.nanos())),
        details,
    }
}

/// Without the session ID: it is the title of the page.
fn attribute_lines(attributes: &Attributes) -> impl Iterator<Item = (String, String)> {
    attributes
        .iter()
        .filter(|(key, _)| *key != SESSION_ID)
        .map(|(key, value)| (key.clone(), text(value.clone())))
}

fn colour(colours: &HashMap<&str, usize>, service: &str) -> usize {
    colours.get(service).copied().unwrap_or_default()
}

struct Axis {
    from: Timestamp,
    length: i64,
}

impl Axis {
    fn of(spans: &[&Span], logs: &[&Log]) -> Self {
        let starts = spans.iter().map(|span| span.start);
        let ends = spans.iter().flat_map(|span| [span.start, span.end]);
        let times = logs.iter().map(|log| log.time);
        let from = starts.chain(times.clone()).min().unwrap_or_default();
        let to = ends.chain(times).max().unwrap_or_default();
        Self { from, length: to.nanos().saturating_sub(from.nanos()) }
    }

    fn percent_of(&self, time: Timestamp) -> f64 {
        self.percent(time.nanos().saturating_sub(self.from.nanos()))
    }

    fn percent(&self, nanos: i64) -> f64 {
        (nanos as f64 / self.length.max(1) as f64 * 100.0).clamp(0.0, 100.0)
    }
}

fn duration(nanos: i64) -> String {
    let n = nanos as f64;
    match nanos {
        ..1_000 => format!("{nanos} ns"),
        1_000..1_000_000 => format!("{:.0} µs", n / 1e3),
        1_000_000..10_000_000 => format!("{:.2} ms", n / 1e6),
        10_000_000..1_000_000_000 => format!("{:.1} ms", n / 1e6),
        1_000_000_000..60_000_000_000 => format!("{:.2} s", n / 1e9),
        _ => format!("{:.1} min", n / 60e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(span_id: &str, parent: Option<&str>, start: i64) -> Span {
        Span {
            service: "s".into(),
            name: span_id.into(),
            trace_id: "t".into(),
            span_id: span_id.into(),
            parent_span_id: parent.map(Into::into),
            start: Timestamp::from_stored(start),
            end: Timestamp::from_stored(start + 10),
            status: Status::Unset,
            status_message: String::new(),
            attributes: Attributes::new(),
        }
    }

    fn log(span_id: Option<&str>, time: i64) -> Log {
        Log {
            service: "s".into(),
            severity: "INFO".into(),
            severity_number: 9,
            body: format!("log at {time}"),
            trace_id: Some("t".into()),
            span_id: span_id.map(Into::into),
            time: Timestamp::from_stored(time),
            attributes: Attributes::new(),
        }
    }

    fn rows(spans: Vec<Span>, logs: Vec<Log>) -> Vec<(usize, String)> {
        let session = Session { session_id: "x".into(), spans, logs };
        let mut waterfall = lay_out(&session);
        assert_eq!(waterfall.traces.len(), 1);
        let rows = waterfall.traces.remove(0).rows.into_iter();
        rows.map(|row| match row {
            Row::Span(span) => (span.indent, span.name),
            Row::Log(log) => (log.indent, log.body),
        })
        .collect()
    }

    #[test]
    fn children_and_log_lines_stand_under_their_span_by_time() {
        let spans = vec![
            span("late", Some("root"), 60),
            span("early", Some("root"), 20),
            span("root", None, 10),
        ];
        let logs = vec![log(Some("root"), 40), log(Some("early"), 25), log(Some("gone"), 99)];
        assert_eq!(
            rows(spans, logs),
            [
                (0, "root".to_owned()),
                (1, "early".to_owned()),
                (2, "log at 25".to_owned()),
                (1, "log at 40".to_owned()),
                (1, "late".to_owned()),
                (0, "log at 99".to_owned()),
            ]
        );
    }

    #[test]
    fn circles_and_orphans_are_shown_once() {
        let spans = vec![
            span("a", Some("b"), 1),
            span("b", Some("a"), 2),
            span("self", Some("self"), 3),
            span("orphan", Some("nobody"), 4),
        ];
        let mut names: Vec<String> =
            rows(spans, vec![log(Some("b"), 5)]).into_iter().map(|(_, name)| name).collect();
        names.sort();
        assert_eq!(names, ["a", "b", "log at 5", "orphan", "self"]);
    }

    #[test]
    fn a_chain_without_end_is_laid_out() {
        let id = |n: usize| format!("{n:016x}");
        let spans = (0..20_000).map(|n| span(&id(n + 1), Some(&id(n)), n as i64)).collect();
        let rows = rows(spans, vec![]);
        assert_eq!(rows.len(), 20_000);
        assert_eq!(rows[19_999].0, MAX_INDENT);
    }

    #[test]
    fn bars_stay_on_the_axis() {
        let mut backwards = span("backwards", None, 50);
        backwards.end = Timestamp::from_stored(10);
        let session = Session {
            session_id: "x".into(),
            spans: vec![span("whole", None, 0), backwards],
            logs: vec![],
        };
        for row in &lay_out(&session).traces[0].rows {
            let Row::Span(row) = row else { continue };
            let from: f64 = row.from_percent.parse().unwrap();
            let width: f64 = row.width_percent.parse().unwrap();
            assert!(from >= 0.0 && width >= MIN_BAR && from + width <= 100.001);
        }
    }
}
