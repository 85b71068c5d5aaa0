//! The list of sessions: searched, filtered, a page at a time.

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use time::format_description::well_known::Rfc3339;
use time::{Date, OffsetDateTime};

use crate::blocking;
use crate::model::{Summary, Timestamp};
use crate::problem::Problem;
use crate::store::{self, Untagged};

use super::{Pages, escape, html, session_link};

pub(super) fn routes() -> Router<Pages> {
    Router::new().route("/", get(sessions))
}

/// The query of the list's URL.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Search {
    q: String,
    errors: String,
    replay: String,
    clicks: String,
    slow: String,
    /// Seconds.
    min: String,
    /// A day, or RFC 3339.
    from: String,
    to: String,
    after: String,
}

impl Search {
    pub(super) fn query(&self) -> Result<store::Query, Problem> {
        let min_seconds = match self.min.trim() {
            "" => 0.0,
            text => text
                .parse()
                .ok()
                .filter(|seconds: &f64| seconds.is_finite())
                .ok_or_else(|| bad("min", "a number of seconds"))?,
        };
        Ok(store::Query {
            text: self.q.trim().to_owned(),
            errors: !self.errors.is_empty(),
            replay: !self.replay.is_empty(),
            clicks: !self.clicks.is_empty(),
            slow: !self.slow.is_empty(),
            min_nanos: (min_seconds * 1e9) as i64,
            from: time("from", &self.from, false)?,
            to: time("to", &self.to, true)?,
            after: match self.after.split_once('.') {
                None if self.after.is_empty() => None,
                Some((last, id)) => match (last.parse(), id.parse()) {
                    (Ok(last), Ok(id)) => Some((last, id)),
                    _ => return Err(bad("after", "what a page gave")),
                },
                None => return Err(bad("after", "what a page gave")),
            },
        })
    }

    /// The same search, from another session on.
    pub(super) fn link(&self, path: &str, after: (i64, i64)) -> String {
        let mut link = format!("{path}?after={}.{}", after.0, after.1);
        for (name, value) in self.given() {
            link.push_str(&format!("&{name}={}", escape(value)));
        }
        link
    }

    fn is_everything(&self) -> bool {
        self.given().next().is_none()
    }

    fn given(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [
            ("q", &self.q),
            ("errors", &self.errors),
            ("replay", &self.replay),
            ("clicks", &self.clicks),
            ("slow", &self.slow),
            ("min", &self.min),
            ("from", &self.from),
            ("to", &self.to),
        ];
        all.into_iter()
            .map(|(name, value)| (name, value.as_str()))
            .filter(|(_, value)| !value.is_empty())
    }
}

fn bad(name: &str, wanted: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, format!("`{name}` is not {wanted}"))
}

/// A day counts whole, in UTC.
fn time(name: &str, text: &str, end: bool) -> Result<Option<Timestamp>, Problem> {
    const DAY: &[time::format_description::BorrowedFormatItem<'_>] =
        time::macros::format_description!("[year]-[month]-[day]");
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let time = match Date::parse(text, DAY) {
        Ok(day) if end => day.next_day().unwrap_or(day).midnight().assume_utc(),
        Ok(day) => day.midnight().assume_utc(),
        Err(_) => OffsetDateTime::parse(text, &Rfc3339)
            .map_err(|_| bad(name, "a day like 2026-11-24 or an RFC 3339 time"))?,
    };
    let nanos = i64::try_from(time.unix_timestamp_nanos()).unwrap_or(i64::MAX);
    Ok(Some(Timestamp::from_stored(nanos)))
}

#[derive(Template)]
#[template(path = "sessions.html")]
struct SessionsPage<'a> {
    storefront: Option<&'a str>,
    search: &'a str,
    query: &'a Search,
    everything: bool,
    version: i64,
    sessions: &'a [Listed],
    next: Option<String>,
    untagged: Untagged,
}

struct Listed {
    summary: Summary,
    link: String,
    /// What in the page is worth a look.
    marks: Vec<String>,
}

fn marks(summary: &Summary) -> Vec<String> {
    let count = |count: u64, one: &str, many: &str| match count {
        0 => None,
        1 => Some(one.to_owned()),
        _ => Some(format!("{count} {many}")),
    };
    let twice = summary.repeated_within_ms.map(|within| format!("clicked twice in {within} ms"));
    [
        twice,
        count(summary.dead_clicks, "a dead click", "dead clicks"),
        count(summary.messages, "a message came and went", "messages came and went"),
        count(summary.slow_frames, "a slow frame", "slow frames"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

async fn sessions(
    State(pages): State<Pages>,
    Query(search): Query<Search>,
) -> Result<Response, Problem> {
    let query = search.query()?;
    let (found, untagged) =
        blocking(move || Ok((pages.store.sessions(&query)?, pages.store.untagged()?))).await?;
    let sessions: Vec<Listed> = found
        .sessions
        .into_iter()
        .map(|summary| Listed {
            link: session_link(&summary.session_id),
            marks: marks(&summary),
            summary,
        })
        .collect();
    html(
        StatusCode::OK,
        &SessionsPage {
            storefront: pages.storefront.as_deref(),
            search: search.q.trim(),
            everything: search.is_everything(),
            version: found.version,
            sessions: &sessions,
            next: found.next.map(|after| search.link("/", after)),
            query: &search,
            untagged,
        },
    )
}
