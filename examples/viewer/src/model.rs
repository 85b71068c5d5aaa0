//! What the viewer knows about a span, a log record and a session: the shapes that are stored, shown and
//! answered as JSON.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use crate::recording::Tab;

/// Attributes as JSON values, in the order of their keys.
pub(crate) type Attributes = Map<String, Value>;

/// The attribute that says which session a span or a log record belongs to.
pub(crate) const SESSION_ID: &str = "session.id";

/// Severity numbers from here on are errors (OpenTelemetry's ERROR and FATAL ranges).
pub(crate) const SEVERITY_ERROR: i32 = 17;

/// Who reports: shared by all that it reported in one request, and stored once.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Resource {
    pub(crate) service: String,
    pub(crate) attributes: Attributes,
}

/// The instrumentation that made a record.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Scope {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) attributes: Attributes,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Span {
    #[serde(rename = "service", serialize_with = "service_alone")]
    pub(crate) resource: Arc<Resource>,
    #[serde(skip)]
    pub(crate) scope: Arc<Scope>,
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) trace_id: String,
    pub(crate) span_id: String,
    pub(crate) parent_span_id: Option<String>,
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    pub(crate) status: Status,
    #[serde(skip)]
    pub(crate) status_message: String,
    pub(crate) attributes: Attributes,
    pub(crate) events: Vec<Event>,
}

/// Something that happened during a span.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) nanos: u64,
    pub(crate) attributes: Attributes,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Log {
    #[serde(rename = "service", serialize_with = "service_alone")]
    pub(crate) resource: Arc<Resource>,
    #[serde(skip)]
    pub(crate) scope: Arc<Scope>,
    pub(crate) severity: String,
    #[serde(skip)]
    pub(crate) severity_number: i32,
    pub(crate) body: String,
    pub(crate) trace_id: Option<String>,
    pub(crate) span_id: Option<String>,
    pub(crate) time: Timestamp,
    pub(crate) attributes: Attributes,
}

fn service_alone<S: Serializer>(resource: &Resource, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&resource.service)
}

impl Span {
    /// What went wrong, if anything did.
    ///
    /// OpenTelemetry's semantic conventions for HTTP: from 500 on, every span is an error; from 400 to 499 only that
    /// of a client is. The server's span of a refused request is no error, but worth a mark.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        match (self.status, self.kind, self.http_status()) {
            (Status::Error, ..)
            | (Status::Unset, Kind::Client, Some(400..))
            | (Status::Unset, _, Some(500..)) => Some(Trouble::Error),
            (_, Kind::Server, Some(400..500)) => Some(Trouble::Refused),
            _ => None,
        }
    }

    pub(crate) fn http_status(&self) -> Option<i64> {
        let known = ["http.response.status_code", "http.status_code"];
        known.iter().find_map(|key| self.attributes.get(*key)?.as_i64())
    }
}

impl Log {
    pub(crate) fn is_error(&self) -> bool {
        self.severity_number >= SEVERITY_ERROR
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Trouble {
    Error,
    /// A server answered 4xx.
    Refused,
}

/// OpenTelemetry's kinds of spans.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Internal,
    Server,
    Client,
    Producer,
    Consumer,
}

impl Kind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Server => "server",
            Self::Client => "client",
            Self::Producer => "producer",
            Self::Consumer => "consumer",
        }
    }

    pub(crate) fn from_stored(text: &str) -> Self {
        let kinds = [Self::Server, Self::Client, Self::Producer, Self::Consumer];
        kinds.into_iter().find(|kind| kind.as_str() == text).unwrap_or(Self::Internal)
    }
}

/// What carries one session ID.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Session {
    pub(crate) session_id: String,
    pub(crate) spans: Vec<Span>,
    pub(crate) logs: Vec<Log>,
    /// Its recordings; their events are asked for by tab.
    pub(crate) tabs: Vec<Tab>,
    /// There is more than one answer holds.
    pub(crate) truncated: bool,
}

/// One line of the list of sessions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Summary {
    pub(crate) session_id: String,
    pub(crate) spans: u64,
    pub(crate) logs: u64,
    pub(crate) traces: u64,
    /// Failed spans, and log records of severity ERROR or worse.
    pub(crate) errors: u64,
    /// Requests that a server answered with 4xx.
    pub(crate) refused: u64,
    /// Batches of its recordings.
    pub(crate) batches: u64,
    /// Clicks that nothing came of.
    pub(crate) dead_clicks: u64,
    /// Clicks on what was clicked just before.
    pub(crate) repeated_clicks: u64,
    /// The least time between two of them.
    pub(crate) repeated_within_ms: Option<u64>,
    /// Frames of a tenth of a second and more.
    pub(crate) slow_frames: u64,
    /// Messages that came and went, and fields that failed their validation.
    pub(crate) messages: u64,
    pub(crate) user: Option<String>,
    pub(crate) services: BTreeSet<String>,
    pub(crate) first_seen: Timestamp,
    pub(crate) last_seen: Timestamp,
}

/// One line of a session's list of traces.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct TraceSummary {
    /// Empty for the log records outside of any trace.
    pub(crate) trace_id: String,
    pub(crate) title: String,
    pub(crate) spans: u64,
    pub(crate) logs: u64,
    pub(crate) errors: u64,
    pub(crate) refused: u64,
    pub(crate) started: Timestamp,
    pub(crate) nanos: i64,
    pub(crate) version: i64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    Unset,
    Ok,
    Error,
}

impl Status {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Unset => "unset",
            Self::Ok => "ok",
            Self::Error => "error",
        }
    }

    pub(crate) fn from_stored(text: &str) -> Self {
        match text {
            "ok" => Self::Ok,
            "error" => Self::Error,
            _ => Self::Unset,
        }
    }
}

/// Nanoseconds since the Unix epoch, never negative.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Timestamp(i64);

impl Timestamp {
    pub(crate) const MAX: Self = Self(i64::MAX);

    /// `None` beyond the year 2262, where the nanoseconds no longer fit SQLite's integers.
    pub(crate) fn from_unix_nanos(nanos: u64) -> Option<Self> {
        i64::try_from(nanos).ok().map(Self)
    }

    /// The time of a browser; `None` if it is none.
    pub(crate) fn from_unix_millis(millis: f64) -> Option<Self> {
        const LAST: f64 = 9.2e12;
        (0.0..LAST).contains(&millis).then_some(Self((millis * 1e6) as i64))
    }

    /// As scripts have it.
    pub(crate) fn millis(self) -> f64 {
        self.0 as f64 / 1e6
    }

    pub(crate) fn from_stored(nanos: i64) -> Self {
        Self(nanos.max(0))
    }

    pub(crate) fn nanos(self) -> i64 {
        self.0
    }

    /// RFC 3339 in UTC, always with nine digits, so that the text sorts like the time.
    pub(crate) fn rfc3339(self) -> String {
        const FORMAT: &[BorrowedFormatItem<'_>] = format_description!(
            "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:9]Z"
        );
        self.format(FORMAT)
    }

    /// For people without scripts: the minute in UTC.
    pub(crate) fn minute(self) -> String {
        const FORMAT: &[BorrowedFormatItem<'_>] =
            format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
        self.format(FORMAT)
    }

    fn format(self, format: &[BorrowedFormatItem<'_>]) -> String {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0))
            .ok()
            .and_then(|time| time.format(format).ok())
            .unwrap_or_default()
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.rfc3339())
    }
}

/// The beginning of a text, of so many bytes at most.
pub(crate) fn beginning(text: &str, bytes: usize) -> &str {
    let ends = text.char_indices().map(|(at, char)| at + char.len_utf8());
    &text[..ends.take_while(|end| *end <= bytes).last().unwrap_or_default()]
}

/// A JSON value as a line of text: a string is itself, anything else is its JSON.
pub(crate) fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_nine_digits_and_a_z() {
        assert_eq!(
            Timestamp::from_stored(1_763_829_600_000_000_000).rfc3339(),
            "2025-11-22T16:40:00.000000000Z"
        );
        assert_eq!(Timestamp::from_stored(i64::MAX).rfc3339(), "2262-04-11T23:47:16.854775807Z");
        assert_eq!(Timestamp::from_unix_nanos(u64::MAX), None);
    }
}
