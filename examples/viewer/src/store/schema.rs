//! The tables.

use rusqlite::Connection;

use super::StoreError;

/// Changes with the tables: a file with others is left alone.
const VERSION: i64 = 4;

/// The session of all that has none.
pub(super) const NOBODY: i64 = 1;

const TABLES: &str = "
    -- A line per session, kept up to date with each record: the list reads nothing else.
    CREATE TABLE IF NOT EXISTS sessions (
        id INTEGER PRIMARY KEY,
        session_id TEXT UNIQUE,
        first INTEGER NOT NULL DEFAULT 9223372036854775807,
        last INTEGER NOT NULL DEFAULT 0,
        -- When the viewer last received something, by its own clock.
        arrived INTEGER NOT NULL DEFAULT 0,
        -- Larger after every change, so that a page can ask for what is new.
        version INTEGER NOT NULL DEFAULT 0,
        spans INTEGER NOT NULL DEFAULT 0,
        logs INTEGER NOT NULL DEFAULT 0,
        traces INTEGER NOT NULL DEFAULT 0,
        errors INTEGER NOT NULL DEFAULT 0,
        refused INTEGER NOT NULL DEFAULT 0,
        -- Of its recordings.
        batches INTEGER NOT NULL DEFAULT 0,
        moments INTEGER NOT NULL DEFAULT 0,
        dead_clicks INTEGER NOT NULL DEFAULT 0,
        repeated_clicks INTEGER NOT NULL DEFAULT 0,
        -- The least time between two of them, in nanoseconds.
        repeated_within INTEGER,
        slow_frames INTEGER NOT NULL DEFAULT 0,
        messages INTEGER NOT NULL DEFAULT 0,
        user TEXT,
        services TEXT NOT NULL DEFAULT '[]',
        terms INTEGER NOT NULL DEFAULT 0
    );
    INSERT OR IGNORE INTO sessions (id) VALUES (1);
    CREATE INDEX IF NOT EXISTS sessions_by_time ON sessions (last, id);
    CREATE INDEX IF NOT EXISTS sessions_with_errors ON sessions (last, id) WHERE errors + refused > 0;
    CREATE INDEX IF NOT EXISTS sessions_with_replay ON sessions (last, id) WHERE batches > 0;
    CREATE INDEX IF NOT EXISTS sessions_with_clicks ON sessions (last, id) WHERE dead_clicks + repeated_clicks > 0;
    CREATE INDEX IF NOT EXISTS sessions_with_slow_frames ON sessions (last, id) WHERE slow_frames > 0;
    CREATE INDEX IF NOT EXISTS sessions_by_arrival ON sessions (arrived);

    CREATE TABLE IF NOT EXISTS traces (
        session INTEGER NOT NULL,
        trace_id TEXT NOT NULL,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        version INTEGER NOT NULL,
        spans INTEGER NOT NULL,
        logs INTEGER NOT NULL,
        errors INTEGER NOT NULL,
        refused INTEGER NOT NULL,
        title TEXT NOT NULL,
        -- How good the title is: 0 is that of a root.
        rank INTEGER NOT NULL,
        PRIMARY KEY (session, trace_id)
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS traces_by_id ON traces (trace_id);

    CREATE TABLE IF NOT EXISTS resources (
        id INTEGER PRIMARY KEY,
        hash INTEGER NOT NULL,
        service TEXT NOT NULL,
        attributes TEXT NOT NULL
    );
    CREATE INDEX IF NOT EXISTS resources_by_hash ON resources (hash);
    CREATE TABLE IF NOT EXISTS scopes (
        id INTEGER PRIMARY KEY,
        hash INTEGER NOT NULL,
        name TEXT NOT NULL,
        version TEXT NOT NULL,
        attributes TEXT NOT NULL
    );
    CREATE INDEX IF NOT EXISTS scopes_by_hash ON scopes (hash);

    CREATE TABLE IF NOT EXISTS spans (
        id INTEGER PRIMARY KEY,
        session INTEGER NOT NULL,
        resource INTEGER NOT NULL,
        scope INTEGER NOT NULL,
        name TEXT NOT NULL,
        kind TEXT NOT NULL,
        trace_id TEXT NOT NULL,
        span_id TEXT NOT NULL,
        parent_span_id TEXT,
        started INTEGER NOT NULL,
        ended INTEGER NOT NULL,
        status TEXT NOT NULL,
        status_message TEXT NOT NULL,
        attributes TEXT NOT NULL,
        events TEXT NOT NULL,
        UNIQUE (trace_id, span_id, resource)
    );
    CREATE INDEX IF NOT EXISTS spans_by_session ON spans (session);
    CREATE INDEX IF NOT EXISTS spans_by_resource ON spans (resource);
    CREATE INDEX IF NOT EXISTS spans_by_scope ON spans (scope);
    CREATE TABLE IF NOT EXISTS logs (
        id INTEGER PRIMARY KEY,
        session INTEGER NOT NULL,
        resource INTEGER NOT NULL,
        scope INTEGER NOT NULL,
        severity TEXT NOT NULL,
        severity_number INTEGER NOT NULL,
        body TEXT NOT NULL,
        -- Empty outside of any trace.
        trace_id TEXT NOT NULL,
        span_id TEXT,
        time INTEGER NOT NULL,
        attributes TEXT NOT NULL
    );
    CREATE INDEX IF NOT EXISTS logs_by_session ON logs (session);
    CREATE INDEX IF NOT EXISTS logs_by_trace ON logs (session, trace_id);
    CREATE INDEX IF NOT EXISTS logs_by_resource ON logs (resource);
    CREATE INDEX IF NOT EXISTS logs_by_scope ON logs (scope);

    -- One per document of a session's browser. Its times are by the browser's clock.
    CREATE TABLE IF NOT EXISTS tabs (
        id INTEGER PRIMARY KEY,
        session INTEGER NOT NULL,
        tab TEXT NOT NULL,
        first INTEGER NOT NULL DEFAULT 9223372036854775807,
        last INTEGER NOT NULL DEFAULT 0,
        -- The smallest difference between a batch's arrival, by the viewer's clock, and its sending.
        ahead INTEGER NOT NULL DEFAULT 9223372036854775807,
        arrived INTEGER NOT NULL DEFAULT 0,
        version INTEGER NOT NULL DEFAULT 0,
        batches INTEGER NOT NULL DEFAULT 0,
        last_sequence INTEGER NOT NULL DEFAULT 0,
        dropped INTEGER NOT NULL DEFAULT 0,
        events INTEGER NOT NULL DEFAULT 0,
        bytes INTEGER NOT NULL DEFAULT 0,
        url TEXT NOT NULL DEFAULT '',
        user TEXT,
        UNIQUE (session, tab)
    );
    CREATE TABLE IF NOT EXISTS batches (
        id INTEGER PRIMARY KEY,
        session INTEGER NOT NULL,
        tab INTEGER NOT NULL,
        sequence INTEGER NOT NULL,
        sent INTEGER NOT NULL,
        arrived INTEGER NOT NULL,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        -- When playing can begin in it.
        snapshot INTEGER,
        -- JSON: when somebody did something, from and to in milliseconds.
        active TEXT NOT NULL,
        events INTEGER NOT NULL,
        -- A JSON array of rrweb's events, gzipped.
        content BLOB NOT NULL,
        UNIQUE (tab, sequence)
    );
    CREATE INDEX IF NOT EXISTS batches_by_session ON batches (session);
    -- What pages show of a recording without reading its events.
    CREATE TABLE IF NOT EXISTS moments (
        id INTEGER PRIMARY KEY,
        session INTEGER NOT NULL,
        tab INTEGER NOT NULL,
        at INTEGER NOT NULL,
        tag TEXT NOT NULL,
        -- Of requests: when they began, and the trace that the server named.
        started INTEGER,
        trace_id TEXT,
        -- JSON: the tag and what it carries.
        seen TEXT NOT NULL
    );
    CREATE INDEX IF NOT EXISTS moments_by_session ON moments (session);
    CREATE INDEX IF NOT EXISTS moments_by_tab ON moments (tab, tag, at);
    CREATE INDEX IF NOT EXISTS moments_by_trace ON moments (trace_id) WHERE trace_id IS NOT NULL;

    -- What a session can be found by: its ID, URLs, error texts, users.
    CREATE TABLE IF NOT EXISTS terms (
        id INTEGER PRIMARY KEY,
        session INTEGER NOT NULL,
        text TEXT NOT NULL,
        UNIQUE (session, text)
    );
    CREATE VIRTUAL TABLE IF NOT EXISTS terms_by_text
        USING fts5(text, content='terms', content_rowid='id', tokenize='trigram', detail='full');

    CREATE TABLE IF NOT EXISTS tickets (
        session INTEGER NOT NULL,
        ticket TEXT NOT NULL,
        -- NULL while it is open.
        closed INTEGER,
        PRIMARY KEY (session, ticket)
    ) WITHOUT ROWID;
";

pub(super) fn create(connection: &Connection) -> Result<(), StoreError> {
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables > 0 && version != VERSION {
        return Err(StoreError::OtherTables);
    }
    connection.execute_batch(TABLES)?;
    connection.pragma_update(None, "user_version", VERSION)?;
    Ok(())
}
