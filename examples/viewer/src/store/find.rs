//! Records out: the list of sessions, one session, one trace, one record.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension as _, Row, params, params_from_iter};

use crate::model::{
    Kind, Log, Resource, Scope, Session, Span, Status, Summary, Timestamp, TraceSummary,
};

use super::replay::tabs_of;
use super::schema::NOBODY;
use super::{Store, StoreError};

/// A page of the list.
const PAGE: usize = 50;

/// A text that more terms have is looked for session by session, from the latest on: enough for a page is soon found.
const RARE: usize = 2_000;

/// One answer holds no more of a session's text.
const MAX_ANSWER: usize = 32 * 1024 * 1024;

/// One answer has no more log records: whoever wants more asks again.
const MAX_LOGS: usize = 5_000;

/// A page holds no more of a trace.
const MAX_ROWS: usize = 50_000;

/// Shorter texts are in no index of three characters.
const TRIGRAM: usize = 3;

/// They are looked for among so many of the latest sessions.
const SHORT_AMONG: i64 = 20_000;

/// Which sessions are looked for: all conditions together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query {
    /// Part of its ID, a URL, an error or a user, or the beginning of a trace ID.
    pub(crate) text: String,
    pub(crate) errors: bool,
    /// Recorded.
    pub(crate) replay: bool,
    /// With clicks that were repeated, or that nothing came of.
    pub(crate) clicks: bool,
    /// With slow frames.
    pub(crate) slow: bool,
    pub(crate) min_nanos: i64,
    pub(crate) from: Option<Timestamp>,
    pub(crate) to: Option<Timestamp>,
    /// The last one of the page before.
    pub(crate) after: Option<(i64, i64)>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Page {
    pub(crate) sessions: Vec<Summary>,
    /// Where the next page begins, if there is one.
    pub(crate) next: Option<(i64, i64)>,
    /// Larger after every change.
    pub(crate) version: i64,
}

/// How much arrived that no session can claim.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Untagged {
    pub(crate) spans: u64,
    pub(crate) logs: u64,
}

/// The spans and log records that one session has in one trace, by time, each with the number it can be asked for by.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    pub(crate) spans: Vec<(i64, Span)>,
    pub(crate) logs: Vec<(i64, Log)>,
    pub(crate) truncated: bool,
}

/// A record's number, within spans or logs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Record {
    Span(i64),
    Log(i64),
}

#[derive(Clone, Debug)]
pub(crate) enum Detail {
    Span(Span),
    Log(Log),
}

impl Store {
    /// A number that is larger after every change.
    pub(crate) fn version(&self) -> Result<i64, StoreError> {
        version(&self.reader())
    }

    /// The sessions looked for, the latest first, a page at a time.
    pub(crate) fn sessions(&self, query: &Query) -> Result<Page, StoreError> {
        let connection = self.reader();
        let mut sql = format!(
            "SELECT id, last, {SUMMARY} FROM sessions WHERE session_id IS NOT NULL AND spans + logs + batches > 0"
        );
        let mut values: Vec<Sql> = Vec::new();
        let mut only = |condition: &str, given: &[Sql]| {
            sql.push_str(" AND ");
            sql.push_str(condition);
            values.extend_from_slice(given);
        };
        if !query.text.is_empty() {
            match few(&connection, &query.text)? {
                Some(ids) => {
                    only(
                        "id IN (SELECT value FROM json_each(?))",
                        &[serde_json::to_string(&ids)?.into()],
                    );
                }
                None => {
                    only(
                        "EXISTS (SELECT 1 FROM terms WHERE session = sessions.id AND text LIKE ? ESCAPE '\\')",
                        &[like(&query.text).into()],
                    );
                    if is_short(&query.text) {
                        only(
                            "last >= coalesce((SELECT last FROM sessions ORDER BY last DESC LIMIT 1 OFFSET ?), 0)",
                            &[SHORT_AMONG.into()],
                        );
                    }
                }
            }
        }
        if query.errors {
            only("errors + refused > 0", &[]);
        }
        if query.replay {
            only("batches > 0", &[]);
        }
        if query.clicks {
            only("dead_clicks + repeated_clicks > 0", &[]);
        }
        if query.slow {
            only("slow_frames > 0", &[]);
        }
        if query.min_nanos > 0 {
            only("last - first >= ?", &[query.min_nanos.into()]);
        }
        if let Some(from) = query.from {
            only("last >= ?", &[from.nanos().into()]);
        }
        if let Some(to) = query.to {
            only("first <= ?", &[to.nanos().into()]);
        }
        if let Some((last, id)) = query.after {
            only("(last, id) < (?, ?)", &[last.into(), id.into()]);
        }
        sql.push_str(&format!(" ORDER BY last DESC, id DESC LIMIT {}", PAGE + 1));
        let mut select = connection.prepare_cached(&sql)?;
        let mut rows = select.query(params_from_iter(values))?;
        let mut sessions = Vec::new();
        let mut next = None;
        let mut last = None;
        while let Some(row) = rows.next()? {
            if sessions.len() == PAGE {
                next = last;
                break;
            }
            last = Some((row.get(1)?, row.get(0)?));
            sessions.push(summary(row)?);
        }
        drop(rows);
        Ok(Page { sessions, next, version: version(&connection)? })
    }

    /// All that carries this session ID, in the order of time, as far as one answer holds it; `None` if nothing does.
    pub(crate) fn session(&self, session_id: &str) -> Result<Option<Session>, StoreError> {
        let connection = self.reader();
        let Some(session) = id_of(&connection, session_id)? else { return Ok(None) };
        let mut shared = Shared::default();
        let mut size = 0;
        let mut spans = Vec::new();
        let mut select = connection.prepare_cached(&format!(
            "SELECT {SPAN}, length(name) + length(attributes) + length(events)
             FROM spans WHERE session = ?1 ORDER BY started, id"
        ))?;
        let mut rows = select.query([session])?;
        let mut truncated = false;
        while let Some(row) = rows.next()? {
            size += row.get::<_, usize>(SPAN_COLUMNS)?;
            truncated = size > MAX_ANSWER;
            if truncated {
                break;
            }
            spans.push(shared.span(&connection, row)?);
        }
        let mut logs = Vec::new();
        let mut select = connection.prepare_cached(&format!(
            "SELECT {LOG}, length(body) + length(attributes) FROM logs WHERE session = ?1 ORDER BY time, id"
        ))?;
        let mut rows = select.query([session])?;
        while let Some(row) = rows.next()? {
            size += row.get::<_, usize>(LOG_COLUMNS)?;
            truncated = truncated || size > MAX_ANSWER;
            if truncated {
                break;
            }
            logs.push(shared.log(&connection, row)?);
        }
        let tabs = tabs_of(&connection, session)?;
        let known = !spans.is_empty() || !logs.is_empty() || !tabs.is_empty() || truncated;
        Ok(known.then(|| Session {
            session_id: session_id.to_owned(),
            spans,
            logs,
            tabs,
            truncated,
        }))
    }

    /// A session's line of the list.
    pub(crate) fn summary(&self, session_id: &str) -> Result<Option<Summary>, StoreError> {
        let connection = self.reader();
        let mut select = connection.prepare_cached(
            &format!("SELECT id, last, {SUMMARY} FROM sessions WHERE session_id = ?1 AND spans + logs + batches > 0"),
        )?;
        let mut rows = select.query([session_id])?;
        rows.next()?.map(summary).transpose()
    }

    /// The traces of a session that have changed since, the latest first, and the version to ask with next time.
    pub(crate) fn traces(
        &self,
        session_id: &str,
        since: i64,
    ) -> Result<(Vec<TraceSummary>, i64), StoreError> {
        let connection = self.reader();
        let version = version(&connection)?;
        let Some(session) = id_of(&connection, session_id)? else {
            return Ok((Vec::new(), version));
        };
        let mut select = connection.prepare_cached(
            "SELECT trace_id, title, spans, logs, errors, refused, first, last, version
             FROM traces WHERE session = ?1 AND version > ?2 ORDER BY first DESC",
        )?;
        let traces = select.query_map([session, since], |row| {
            let (first, last): (i64, i64) = (row.get(6)?, row.get(7)?);
            Ok(TraceSummary {
                trace_id: row.get(0)?,
                title: row.get(1)?,
                spans: row.get(2)?,
                logs: row.get(3)?,
                errors: row.get(4)?,
                refused: row.get(5)?,
                started: Timestamp::from_stored(first),
                nanos: last.saturating_sub(first),
                version: row.get(8)?,
            })
        })?;
        Ok((traces.collect::<Result<_, _>>()?, version))
    }

    pub(crate) fn trace(&self, session_id: &str, trace_id: &str) -> Result<Trace, StoreError> {
        let connection = self.reader();
        let mut trace = Trace::default();
        let Some(session) = id_of(&connection, session_id)? else { return Ok(trace) };
        let mut shared = Shared::default();
        let mut select = connection.prepare_cached(&format!(
            "SELECT {SPAN}, id FROM spans WHERE session = ?1 AND trace_id = ?2 ORDER BY started, id LIMIT {}",
            MAX_ROWS + 1
        ))?;
        let mut rows = select.query(params![session, trace_id])?;
        while let Some(row) = rows.next()? {
            trace.spans.push((row.get(SPAN_COLUMNS)?, shared.span(&connection, row)?));
        }
        let mut select = connection.prepare_cached(&format!(
            "SELECT {LOG}, id FROM logs WHERE session = ?1 AND trace_id = ?2 ORDER BY time, id LIMIT {}",
            MAX_ROWS + 1
        ))?;
        let mut rows = select.query(params![session, trace_id])?;
        while let Some(row) = rows.next()? {
            trace.logs.push((row.get(LOG_COLUMNS)?, shared.log(&connection, row)?));
        }
        trace.truncated = trace.spans.len() > MAX_ROWS || trace.logs.len() > MAX_ROWS;
        trace.spans.truncate(MAX_ROWS);
        trace.logs.truncate(MAX_ROWS);
        Ok(trace)
    }

    /// A session's log records after the last one that somebody has already, each with its number, in the order of
    /// their arrival.
    pub(crate) fn logs(&self, session_id: &str, after: i64) -> Result<Vec<(i64, Log)>, StoreError> {
        let connection = self.reader();
        let Some(session) = id_of(&connection, session_id)? else { return Ok(Vec::new()) };
        let mut shared = Shared::default();
        let mut logs = Vec::new();
        let mut select = connection.prepare_cached(&format!(
            "SELECT {LOG}, id FROM logs WHERE session = ?1 AND id > ?2 ORDER BY id LIMIT {MAX_LOGS}"
        ))?;
        let mut rows = select.query([session, after])?;
        while let Some(row) = rows.next()? {
            logs.push((row.get(LOG_COLUMNS)?, shared.log(&connection, row)?));
        }
        Ok(logs)
    }

    pub(crate) fn record(&self, record: Record) -> Result<Option<Detail>, StoreError> {
        let connection = self.reader();
        let mut shared = Shared::default();
        let (sql, id) = match record {
            Record::Span(id) => (format!("SELECT {SPAN} FROM spans WHERE id = ?1"), id),
            Record::Log(id) => (format!("SELECT {LOG} FROM logs WHERE id = ?1"), id),
        };
        let mut select = connection.prepare_cached(&sql)?;
        let mut rows = select.query([id])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        Ok(Some(match record {
            Record::Span(_) => Detail::Span(shared.span(&connection, row)?),
            Record::Log(_) => Detail::Log(shared.log(&connection, row)?),
        }))
    }

    /// Where in a session a text stands: trace and record, by time.
    pub(crate) fn find(
        &self,
        session_id: &str,
        text: &str,
        limit: usize,
    ) -> Result<Vec<(String, Record)>, StoreError> {
        let connection = self.reader();
        let Some(session) = id_of(&connection, session_id)? else { return Ok(Vec::new()) };
        let mut select = connection.prepare_cached(
            "SELECT trace_id, id, true, started AS at FROM spans
             WHERE session = ?1 AND (name LIKE ?2 ESCAPE '\\' OR attributes LIKE ?2 ESCAPE '\\'
                                     OR status_message LIKE ?2 ESCAPE '\\' OR events LIKE ?2 ESCAPE '\\')
             UNION ALL
             SELECT trace_id, id, false, time FROM logs
             WHERE session = ?1 AND (body LIKE ?2 ESCAPE '\\' OR attributes LIKE ?2 ESCAPE '\\')
             ORDER BY at DESC LIMIT ?3",
        )?;
        let found = select.query_map(params![session, like(text), limit], |row| {
            let id = row.get(1)?;
            Ok((row.get(0)?, if row.get(2)? { Record::Span(id) } else { Record::Log(id) }))
        })?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    /// The session with the most of a trace.
    pub(crate) fn session_of_trace(&self, trace_id: &str) -> Result<Option<String>, StoreError> {
        Ok(self
            .reader()
            .prepare_cached(
                "SELECT session_id FROM (
                     SELECT session, spans + logs AS records FROM traces WHERE trace_id = ?1
                     UNION ALL
                     SELECT session, 0 FROM moments WHERE trace_id = ?1
                 ) JOIN sessions ON sessions.id = session
                 WHERE session_id IS NOT NULL ORDER BY records DESC LIMIT 1",
            )?
            .query_row([trace_id], |row| row.get(0))
            .optional()?)
    }

    pub(crate) fn untagged(&self) -> Result<Untagged, StoreError> {
        Ok(self
            .reader()
            .prepare_cached("SELECT spans, logs FROM sessions WHERE id = ?1")?
            .query_row([NOBODY], |row| Ok(Untagged { spans: row.get(0)?, logs: row.get(1)? }))?)
    }
}

pub(super) fn id_of(connection: &Connection, session_id: &str) -> Result<Option<i64>, StoreError> {
    Ok(connection
        .prepare_cached("SELECT id FROM sessions WHERE session_id = ?1")?
        .query_row([session_id], |row| row.get(0))
        .optional()?)
}

pub(super) fn version(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection
        .prepare_cached("SELECT version FROM sessions WHERE id = ?1")?
        .query_row([NOBODY], |row| row.get(0))?)
}

fn is_short(text: &str) -> bool {
    text.chars().count() < TRIGRAM
}

/// The sessions that a text leads to, unless they are many.
fn few(connection: &Connection, text: &str) -> Result<Option<Vec<i64>>, StoreError> {
    if is_short(text) {
        return Ok(None);
    }
    let mut select = connection.prepare_cached(
        "SELECT session FROM terms WHERE id IN
             (SELECT rowid FROM terms_by_text WHERE terms_by_text MATCH ?1 LIMIT ?2)",
    )?;
    let phrase = format!("\"{}\"", text.replace('"', "\"\""));
    let found = select.query_map(params![phrase, RARE + 1], |row| row.get(0))?;
    let mut ids: Vec<i64> = found.collect::<Result<_, _>>()?;
    if ids.len() > RARE {
        return Ok(None);
    }
    if text.len() <= 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let text = text.to_ascii_lowercase();
        // A request may name a trace of which nothing arrived.
        let mut select = connection.prepare_cached(
            "SELECT session FROM traces WHERE trace_id >= ?1 AND trace_id < ?1 || 'g'
             UNION SELECT session FROM moments WHERE trace_id >= ?1 AND trace_id < ?1 || 'g' LIMIT ?2",
        )?;
        let found = select.query_map(params![text, RARE], |row| row.get(0))?;
        ids.extend(found.collect::<Result<Vec<i64>, _>>()?);
    }
    Ok(Some(ids))
}

fn like(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for char in text.chars() {
        if matches!(char, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(char);
    }
    pattern.push('%');
    pattern
}

const SUMMARY: &str = "session_id, spans, logs, traces, errors, refused, batches, dead_clicks, repeated_clicks,
                       repeated_within / 1000000, slow_frames, messages, user, services, first, last";

/// Of a row whose columns from the third on are [`SUMMARY`].
fn summary(row: &Row<'_>) -> Result<Summary, StoreError> {
    Ok(Summary {
        session_id: row.get(2)?,
        spans: row.get(3)?,
        logs: row.get(4)?,
        traces: row.get(5)?,
        errors: row.get(6)?,
        refused: row.get(7)?,
        batches: row.get(8)?,
        dead_clicks: row.get(9)?,
        repeated_clicks: row.get(10)?,
        repeated_within_ms: row.get(11)?,
        slow_frames: row.get(12)?,
        messages: row.get(13)?,
        user: row.get(14)?,
        services: serde_json::from_str(&row.get::<_, String>(15)?)?,
        first_seen: Timestamp::from_stored(row.get(16)?),
        last_seen: Timestamp::from_stored(row.get(17)?),
    })
}

const SPAN: &str =
    "resource, scope, name, kind, trace_id, span_id, parent_span_id, started, ended, status,
                    status_message, attributes, events";
const SPAN_COLUMNS: usize = 13;
const LOG: &str =
    "resource, scope, severity, severity_number, body, trace_id, span_id, time, attributes";
const LOG_COLUMNS: usize = 9;

/// What records have in common, read once.
#[derive(Default)]
struct Shared {
    resources: HashMap<i64, Arc<Resource>>,
    scopes: HashMap<i64, Arc<Scope>>,
}

impl Shared {
    fn span(&mut self, connection: &Connection, row: &Row<'_>) -> Result<Span, StoreError> {
        Ok(Span {
            resource: self.resource(connection, row.get(0)?)?,
            scope: self.scope(connection, row.get(1)?)?,
            name: row.get(2)?,
            kind: Kind::from_stored(row.get_ref(3)?.as_str().unwrap_or_default()),
            trace_id: row.get(4)?,
            span_id: row.get(5)?,
            parent_span_id: row.get(6)?,
            start: Timestamp::from_stored(row.get(7)?),
            end: Timestamp::from_stored(row.get(8)?),
            status: Status::from_stored(row.get_ref(9)?.as_str().unwrap_or_default()),
            status_message: row.get(10)?,
            attributes: serde_json::from_str(&row.get::<_, String>(11)?)?,
            events: serde_json::from_str(&row.get::<_, String>(12)?)?,
        })
    }

    fn log(&mut self, connection: &Connection, row: &Row<'_>) -> Result<Log, StoreError> {
        let trace_id: String = row.get(5)?;
        Ok(Log {
            resource: self.resource(connection, row.get(0)?)?,
            scope: self.scope(connection, row.get(1)?)?,
            severity: row.get(2)?,
            severity_number: row.get(3)?,
            body: row.get(4)?,
            trace_id: (!trace_id.is_empty()).then_some(trace_id),
            span_id: row.get(6)?,
            time: Timestamp::from_stored(row.get(7)?),
            attributes: serde_json::from_str(&row.get::<_, String>(8)?)?,
        })
    }

    fn resource(&mut self, connection: &Connection, id: i64) -> Result<Arc<Resource>, StoreError> {
        if let Some(resource) = self.resources.get(&id) {
            return Ok(Arc::clone(resource));
        }
        let (service, attributes): (_, String) = connection
            .prepare_cached("SELECT service, attributes FROM resources WHERE id = ?1")?
            .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let resource =
            Arc::new(Resource { service, attributes: serde_json::from_str(&attributes)? });
        Ok(Arc::clone(self.resources.entry(id).or_insert(resource)))
    }

    fn scope(&mut self, connection: &Connection, id: i64) -> Result<Arc<Scope>, StoreError> {
        if let Some(scope) = self.scopes.get(&id) {
            return Ok(Arc::clone(scope));
        }
        let (name, version, attributes): (_, _, String) = connection
            .prepare_cached("SELECT name, version, attributes FROM scopes WHERE id = ?1")?
            .query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let scope =
            Arc::new(Scope { name, version, attributes: serde_json::from_str(&attributes)? });
        Ok(Arc::clone(self.scopes.entry(id).or_insert(scope)))
    }
}
