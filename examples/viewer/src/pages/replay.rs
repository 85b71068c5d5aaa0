//! What the player asks for: a session's tabs, what is in one, and its events.

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::blocking;
use crate::problem::Problem;
use crate::store::{Index, Store, now};

use super::api::OfSession;

pub(super) fn routes(store: Store) -> Router {
    Router::new()
        .route("/api/replay", get(tabs))
        .route("/api/replay/{tab}", get(index))
        .route("/api/replay/{tab}/events", get(events))
        .with_state(store)
}

async fn tabs(
    State(store): State<Store>,
    Query(of): Query<OfSession>,
) -> Result<Json<Value>, Problem> {
    let (tabs, version) = blocking(move || store.tabs(&of.session)).await?;
    Ok(Json(json!({ "now": now(), "version": version, "tabs": tabs })))
}

#[derive(Deserialize)]
struct After {
    session: String,
    /// The last ones that are known already.
    #[serde(default)]
    batch: i64,
    #[serde(default)]
    moment: i64,
}

async fn index(
    State(store): State<Store>,
    Path(tab): Path<String>,
    Query(after): Query<After>,
) -> Result<Json<Index>, Problem> {
    let index =
        blocking(move || store.tab_index(&after.session, &tab, (after.batch, after.moment)));
    index.await?.map(Json).ok_or_else(unknown_tab)
}

#[derive(Deserialize)]
struct Range {
    session: String,
    from: u32,
    to: u32,
}

/// Lines of JSON, one per batch: as many of the range as one answer holds.
async fn events(
    State(store): State<Store>,
    Path(tab): Path<String>,
    Query(range): Query<Range>,
) -> Result<Response, Problem> {
    let events =
        blocking(move || store.events(&range.session, &tab, (range.from, range.to))).await?;
    let lines = events.ok_or_else(unknown_tab)?;
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], lines).into_response())
}

fn unknown_tab() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "this session has no recording of this tab")
}
