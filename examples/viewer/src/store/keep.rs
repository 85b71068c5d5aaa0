//! What is kept how long, and what goes first when there is too much.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::find::id_of;
use super::schema::NOBODY;
use super::{Store, StoreError, now};

/// One step deletes no more rows, so that nobody waits long for it.
const STEP: i64 = 500;

/// How long a session is kept after its last ticket was closed.
const AFTER_TICKET: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How long sessions are kept after the last that came from them, and how much in all.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Sessions without errors.
    pub keep: Option<Duration>,
    /// Sessions with errors.
    pub keep_errors: Option<Duration>,
    /// Bytes of the whole database. Beyond them, the oldest goes.
    pub max_bytes: u64,
}

impl Default for Retention {
    /// Without a limit of time; 512 MiB.
    fn default() -> Self {
        Self { keep: None, keep_errors: None, max_bytes: 512 * 1024 * 1024 }
    }
}

/// An open ticket keeps its session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum TicketState {
    Open,
    Closed,
}

impl Store {
    /// `false` if there is no such session.
    pub(crate) fn set_ticket(
        &self,
        session_id: &str,
        ticket: &str,
        state: TicketState,
    ) -> Result<bool, StoreError> {
        let connection = self.writer();
        let Some(session) = id_of(&connection, session_id)? else { return Ok(false) };
        let closed = (state == TicketState::Closed).then(|| now().nanos());
        connection.execute(
            "INSERT INTO tickets (session, ticket, closed) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET closed = excluded.closed",
            params![session, ticket, closed],
        )?;
        Ok(true)
    }

    /// All of a session, in small steps; `false` if there is no such session.
    pub(crate) fn delete(&self, session_id: &str) -> Result<bool, StoreError> {
        let Some(session) = id_of(&self.writer(), session_id)? else { return Ok(false) };
        while !delete_step(&mut self.writer(), session)? {}
        Ok(true)
    }

    /// Deletes a little of what has had its time; `false` if there is nothing to do.
    pub(crate) fn clean_step(&self) -> Result<bool, StoreError> {
        let mut connection = self.writer();
        let now = now().nanos();
        let before = |kept: Option<Duration>| {
            kept.map_or(i64::MIN, |kept| {
                now.saturating_sub(i64::try_from(kept.as_nanos()).unwrap_or(i64::MAX))
            })
        };
        let expired = connection
            .prepare_cached(
                "SELECT id FROM sessions
                 WHERE arrived < CASE WHEN errors + refused > 0 THEN ?1 ELSE ?2 END
                   AND arrived < max(?1, ?2) AND spans + logs + batches > 0
                   AND NOT EXISTS (SELECT 1 FROM tickets
                                   WHERE session = sessions.id AND (closed IS NULL OR closed > ?3))
                 ORDER BY arrived LIMIT 1",
            )?
            .query_row(
                [
                    before(self.retention.keep_errors),
                    before(self.retention.keep),
                    before(Some(AFTER_TICKET)),
                ],
                |row| row.get(0),
            )
            .optional()?;
        match expired {
            Some(session) => delete_step(&mut connection, session).map(|_| true),
            None => delete_unused(&mut connection),
        }
    }

    /// Deletes what is oldest until the rest fits: what has no session first, what has a ticket last.
    pub(super) fn make_room(&self) -> Result<(), StoreError> {
        while self.used()? > self.retention.max_bytes {
            let mut connection = self.writer();
            let oldest = connection
                .prepare_cached(
                    "SELECT id FROM sessions WHERE spans + logs + batches > 0
                     ORDER BY id <> ?1, EXISTS (SELECT 1 FROM tickets WHERE session = sessions.id), arrived
                     LIMIT 1",
                )?
                .query_row([NOBODY], |row| row.get(0))
                .optional()?;
            let Some(session) = oldest else { break };
            delete_step(&mut connection, session)?;
            delete_unused(&mut connection)?;
        }
        Ok(())
    }

    fn used(&self) -> Result<u64, StoreError> {
        Ok(self
            .writer()
            .prepare_cached(
                "SELECT (page_count - freelist_count) * page_size
                 FROM pragma_page_count, pragma_freelist_count, pragma_page_size",
            )?
            .query_row([], |row| row.get(0))?)
    }
}

/// Deletes some rows of a session, the oldest first; `true` if it is gone.
fn delete_step(connection: &mut Connection, session: i64) -> Result<bool, StoreError> {
    let transaction = connection.transaction()?;
    let mut deleted = 0;
    for table in ["spans", "logs", "moments", "batches"] {
        if deleted < STEP {
            let count = transaction
                .prepare_cached(&format!(
                    "DELETE FROM {table} WHERE id IN (
                         SELECT id FROM {table} WHERE session = ?1 ORDER BY id LIMIT ?2)"
                ))?
                .execute([session, STEP - deleted])?;
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            transaction
                .prepare_cached(&format!(
                    "UPDATE sessions SET {table} = {table} - ?2 WHERE id = ?1"
                ))?
                .execute([session, count])?;
            deleted += count;
        }
    }
    let gone = deleted < STEP;
    if gone {
        for sql in [
            "INSERT INTO terms_by_text (terms_by_text, rowid, text)
                 SELECT 'delete', id, text FROM terms WHERE session = ?1",
            "DELETE FROM terms WHERE session = ?1",
            "DELETE FROM traces WHERE session = ?1",
            "DELETE FROM tabs WHERE session = ?1",
            "DELETE FROM tickets WHERE session = ?1",
            "DELETE FROM sessions WHERE id = ?1 AND session_id IS NOT NULL",
        ] {
            transaction.prepare_cached(sql)?.execute([session])?;
        }
        transaction
            .prepare_cached("UPDATE sessions SET version = version + 1 WHERE id = ?1")?
            .execute([NOBODY])?;
    }
    transaction.commit()?;
    Ok(gone)
}

/// Resources and scopes that no record has any more.
fn delete_unused(connection: &mut Connection) -> Result<bool, StoreError> {
    let transaction = connection.transaction()?;
    let mut deleted = 0;
    for (table, column) in [("resources", "resource"), ("scopes", "scope")] {
        deleted += transaction
            .prepare_cached(&format!(
                "DELETE FROM {table} WHERE id IN (
                     SELECT id FROM {table} AS unused
                     WHERE NOT EXISTS (SELECT 1 FROM spans WHERE {column} = unused.id)
                       AND NOT EXISTS (SELECT 1 FROM logs WHERE {column} = unused.id)
                     LIMIT ?1)"
            ))?
            .execute([STEP])?;
    }
    transaction.commit()?;
    Ok(deleted > 0)
}
