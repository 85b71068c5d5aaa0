//! Recordings in: batches, the moments in them, and what they add to the session's line of the list.

use rusqlite::{OptionalExtension as _, params};

use crate::model::Timestamp;
use crate::recording::{Click, Moment, Recording, Request, Seen};

use super::StoreError;
use super::insert::Batch;

/// A click on what was clicked less than this before is a repeated one.
const REPEATED_NANOS: i64 = 500_000_000;

/// A frame that took as long is slow: a tenth of a second is felt.
const SLOW_FRAME_MS: f64 = 100.0;

/// A session with more pages is not looked at, it is an attack.
const MAX_PAGES: i64 = 1_000;

impl Batch<'_> {
    /// A batch that is there already (a page that tried again) is left as it is.
    pub(crate) fn recording(&mut self, recording: &Recording) -> Result<(), StoreError> {
        let session = self.line(Some(&recording.session_id))?;
        let new = self
            .transaction
            .prepare_cached(
                "INSERT INTO tabs (session, tab) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            )?
            .execute(params![session, recording.tab])?;
        if new > 0 {
            let pages: i64 = self
                .transaction
                .prepare_cached("SELECT count(*) FROM tabs WHERE session = ?1")?
                .query_row([session], |row| row.get(0))?;
            if pages > MAX_PAGES {
                return Err(StoreError::TooManyPages(MAX_PAGES));
            }
        }
        let tab: i64 = self
            .transaction
            .prepare_cached("SELECT id FROM tabs WHERE session = ?1 AND tab = ?2")?
            .query_row(params![session, recording.tab], |row| row.get(0))?;
        let millis = |(from, to): &(Timestamp, Timestamp)| (from.millis(), to.millis());
        let active: Vec<(f64, f64)> = recording.active.iter().map(millis).collect();
        let inserted = self
            .transaction
            .prepare_cached(
                "INSERT INTO batches (session, tab, sequence, sent, arrived, first, last, snapshot, active, events,
                                      content)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
                 ON CONFLICT DO NOTHING",
            )?
            .execute(params![
                session,
                tab,
                recording.sequence,
                recording.sent.nanos(),
                recording.arrived.nanos(),
                recording.first.nanos(),
                recording.last.nanos(),
                recording.snapshot.map(Timestamp::nanos),
                serde_json::to_string(&active)?,
                recording.events,
                recording.content,
            ])?;
        if inserted == 0 {
            return Ok(());
        }
        let ahead = self.update_tab(tab, recording)?;
        if let Some(line) = self.line_of(&recording.session_id) {
            line.first = line.first.min(recording.first.nanos().saturating_add(ahead));
            line.last = line.last.max(recording.last.nanos().saturating_add(ahead));
            line.batches += 1;
            if recording.user.is_some() {
                line.user.clone_from(&recording.user);
            }
        }
        if let Some(user) = &recording.user {
            self.add_term(&recording.session_id, user)?;
        }
        for moment in &recording.moments {
            self.moment(session, tab, &recording.session_id, moment)?;
        }
        Ok(())
    }

    /// What to add to its times, as far as arrivals tell.
    fn update_tab(&mut self, tab: i64, recording: &Recording) -> Result<i64, StoreError> {
        let url = recording.moments.iter().find_map(|moment| match &moment.seen {
            Seen::Navigation { url, .. } => Some(url.as_str()),
            _ => None,
        });
        let ahead = recording.arrived.nanos().saturating_sub(recording.sent.nanos());
        Ok(self
            .transaction
            .prepare_cached(
                "UPDATE tabs SET first = min(first, ?2), last = max(last, ?3), ahead = min(ahead, ?4), arrived = ?5,
                                 version = ?6, batches = batches + 1,
                                 last_sequence = max(last_sequence, ?7), dropped = max(dropped, ?8),
                                 events = events + ?9, bytes = bytes + ?10, user = coalesce(?11, user),
                                 url = CASE WHEN ?12 IS NOT NULL AND (url = '' OR ?2 < first) THEN ?12 ELSE url END
                 WHERE id = ?1 RETURNING ahead",
            )?
            .query_row(
                params![
                    tab,
                    recording.first.nanos(),
                    recording.last.nanos(),
                    ahead,
                    recording.arrived.nanos(),
                    self.version,
                    recording.sequence,
                    recording.dropped,
                    recording.events,
                    recording.content.len(),
                    recording.user,
                    url,
                ],
                |row| row.get(0),
            )?)
    }

    fn moment(
        &mut self,
        session: i64,
        tab: i64,
        session_id: &str,
        moment: &Moment,
    ) -> Result<(), StoreError> {
        let repeated = match &moment.seen {
            Seen::Click(click) => self.repeated(tab, moment.at.nanos(), click)?,
            _ => None,
        };
        let trace_id = moment.seen.trace_id();
        let started = match &moment.seen {
            Seen::Request(request) => Timestamp::from_unix_millis(request.start),
            _ => None,
        };
        self.transaction
            .prepare_cached(
                "INSERT INTO moments (session, tab, at, tag, started, trace_id, seen)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                session,
                tab,
                moment.at.nanos(),
                moment.seen.tag(),
                started.map(Timestamp::nanos),
                trace_id,
                serde_json::to_string(&moment.seen)?,
            ])?;
        if let Some(line) = self.line_of(session_id) {
            line.moments += 1;
            match &moment.seen {
                Seen::Error { .. } => line.errors += 1,
                // With a trace, the server's span says so.
                Seen::Request(Request { status: 0 | 500.., trace_id: None, .. }) => {
                    line.errors += 1
                }
                Seen::Request(Request { status: 400..500, trace_id: None, .. }) => {
                    line.refused += 1
                }
                Seen::Click(click) => line.dead_clicks += i64::from(click.dead),
                Seen::LongFrame(frame) => {
                    line.slow_frames += i64::from(frame.duration >= SLOW_FRAME_MS);
                }
                Seen::Toast { .. } | Seen::Invalid { .. } => line.messages += 1,
                _ => {}
            }
            if let Some(within) = repeated {
                line.repeated_clicks += 1;
                let least = line.repeated_within.map_or(within, |least| least.min(within));
                line.repeated_within = Some(least);
            }
        }
        for term in moment.seen.terms() {
            self.add_term(session_id, term)?;
        }
        Ok(())
    }

    /// How long the same was clicked before or (batches may arrive in any order) after.
    fn repeated(&self, tab: i64, at: i64, click: &Click) -> Result<Option<i64>, StoreError> {
        let what = click.what.as_str();
        Ok(self
            .transaction
            .prepare_cached(
                "SELECT abs(at - ?2) FROM moments
                 WHERE tab = ?1 AND tag = 'click' AND at BETWEEN ?2 - ?3 AND ?2 + ?3
                   AND seen ->> '$.payload.what' = ?4
                 ORDER BY 1 LIMIT 1",
            )?
            .query_row(params![tab, at, REPEATED_NANOS, what], |row| row.get(0))
            .optional()?)
    }
}
