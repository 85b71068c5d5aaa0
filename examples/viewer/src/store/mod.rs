//! All that is kept, in SQLite: a file, or memory. No other module knows SQL.

mod find;
mod insert;
mod keep;
mod record;
mod replay;
mod schema;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use rusqlite::Connection;

use crate::model::Timestamp;

pub(crate) use self::find::{Detail, Query, Record, Trace, Untagged};
pub use self::keep::Retention;
pub(crate) use self::keep::TicketState;
pub(crate) use self::replay::Index;

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
    /// The file holds a recording that the viewer didn't write.
    #[error("a stored recording is broken: {0}")]
    Recording(#[from] std::io::Error),
    /// A session's recordings are of too many pages.
    #[error("a session may have {0} pages")]
    TooManyPages(i64),
    /// The file has other tables.
    #[error("it is not a database of this version of the viewer")]
    OtherTables,
}

/// What the viewer keeps. Cheap to clone; all clones see the same database.
#[derive(Clone, Debug)]
pub struct Store {
    writer: Arc<Mutex<Connection>>,
    /// Of its own for a file, so that a page doesn't wait for what arrives.
    reader: Arc<Mutex<Connection>>,
    retention: Retention,
}

impl Store {
    /// Opens the file, or memory where there is none.
    ///
    /// # Errors
    ///
    /// When the file can't be opened, or is not the viewer's.
    pub fn open(file: Option<&Path>, retention: Retention) -> Result<Self, StoreError> {
        let connect = || {
            let connection = match file {
                Some(file) => Connection::open(file)?,
                None => Connection::open_in_memory()?,
            };
            connection.pragma_update(None, "journal_mode", "WAL")?;
            // What was answered 2xx is on the disk, whatever ends the process or the machine.
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.busy_timeout(std::time::Duration::from_secs(10))?;
            connection.set_prepared_statement_cache_capacity(64);
            Ok::<_, StoreError>(connection)
        };
        let writer = connect()?;
        schema::create(&writer)?;
        let writer = Arc::new(Mutex::new(writer));
        let reader = match file {
            Some(_) => Arc::new(Mutex::new(connect()?)),
            None => Arc::clone(&writer),
        };
        Ok(Self { writer, reader, retention })
    }

    fn writer(&self) -> MutexGuard<'_, Connection> {
        // A panic elsewhere rolls its transaction back: the connection itself is still sound.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reader(&self) -> MutexGuard<'_, Connection> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// By the viewer's clock.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    Timestamp::from_stored(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
