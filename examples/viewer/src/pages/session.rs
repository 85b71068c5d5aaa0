//! One session's page: a frame, which its script fills with what comes into view.

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use serde::Deserialize;

use crate::blocking;
use crate::problem::Problem;
use crate::replay_script;

use super::{Pages, escape, html, session_link};

pub(super) fn routes() -> Router<Pages> {
    Router::new()
        .route("/sessions", get(by_query))
        .route("/sessions/{*session_id}", get(by_path))
        .route("/traces/{trace_id}", get(trace))
}

#[derive(Template)]
#[template(path = "session.html")]
struct SessionPage<'a> {
    storefront: Option<&'a str>,
    search: &'a str,
    session_id: &'a str,
    json: String,
    known: bool,
    recorded: bool,
    /// Why nothing can be played.
    no_replay: Option<&'static str>,
}

async fn by_path(
    State(pages): State<Pages>,
    Path(session_id): Path<String>,
) -> Result<Response, Problem> {
    session(pages, session_id).await
}

#[derive(Deserialize)]
struct Id {
    id: Option<String>,
}

async fn by_query(State(pages): State<Pages>, Query(id): Query<Id>) -> Result<Response, Problem> {
    match id.id {
        Some(session_id) => session(pages, session_id).await,
        None => Ok(Redirect::permanent("/").into_response()),
    }
}

async fn session(pages: Pages, session_id: String) -> Result<Response, Problem> {
    let summary = blocking({
        let (store, session_id) = (pages.store.clone(), session_id.clone());
        move || store.summary(&session_id)
    })
    .await?;
    let known = summary.is_some();
    let status = if known { StatusCode::OK } else { StatusCode::NOT_FOUND };
    html(
        status,
        &SessionPage {
            storefront: pages.storefront.as_deref(),
            search: "",
            session_id: &session_id,
            json: format!("/api/sessions/{}", escape(&session_id)),
            known,
            recorded: summary.is_some_and(|summary| summary.batches > 0),
            no_replay: replay_script::why_unavailable(),
        },
    )
}

async fn trace(
    State(pages): State<Pages>,
    Path(trace_id): Path<String>,
) -> Result<Response, Problem> {
    let trace_id = trace_id.to_ascii_lowercase();
    let found = blocking({
        let trace_id = trace_id.clone();
        move || {
            let Some(session_id) = pages.store.session_of_trace(&trace_id)? else {
                return Ok(None);
            };
            let moment = pages.store.moment_of_trace(&session_id, &trace_id)?;
            Ok(Some((session_id, moment)))
        }
    })
    .await?;
    match found {
        Some((session_id, moment)) => {
            let (link, trace_id) = (session_link(&session_id), escape(&trace_id));
            let link = match moment {
                Some((tab, millis)) => {
                    let and = if link.contains('?') { '&' } else { '?' };
                    format!("{link}{and}tab={tab}&t={:.3}&trace={trace_id}", millis / 1e3)
                }
                None => format!("{link}#trace-{trace_id}"),
            };
            Ok(Redirect::to(&link).into_response())
        }
        None => Err(Problem::new(StatusCode::NOT_FOUND, "no session has part of this trace")),
    }
}
