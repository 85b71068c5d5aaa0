//! Recordings out: tabs with their clocks, what is in them, and the events themselves.

use std::io::Read as _;

use flate2::read::GzDecoder;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::clock::{Clock, Pair, align};
use crate::model::Timestamp;
use crate::recording::Tab;

use super::find::{id_of, version};
use super::{Store, StoreError};

/// One answer has no more batches or moments: whoever wants more asks again.
const MAX_ROWS: usize = 20_000;

/// One answer has no more events, inflated, except that it has at least one batch.
const MAX_EVENTS: usize = 8 * 1024 * 1024;

/// The latest requests of a tab that its clock is read from.
const MAX_PAIRS: usize = 500;

/// What is in a tab's recording, without its events.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Index {
    batches: Vec<InBatch>,
    moments: Vec<InMoment>,
    /// There is more to ask for.
    more: bool,
}

#[derive(Debug, Serialize)]
struct InBatch {
    /// Larger than all that arrived before.
    id: i64,
    sequence: u32,
    first: f64,
    last: f64,
    snapshot: Option<f64>,
    active: Box<RawValue>,
    events: u32,
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct InMoment {
    id: i64,
    at: f64,
    seen: Box<RawValue>,
}

impl Store {
    /// The tabs of a session that have changed since, by the time they began, and the version to ask with next time.
    pub(crate) fn tabs(&self, session_id: &str) -> Result<(Vec<Tab>, i64), StoreError> {
        let connection = self.reader();
        let version = version(&connection)?;
        let tabs = match id_of(&connection, session_id)? {
            Some(session) => tabs_of(&connection, session)?,
            None => Vec::new(),
        };
        Ok((tabs, version))
    }

    /// What is in a tab after the last batch and the last moment that somebody has already.
    pub(crate) fn tab_index(
        &self,
        session_id: &str,
        tab: &str,
        (batch, moment): (i64, i64),
    ) -> Result<Option<Index>, StoreError> {
        let connection = self.reader();
        let Some(tab) = tab_of(&connection, session_id, tab)? else { return Ok(None) };
        let mut select = connection.prepare_cached(
            "SELECT id, sequence, first, last, snapshot, active, events, length(content)
             FROM batches WHERE tab = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
        )?;
        let millis = |nanos: i64| Timestamp::from_stored(nanos).millis();
        let mut index = Index::default();
        let mut rows = select.query(params![tab, batch, MAX_ROWS])?;
        while let Some(row) = rows.next()? {
            index.batches.push(InBatch {
                id: row.get(0)?,
                sequence: row.get(1)?,
                first: millis(row.get(2)?),
                last: millis(row.get(3)?),
                snapshot: row.get::<_, Option<i64>>(4)?.map(millis),
                active: RawValue::from_string(row.get(5)?)?,
                events: row.get(6)?,
                bytes: row.get(7)?,
            });
        }
        let mut select = connection.prepare_cached(
            "SELECT id, at, seen FROM moments WHERE tab = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
        )?;
        let mut rows = select.query(params![tab, moment, MAX_ROWS])?;
        while let Some(row) = rows.next()? {
            index.moments.push(InMoment {
                id: row.get(0)?,
                at: millis(row.get(1)?),
                seen: RawValue::from_string(row.get(2)?)?,
            });
        }
        index.more = index.batches.len() == MAX_ROWS || index.moments.len() == MAX_ROWS;
        Ok(Some(index))
    }

    /// Batches of a tab by number, each on a line of JSON, as many as one answer holds; empty if there are none.
    pub(crate) fn events(
        &self,
        session_id: &str,
        tab: &str,
        (from, to): (u32, u32),
    ) -> Result<Option<String>, StoreError> {
        let connection = self.reader();
        let Some(tab) = tab_of(&connection, session_id, tab)? else { return Ok(None) };
        let mut select = connection.prepare_cached(
            "SELECT sequence, content FROM batches WHERE tab = ?1 AND sequence BETWEEN ?2 AND ?3 ORDER BY sequence",
        )?;
        let mut rows = select.query(params![tab, from, to])?;
        let mut lines = String::new();
        while let Some(row) = rows.next()? {
            let sequence: u32 = row.get(0)?;
            lines.push_str(&format!("{{\"sequence\":{sequence},\"events\":"));
            GzDecoder::new(row.get_ref(1)?.as_bytes().unwrap_or_default())
                .read_to_string(&mut lines)?;
            lines.push_str("}\n");
            if lines.len() > MAX_EVENTS {
                break;
            }
        }
        Ok(Some(lines))
    }

    /// Where in a session's recordings a trace is: the tab, and the milliseconds since that began. By the request that
    /// the server answered with it, or by its time.
    pub(crate) fn moment_of_trace(
        &self,
        session_id: &str,
        trace_id: &str,
    ) -> Result<Option<(String, f64)>, StoreError> {
        let connection = self.reader();
        let Some(session) = id_of(&connection, session_id)? else { return Ok(None) };
        let request = connection
            .prepare_cached(
                "SELECT tabs.tab, coalesce(started, at) - tabs.first
                 FROM moments JOIN tabs ON tabs.id = moments.tab
                 WHERE moments.trace_id = ?1 AND moments.session = ?2 ORDER BY at LIMIT 1",
            )?
            .query_row(params![trace_id, session], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)))
            .optional()?;
        if let Some((tab, nanos)) = request {
            return Ok(Some((tab, nanos.max(0) as f64 / 1e6)));
        }
        let began = connection
            .prepare_cached("SELECT first FROM traces WHERE session = ?1 AND trace_id = ?2")?
            .query_row(params![session, trace_id], |row| row.get(0))
            .optional()?;
        let Some(began) = began else { return Ok(None) };
        let began = Timestamp::from_stored(began).millis();
        Ok(tabs_of(&connection, session)?.into_iter().find_map(|tab| {
            let at = began - tab.offset;
            (tab.started..=tab.ended).contains(&at).then_some((tab.tab, at - tab.started))
        }))
    }
}

fn tab_of(connection: &Connection, session_id: &str, tab: &str) -> Result<Option<i64>, StoreError> {
    let Some(session) = id_of(connection, session_id)? else { return Ok(None) };
    Ok(connection
        .prepare_cached("SELECT id FROM tabs WHERE session = ?1 AND tab = ?2")?
        .query_row(params![session, tab], |row| row.get(0))
        .optional()?)
}

pub(super) fn tabs_of(connection: &Connection, session: i64) -> Result<Vec<Tab>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT id, tab, first, last, ahead, arrived, version, batches, last_sequence, dropped, events,
                bytes, url, user
         FROM tabs WHERE session = ?1 AND batches > 0",
    )?;
    let mut rows = select.query([session])?;
    let mut tabs = Vec::new();
    while let Some(row) = rows.next()? {
        let clock = align(row.get(4)?, &requests(connection, row.get(0)?)?);
        let batches: u64 = row.get(7)?;
        let last: u64 = row.get(8)?;
        tabs.push(tab(row, clock, batches, (last + 1).saturating_sub(batches))?);
    }
    tabs.sort_by(|a, b| (a.started + a.offset).total_cmp(&(b.started + b.offset)));
    Ok(tabs)
}

fn tab(
    row: &rusqlite::Row<'_>,
    clock: Clock,
    batches: u64,
    missing: u64,
) -> Result<Tab, StoreError> {
    Ok(Tab {
        tab: row.get(1)?,
        started: Timestamp::from_stored(row.get(2)?).millis(),
        ended: Timestamp::from_stored(row.get(3)?).millis(),
        offset: clock.offset as f64 / 1e6,
        uncertainty: clock.uncertainty.map(|nanos| nanos as f64 / 1e6),
        last_arrived: Timestamp::from_stored(row.get(5)?),
        version: row.get(6)?,
        batches,
        missing,
        dropped: row.get(9)?,
        events: row.get(10)?,
        bytes: row.get(11)?,
        url: row.get(12)?,
        user: row.get(13)?,
    })
}

/// What both sides saw of a tab's requests: of each the server's first span, where the trace has no other request.
fn requests(connection: &Connection, tab: i64) -> Result<Vec<Pair>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT request.started, request.at, min(spans.started), spans.ended
         FROM (SELECT id, session, started, at, trace_id FROM moments
               WHERE tab = ?1 AND tag = 'request' AND trace_id IS NOT NULL AND started IS NOT NULL
               ORDER BY at DESC LIMIT ?2) AS request
         JOIN spans ON spans.trace_id = request.trace_id AND spans.session = request.session
                   AND spans.kind = 'server'
         GROUP BY request.trace_id HAVING count(DISTINCT request.id) = 1",
    )?;
    let pairs = select.query_map(params![tab, MAX_PAIRS], |row| {
        // The script's times are whole milliseconds, cut off.
        let ended: i64 = row.get(1)?;
        Ok(Pair {
            browser: (row.get(0)?, ended.saturating_add(1_000_000)),
            server: (row.get(2)?, row.get(3)?),
        })
    })?;
    Ok(pairs.collect::<Result<_, _>>()?)
}
