//! One trace laid out for the eye: its spans as a tree, log lines where they happened.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use crate::model::{Log, SESSION_ID, SEVERITY_ERROR, Span, Timestamp, Trouble, text};
use crate::store::{Record, Trace};

/// A row shows no more of a text: the details have all of it.
const SHOWN: usize = 300;

#[derive(Debug, Serialize)]
pub(super) struct Waterfall {
    started: Timestamp,
    nanos: i64,
    /// There are more rows than a page can use.
    truncated: bool,
    rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    /// What to ask for its details with.
    id: String,
    /// 0 for a root; a row's children are those that follow and are deeper.
    depth: usize,
    /// A span's name, or a log record's message.
    text: String,
    service: String,
    /// Nanoseconds after the start of the trace.
    at: i64,
    #[serde(flatten)]
    of: Of,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Of {
    Span { span_id: String, nanos: i64, trouble: Option<Trouble>, http: Option<i64> },
    Log { severity: String, level: &'static str, fields: Vec<(String, String)> },
}

/// A record as pages name it.
pub(super) fn name(record: Record) -> String {
    match record {
        Record::Span(id) => format!("span/{id}"),
        Record::Log(id) => format!("log/{id}"),
    }
}

pub(super) fn lay_out(trace: &Trace) -> Waterfall {
    let spans: Vec<&Span> = trace.spans.iter().map(|(_, span)| span).collect();
    let logs: Vec<&Log> = trace.logs.iter().map(|(_, log)| log).collect();
    let starts = spans.iter().map(|span| span.start);
    let ends = spans.iter().map(|span| span.end.max(span.start));
    let times = logs.iter().map(|log| log.time);
    let from = starts.chain(times.clone()).min().unwrap_or_default();
    let to = ends.chain(times).max().unwrap_or_default();
    let rows = order(&spans, &logs).into_iter().map(|(depth, item)| match item {
        Item::Span(n) => span_row(trace.spans[n].0, spans[n], depth, from),
        Item::Log(n) => log_row(trace.logs[n].0, logs[n], depth, from),
    });
    Waterfall {
        started: from,
        nanos: to.nanos().saturating_sub(from.nanos()),
        truncated: trace.truncated,
        rows: rows.collect(),
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

fn span_row(id: i64, span: &Span, depth: usize, from: Timestamp) -> Row {
    Row {
        id: name(Record::Span(id)),
        depth,
        text: shorten(&span.name),
        service: span.resource.service.clone(),
        at: span.start.nanos().saturating_sub(from.nanos()),
        of: Of::Span {
            span_id: span.span_id.clone(),
            nanos: span.end.nanos().saturating_sub(span.start.nanos()).max(0),
            trouble: span.trouble(),
            http: span.http_status(),
        },
    }
}

fn log_row(id: i64, log: &Log, depth: usize, from: Timestamp) -> Row {
    let fields = log.attributes.iter().filter(|(key, _)| *key != SESSION_ID).take(12);
    Row {
        id: name(Record::Log(id)),
        depth,
        text: shorten(&log.body),
        service: log.resource.service.clone(),
        at: log.time.nanos().saturating_sub(from.nanos()),
        of: Of::Log {
            severity: shorten(&log.severity),
            level: level(log),
            fields: fields
                .map(|(key, value)| (shorten(key), shorten(&text(value.clone()))))
                .collect(),
        },
    }
}

fn level(log: &Log) -> &'static str {
    match log.severity_number {
        SEVERITY_ERROR.. => "error",
        13..SEVERITY_ERROR => "warn",
        9..13 => "info",
        _ => "debug",
    }
}

/// A log record by itself, as a list shows it.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    id: i64,
    time: Timestamp,
    level: &'static str,
    text: String,
    service: String,
    trace_id: Option<String>,
}

pub(super) fn line(id: i64, log: &Log) -> Line {
    Line {
        id,
        time: log.time,
        level: level(log),
        text: shorten(&log.body),
        service: log.resource.service.clone(),
        trace_id: log.trace_id.clone(),
    }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::model::{Attributes, Kind, Status};

    use super::*;

    fn span(span_id: &str, parent: Option<&str>, start: i64) -> Span {
        Span {
            resource: Arc::default(),
            scope: Arc::default(),
            name: span_id.into(),
            kind: Kind::Internal,
            trace_id: "t".into(),
            span_id: span_id.into(),
            parent_span_id: parent.map(Into::into),
            start: Timestamp::from_stored(start),
            end: Timestamp::from_stored(start + 10),
            status: Status::Unset,
            status_message: String::new(),
            attributes: Attributes::new(),
            events: vec![],
        }
    }

    fn log(span_id: Option<&str>, time: i64) -> Log {
        Log {
            resource: Arc::default(),
            scope: Arc::default(),
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
        let numbered = |n: usize| i64::try_from(n).unwrap();
        let trace = Trace {
            spans: spans.into_iter().enumerate().map(|(n, span)| (numbered(n), span)).collect(),
            logs: logs.into_iter().enumerate().map(|(n, log)| (numbered(n), log)).collect(),
            truncated: false,
        };
        lay_out(&trace).rows.into_iter().map(|row| (row.depth, row.text)).collect()
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
        assert_eq!(rows[19_999].0, 19_999);
    }
}
