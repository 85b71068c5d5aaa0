//! Spans and log records in SQLite: a file, or memory.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, Row, params};

use crate::model::{
    Attributes, Log, SESSION_ID, SEVERITY_ERROR, Session, Span, Status, Summary, Timestamp,
};

/// How many spans, and how many log records, are kept: a viewer left running must not grow for ever.
const KEEP: i64 = 50_000;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS spans (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        session_id TEXT,
        service TEXT NOT NULL,
        name TEXT NOT NULL,
        trace_id TEXT NOT NULL,
        span_id TEXT NOT NULL,
        parent_span_id TEXT,
        started INTEGER NOT NULL,
        ended INTEGER NOT NULL,
        status TEXT NOT NULL,
        status_message TEXT NOT NULL,
        attributes TEXT NOT NULL,
        UNIQUE (trace_id, span_id, service)
    );
    CREATE INDEX IF NOT EXISTS spans_by_session ON spans (session_id);
    CREATE TABLE IF NOT EXISTS logs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        session_id TEXT,
        service TEXT NOT NULL,
        severity TEXT NOT NULL,
        severity_number INTEGER NOT NULL,
        body TEXT NOT NULL,
        trace_id TEXT,
        span_id TEXT,
        time INTEGER NOT NULL,
        attributes TEXT NOT NULL
    );
    CREATE INDEX IF NOT EXISTS logs_by_session ON logs (session_id);
";

/// Why the store can't keep or find something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// SQLite says so.
    #[error("{0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The file holds what the viewer didn't write.
    #[error("stored attributes are not JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// What the viewer keeps. Cheap to clone; all clones see the same database.
#[derive(Clone, Debug)]
pub struct Store {
    connection: Arc<Mutex<Connection>>,
}

/// How much arrived that no session can claim.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Untagged {
    pub(crate) spans: u64,
    pub(crate) logs: u64,
}

impl Store {
    /// Opens the file, or memory where there is none.
    pub fn open(file: Option<&Path>) -> Result<Self, StoreError> {
        let connection = match file {
            Some(file) => Connection::open(file)?,
            None => Connection::open_in_memory()?,
        };
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.execute_batch(SCHEMA)?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)) })
    }

    /// A span that is there already (an exporter that retried) is left as it is.
    pub(crate) fn insert_spans(&self, spans: &[Span]) -> Result<(), StoreError> {
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached(
                "INSERT INTO spans (session_id, service, name, trace_id, span_id, parent_span_id,
                                    started, ended, status, status_message, attributes)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
                 ON CONFLICT DO NOTHING",
            )?;
            for span in spans {
                insert.execute(params![
                    session_of(&span.attributes),
                    span.service,
                    span.name,
                    span.trace_id,
                    span.span_id,
                    span.parent_span_id,
                    span.start.nanos(),
                    span.end.nanos(),
                    span.status.as_str(),
                    span.status_message,
                    serde_json::to_string(&span.attributes)?,
                ])?;
            }
            transaction.execute(
                "DELETE FROM spans WHERE id <= (SELECT max(id) FROM spans) - ?1",
                [KEEP],
            )?;
        }
        transaction.commit()?;
        Ok(())
    }

    pub(crate) fn insert_logs(&self, logs: &[Log]) -> Result<(), StoreError> {
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached(
                "INSERT INTO logs (session_id, service, severity, severity_number, body, trace_id,
                                   span_id, time, attributes)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?;
            for log in logs {
                insert.execute(params![
                    session_of(&log.attributes),
                    log.service,
                    log.severity,
                    log.severity_number,
                    log.body,
                    log.trace_id,
                    log.span_id,
                    log.time.nanos(),
                    serde_json::to_string(&log.attributes)?,
                ])?;
            }
            transaction
                .execute("DELETE FROM logs WHERE id <= (SELECT max(id) FROM logs) - ?1", [KEEP])?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// The sessions whose ID contains `search` (all of them, if it is empty), the latest first.
    pub(crate) fn sessions(&self, search: &str) -> Result<Vec<Summary>, StoreError> {
        let connection = self.lock();
        let mut select = connection.prepare_cached(
            "SELECT session_id, sum(span), sum(log), count(DISTINCT trace_id), sum(error),
                    json_group_array(DISTINCT service), min(first), max(last)
             FROM (
                 SELECT session_id, 1 AS span, 0 AS log, trace_id, status = 'error' AS error, service,
                        started AS first, max(started, ended) AS last
                 FROM spans WHERE session_id IS NOT NULL
                 UNION ALL
                 SELECT session_id, 0, 1, trace_id, severity_number >= ?2, service, time, time
                 FROM logs WHERE session_id IS NOT NULL
             )
             WHERE instr(lower(session_id), lower(?1)) > 0
             GROUP BY session_id
             ORDER BY max(last) DESC, session_id",
        )?;
        let mut rows = select.query(params![search, SEVERITY_ERROR])?;
        let mut sessions = Vec::new();
        while let Some(row) = rows.next()? {
            let mut services: Vec<String> = serde_json::from_str(&row.get::<_, String>(5)?)?;
            services.sort();
            sessions.push(Summary {
                session_id: row.get(0)?,
                spans: row.get(1)?,
                logs: row.get(2)?,
                traces: row.get(3)?,
                errors: row.get(4)?,
                services,
                first_seen: Timestamp::from_stored(row.get(6)?),
                last_seen: Timestamp::from_stored(row.get(7)?),
            });
        }
        Ok(sessions)
    }

    /// All that carries this session ID, in the order of time; `None` if nothing does.
    pub(crate) fn session(&self, session_id: &str) -> Result<Option<Session>, StoreError> {
        let connection = self.lock();
        let spans = collect(
            &connection,
            "SELECT service, name, trace_id, span_id, parent_span_id, started, ended, status,
                    status_message, attributes
             FROM spans WHERE session_id = ?1 ORDER BY started, id",
            session_id,
            span_from_row,
        )?;
        let logs = collect(
            &connection,
            "SELECT service, severity, severity_number, body, trace_id, span_id, time, attributes
             FROM logs WHERE session_id = ?1 ORDER BY time, id",
            session_id,
            log_from_row,
        )?;
        Ok((!spans.is_empty() || !logs.is_empty()).then(|| Session {
            session_id: session_id.to_owned(),
            spans,
            logs,
        }))
    }

    pub(crate) fn untagged(&self) -> Result<Untagged, StoreError> {
        let count = "SELECT (SELECT count(*) FROM spans WHERE session_id IS NULL),
                            (SELECT count(*) FROM logs WHERE session_id IS NULL)";
        Ok(self
            .lock()
            .query_row(count, [], |row| Ok(Untagged { spans: row.get(0)?, logs: row.get(1)? }))?)
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A panic elsewhere rolls its transaction back: the connection itself is still sound.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The session a record names itself. Nothing is inferred from the trace it is part of.
fn session_of(attributes: &Attributes) -> Option<&str> {
    attributes.get(SESSION_ID)?.as_str().filter(|id| !id.is_empty())
}

fn collect<T>(
    connection: &Connection,
    sql: &str,
    session_id: &str,
    from_row: fn(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut select = connection.prepare_cached(sql)?;
    let mut rows = select.query([session_id])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(from_row(row)?);
    }
    Ok(found)
}

fn span_from_row(row: &Row<'_>) -> Result<Span, StoreError> {
    Ok(Span {
        service: row.get(0)?,
        name: row.get(1)?,
        trace_id: row.get(2)?,
        span_id: row.get(3)?,
        parent_span_id: row.get(4)?,
        start: Timestamp::from_stored(row.get(5)?),
        end: Timestamp::from_stored(row.get(6)?),
        status: Status::from_stored(&row.get::<_, String>(7)?),
        status_message: row.get(8)?,
        attributes: serde_json::from_str(&row.get::<_, String>(9)?)?,
    })
}

fn log_from_row(row: &Row<'_>) -> Result<Log, StoreError> {
    Ok(Log {
        service: row.get(0)?,
        severity: row.get(1)?,
        severity_number: row.get(2)?,
        body: row.get(3)?,
        trace_id: row.get(4)?,
        span_id: row.get(5)?,
        time: Timestamp::from_stored(row.get(6)?),
        attributes: serde_json::from_str(&row.get::<_, String>(7)?)?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn attributes(value: serde_json::Value) -> Attributes {
        value.as_object().cloned().unwrap()
    }

    fn span(span_id: &str, attributes: Attributes) -> Span {
        Span {
            service: "storefront".into(),
            name: "GET /".into(),
            trace_id: "0af7651916cd43dd8448eb211c80319c".into(),
            span_id: span_id.into(),
            parent_span_id: None,
            start: Timestamp::from_stored(1_000),
            end: Timestamp::from_stored(3_000),
            status: Status::Error,
            status_message: "no".into(),
            attributes,
        }
    }

    fn log(attributes: Attributes) -> Log {
        Log {
            service: "payments".into(),
            severity: "ERROR".into(),
            severity_number: 17,
            body: "broken".into(),
            trace_id: Some("0af7651916cd43dd8448eb211c80319c".into()),
            span_id: None,
            time: Timestamp::from_stored(5_000),
            attributes,
        }
    }

    #[test]
    fn what_goes_in_comes_out() {
        let store = Store::open(None).unwrap();
        let tagged = attributes(json!({"session.id": "a/b:c", "n": 1, "deep": {"x": [true]}}));
        store.insert_spans(&[span("b7ad6b7169203331", tagged.clone())]).unwrap();
        store.insert_logs(&[log(tagged.clone())]).unwrap();

        let session = store.session("a/b:c").unwrap().unwrap();
        assert_eq!(session.spans, [span("b7ad6b7169203331", tagged.clone())]);
        assert_eq!(session.logs, [log(tagged)]);
        assert_eq!(store.session("a/b").unwrap(), None);

        let sessions = store.sessions("").unwrap();
        assert_eq!(
            sessions,
            [Summary {
                session_id: "a/b:c".into(),
                spans: 1,
                logs: 1,
                traces: 1,
                errors: 2,
                services: vec!["payments".into(), "storefront".into()],
                first_seen: Timestamp::from_stored(1_000),
                last_seen: Timestamp::from_stored(5_000),
            }]
        );
    }

    #[test]
    fn only_its_own_attribute_makes_a_record_part_of_a_session() {
        let store = Store::open(None).unwrap();
        store
            .insert_spans(&[
                span("0000000000000001", attributes(json!({"session.id": "s"}))),
                span("0000000000000002", attributes(json!({}))),
                span("0000000000000003", attributes(json!({"session.id": 7}))),
                span("0000000000000004", attributes(json!({"session.id": ""}))),
            ])
            .unwrap();
        store.insert_logs(&[log(attributes(json!({})))]).unwrap();

        assert_eq!(store.session("s").unwrap().unwrap().spans.len(), 1);
        assert_eq!(store.sessions("").unwrap().len(), 1);
        assert_eq!(store.session("").unwrap(), None);
        assert_eq!(store.untagged().unwrap(), Untagged { spans: 3, logs: 1 });
    }

    #[test]
    fn a_span_sent_again_is_one_span() {
        let store = Store::open(None).unwrap();
        let once = span("0000000000000001", attributes(json!({"session.id": "s"})));
        for _ in 0..2 {
            store.insert_spans(std::slice::from_ref(&once)).unwrap();
        }
        assert_eq!(store.session("s").unwrap().unwrap().spans.len(), 1);
    }

    #[test]
    fn search_takes_its_text_literally() {
        let store = Store::open(None).unwrap();
        for (n, id) in ["Alpha", "beta", "50%"].iter().enumerate() {
            store
                .insert_spans(&[span(&format!("{n:016x}"), attributes(json!({"session.id": id})))])
                .unwrap();
        }
        let found = |search: &str| {
            let sessions = store.sessions(search).unwrap();
            sessions.into_iter().map(|s| s.session_id).collect::<Vec<_>>()
        };
        assert_eq!(found("ALPH"), ["Alpha"]);
        assert_eq!(found("%"), ["50%"]);
        assert_eq!(found("'"), [""; 0]);
    }

    #[test]
    fn a_file_keeps_what_it_was_given() {
        let file = std::env::temp_dir().join(format!("shop-store-{}.db", std::process::id()));
        let tagged = attributes(json!({"session.id": "kept"}));
        Store::open(Some(&file)).unwrap().insert_logs(&[log(tagged)]).unwrap();
        let again = Store::open(Some(&file)).unwrap().session("kept").unwrap();
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{suffix}", file.display()));
        }
        assert_eq!(again.unwrap().logs.len(), 1);
    }
}
