//! Records in: each with its line in the list of sessions, its trace, and the words it is found by.

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use rusqlite::{OptionalExtension as _, Transaction, params};

use crate::model::{Attributes, Log, Resource, SESSION_ID, Scope, Span, Trouble, beginning};

use super::find::version;
use super::schema::NOBODY;
use super::{Store, StoreError, now};

/// More lines than this are written back before the batch ends.
const OPEN_SESSIONS: usize = 1_000;

/// What one session can be found by: beyond that, nothing new.
const TERMS: i64 = 200;

/// A longer text is found by its beginning.
const TERM_BYTES: usize = 256;

/// A session of more services names only these.
const SERVICES: usize = 64;

/// Attributes whose values a session is searched for by.
const SEARCHED: [&str; 14] = [
    "url.full",
    "url.path",
    "http.url",
    "http.target",
    "http.route",
    "error.type",
    "exception.type",
    "exception.message",
    "user.id",
    "user.name",
    "user.full_name",
    "user.email",
    "enduser.id",
    "error",
];

impl Store {
    /// Keeps what `fill` hands over, all of it or (if it fails) nothing.
    pub(crate) fn insert<T, E: From<StoreError>>(
        &self,
        fill: impl FnOnce(&mut Batch<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let filled = self.insert_whole(fill)?;
        self.make_room()?;
        Ok(filled)
    }

    fn insert_whole<T, E: From<StoreError>>(
        &self,
        fill: impl FnOnce(&mut Batch<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let sqlite = |error| E::from(StoreError::Sqlite(error));
        let mut connection = self.writer();
        let transaction = connection.transaction().map_err(sqlite)?;
        let version = version(&transaction)? + 1;
        let mut batch = Batch {
            transaction,
            version,
            arrived: now().nanos(),
            sessions: HashMap::new(),
            resource: None,
            scope: None,
        };
        let filled = fill(&mut batch)?;
        batch.write_sessions()?;
        batch.transaction.commit().map_err(sqlite)?;
        Ok(filled)
    }
}

/// What arrives together.
#[derive(Debug)]
pub(crate) struct Batch<'a> {
    pub(super) transaction: Transaction<'a>,
    pub(super) version: i64,
    arrived: i64,
    sessions: HashMap<Option<String>, Line>,
    /// The last ones seen: they come in runs.
    resource: Option<(Arc<Resource>, i64)>,
    scope: Option<(Arc<Scope>, i64)>,
}

/// A line of the list of sessions.
#[derive(Clone, Debug)]
pub(super) struct Line {
    id: i64,
    pub(super) first: i64,
    pub(super) last: i64,
    spans: i64,
    logs: i64,
    traces: i64,
    pub(super) errors: i64,
    pub(super) refused: i64,
    pub(super) batches: i64,
    pub(super) moments: i64,
    pub(super) dead_clicks: i64,
    pub(super) repeated_clicks: i64,
    pub(super) repeated_within: Option<i64>,
    pub(super) slow_frames: i64,
    pub(super) messages: i64,
    pub(super) user: Option<String>,
    services: BTreeSet<String>,
    terms: i64,
}

struct InTrace<'a> {
    trace_id: &'a str,
    first: i64,
    last: i64,
    logs: bool,
    error: bool,
    refused: bool,
    title: &'a str,
    rank: i64,
}

impl Batch<'_> {
    /// A span that is there already (an exporter that retried) is left as it is.
    pub(crate) fn span(&mut self, span: &Span) -> Result<(), StoreError> {
        let resource = self.resource(&span.resource)?;
        let scope = self.scope(&span.scope)?;
        let session = self.line(session_of(&span.attributes))?;
        let inserted = self
            .transaction
            .prepare_cached(
                "INSERT INTO spans (session, resource, scope, name, kind, trace_id, span_id, parent_span_id,
                                    started, ended, status, status_message, attributes, events)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
                 ON CONFLICT DO NOTHING",
            )?
            .execute(params![
                session,
                resource,
                scope,
                span.name,
                span.kind.as_str(),
                span.trace_id,
                span.span_id,
                span.parent_span_id,
                span.start.nanos(),
                span.end.nanos(),
                span.status.as_str(),
                span.status_message,
                serde_json::to_string(&span.attributes)?,
                serde_json::to_string(&span.events)?,
            ])?;
        if inserted == 0 {
            return Ok(());
        }
        let trouble = span.trouble();
        self.count(
            &span.attributes,
            &span.resource.service,
            &InTrace {
                trace_id: &span.trace_id,
                first: span.start.nanos(),
                last: span.end.max(span.start).nanos(),
                logs: false,
                error: trouble == Some(Trouble::Error),
                refused: trouble == Some(Trouble::Refused),
                title: &span.name,
                rank: i64::from(span.parent_span_id.is_some()),
            },
        )?;
        self.searched(&span.attributes, &span.attributes)?;
        if trouble.is_some() {
            self.term(&span.attributes, &span.status_message)?;
        }
        for event in &span.events {
            self.searched(&span.attributes, &event.attributes)?;
        }
        Ok(())
    }

    pub(crate) fn log(&mut self, log: &Log) -> Result<(), StoreError> {
        let resource = self.resource(&log.resource)?;
        let scope = self.scope(&log.scope)?;
        let session = self.line(session_of(&log.attributes))?;
        let trace_id = log.trace_id.as_deref().unwrap_or_default();
        self.transaction
            .prepare_cached(
                "INSERT INTO logs (session, resource, scope, severity, severity_number, body, trace_id, span_id,
                                   time, attributes)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )?
            .execute(params![
                session,
                resource,
                scope,
                log.severity,
                log.severity_number,
                log.body,
                trace_id,
                log.span_id,
                log.time.nanos(),
                serde_json::to_string(&log.attributes)?,
            ])?;
        let title = if trace_id.is_empty() { "Outside any trace" } else { "Log lines alone" };
        self.count(
            &log.attributes,
            &log.resource.service,
            &InTrace {
                trace_id,
                first: log.time.nanos(),
                last: log.time.nanos(),
                logs: true,
                error: log.is_error(),
                refused: false,
                title,
                rank: 2,
            },
        )?;
        self.searched(&log.attributes, &log.attributes)?;
        if log.is_error() {
            self.term(&log.attributes, &log.body)?;
        }
        Ok(())
    }

    /// The session's line, read once per batch.
    pub(super) fn line(&mut self, session: Option<&str>) -> Result<i64, StoreError> {
        let key = session.map(str::to_owned);
        if let Some(line) = self.sessions.get(&key) {
            return Ok(line.id);
        }
        if self.sessions.len() >= OPEN_SESSIONS {
            self.write_sessions()?;
        }
        let read = |row: &rusqlite::Row<'_>| {
            Ok(Line {
                id: row.get(0)?,
                first: row.get(1)?,
                last: row.get(2)?,
                spans: row.get(3)?,
                logs: row.get(4)?,
                traces: row.get(5)?,
                errors: row.get(6)?,
                refused: row.get(7)?,
                batches: row.get(8)?,
                moments: row.get(9)?,
                dead_clicks: row.get(10)?,
                repeated_clicks: row.get(11)?,
                repeated_within: row.get(12)?,
                slow_frames: row.get(13)?,
                messages: row.get(14)?,
                user: row.get(15)?,
                services: serde_json::from_str(&row.get::<_, String>(16)?).unwrap_or_default(),
                terms: row.get(17)?,
            })
        };
        let mut new = false;
        if let Some(session) = session {
            new = self
                .transaction
                .prepare_cached(
                    "INSERT INTO sessions (session_id, arrived) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                )?
                .execute(params![session, self.arrived])?
                == 1;
        }
        let line = self
            .transaction
            .prepare_cached(
                "SELECT id, first, last, spans, logs, traces, errors, refused, batches, moments, dead_clicks,
                        repeated_clicks, repeated_within, slow_frames, messages, user, services, terms
                 FROM sessions WHERE session_id IS ?1",
            )?
            .query_row([session], read)?;
        let id = line.id;
        self.sessions.insert(key, line);
        if let (true, Some(session)) = (new, session) {
            self.add_term(session, session)?;
        }
        Ok(id)
    }

    fn count(
        &mut self,
        attributes: &Attributes,
        service: &str,
        record: &InTrace<'_>,
    ) -> Result<(), StoreError> {
        let Some(line) = self.sessions.get_mut(&session_of(attributes).map(str::to_owned)) else {
            return Ok(());
        };
        line.first = line.first.min(record.first);
        line.last = line.last.max(record.last);
        line.spans += i64::from(!record.logs);
        line.logs += i64::from(record.logs);
        line.errors += i64::from(record.error);
        line.refused += i64::from(record.refused);
        if line.services.len() < SERVICES && !line.services.contains(service) {
            line.services.insert(service.to_owned());
        }
        if line.id == NOBODY {
            return Ok(());
        }
        let records: i64 = self
            .transaction
            .prepare_cached(
                "INSERT INTO traces (session, trace_id, first, last, version, spans, logs, errors, refused, title, rank)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
                 ON CONFLICT DO UPDATE SET
                     title = CASE WHEN (excluded.rank, excluded.first) < (rank, first)
                                  THEN excluded.title ELSE title END,
                     rank = min(rank, excluded.rank),
                     first = min(first, excluded.first),
                     last = max(last, excluded.last),
                     version = excluded.version,
                     spans = spans + excluded.spans,
                     logs = logs + excluded.logs,
                     errors = errors + excluded.errors,
                     refused = refused + excluded.refused
                 RETURNING spans + logs",
            )?
            .query_row(
                params![
                    line.id,
                    record.trace_id,
                    record.first,
                    record.last,
                    self.version,
                    !record.logs,
                    record.logs,
                    record.error,
                    record.refused,
                    record.title,
                    record.rank,
                ],
                |row| row.get(0),
            )?;
        line.traces += i64::from(records == 1 && !record.trace_id.is_empty());
        Ok(())
    }

    fn searched(&mut self, of: &Attributes, attributes: &Attributes) -> Result<(), StoreError> {
        for key in SEARCHED {
            if let Some(text) = attributes.get(key).and_then(serde_json::Value::as_str) {
                self.term(of, text)?;
            }
        }
        Ok(())
    }

    fn term(&mut self, of: &Attributes, text: &str) -> Result<(), StoreError> {
        match session_of(of).map(str::to_owned) {
            Some(session) => self.add_term(&session, text),
            None => Ok(()),
        }
    }

    pub(super) fn line_of(&mut self, session: &str) -> Option<&mut Line> {
        self.sessions.get_mut(&Some(session.to_owned()))
    }

    pub(super) fn add_term(&mut self, session: &str, text: &str) -> Result<(), StoreError> {
        let text = beginning(text.trim(), TERM_BYTES);
        let Some(line) = self.sessions.get_mut(&Some(session.to_owned())) else { return Ok(()) };
        if text.is_empty() || line.terms >= TERMS {
            return Ok(());
        }
        let inserted = self
            .transaction
            .prepare_cached(
                "INSERT INTO terms (session, text) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            )?
            .execute(params![line.id, text])?;
        if inserted == 1 {
            line.terms += 1;
            self.transaction
                .prepare_cached("INSERT INTO terms_by_text (rowid, text) VALUES (?1, ?2)")?
                .execute(params![self.transaction.last_insert_rowid(), text])?;
        }
        Ok(())
    }

    fn write_sessions(&mut self) -> Result<(), StoreError> {
        let mut write = self.transaction.prepare_cached(
            "UPDATE sessions SET first = ?2, last = ?3, arrived = ?4, version = ?5, spans = ?6, logs = ?7,
                                 traces = ?8, errors = ?9, refused = ?10, services = ?11, terms = ?12,
                                 batches = ?13, moments = ?14, dead_clicks = ?15, repeated_clicks = ?16,
                                 repeated_within = ?17, slow_frames = ?18, messages = ?19, user = ?20
             WHERE id = ?1",
        )?;
        for (_, line) in self.sessions.drain() {
            write.execute(params![
                line.id,
                line.first,
                line.last,
                self.arrived,
                self.version,
                line.spans,
                line.logs,
                line.traces,
                line.errors,
                line.refused,
                serde_json::to_string(&line.services)?,
                line.terms,
                line.batches,
                line.moments,
                line.dead_clicks,
                line.repeated_clicks,
                line.repeated_within,
                line.slow_frames,
                line.messages,
                line.user,
            ])?;
        }
        drop(write);
        // It is never deleted, so the next version is larger than all before.
        self.transaction
            .prepare_cached("UPDATE sessions SET version = ?2 WHERE id = ?1")?
            .execute([NOBODY, self.version])?;
        Ok(())
    }

    fn resource(&mut self, resource: &Arc<Resource>) -> Result<i64, StoreError> {
        if let Some((last, id)) = &self.resource
            && Arc::ptr_eq(last, resource)
        {
            return Ok(*id);
        }
        let attributes = serde_json::to_string(&resource.attributes)?;
        let hash = hash_of(&[&resource.service, &attributes]);
        let known = self
            .transaction
            .prepare_cached(
                "SELECT id FROM resources WHERE hash = ?1 AND service = ?2 AND attributes = ?3",
            )?
            .query_row(params![hash, resource.service, attributes], |row| row.get(0))
            .optional()?;
        let id = match known {
            Some(id) => id,
            None => {
                self.transaction
                    .prepare_cached(
                        "INSERT INTO resources (hash, service, attributes) VALUES (?1, ?2, ?3)",
                    )?
                    .execute(params![hash, resource.service, attributes])?;
                self.transaction.last_insert_rowid()
            }
        };
        self.resource = Some((Arc::clone(resource), id));
        Ok(id)
    }

    fn scope(&mut self, scope: &Arc<Scope>) -> Result<i64, StoreError> {
        if let Some((last, id)) = &self.scope
            && Arc::ptr_eq(last, scope)
        {
            return Ok(*id);
        }
        let attributes = serde_json::to_string(&scope.attributes)?;
        let hash = hash_of(&[&scope.name, &scope.version, &attributes]);
        let known = self
            .transaction
            .prepare_cached(
                "SELECT id FROM scopes WHERE hash = ?1 AND name = ?2 AND version = ?3 AND attributes = ?4",
            )?
            .query_row(params![hash, scope.name, scope.version, attributes], |row| row.get(0))
            .optional()?;
        let id = match known {
            Some(id) => id,
            None => {
                self.transaction
                    .prepare_cached(
                        "INSERT INTO scopes (hash, name, version, attributes) VALUES (?1, ?2, ?3, ?4)",
                    )?
                    .execute(params![hash, scope.name, scope.version, attributes])?;
                self.transaction.last_insert_rowid()
            }
        };
        self.scope = Some((Arc::clone(scope), id));
        Ok(id)
    }
}

/// The session a record names itself. Nothing is inferred from the trace it is part of.
fn session_of(attributes: &Attributes) -> Option<&str> {
    attributes.get(SESSION_ID)?.as_str().filter(|id| !id.is_empty())
}

/// Narrows a search down; equal hashes are compared.
fn hash_of(texts: &[&str]) -> i64 {
    let mut hasher = DefaultHasher::new();
    texts.hash(&mut hasher);
    hasher.finish().cast_signed()
}
