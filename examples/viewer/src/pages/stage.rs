//! The stage: a frame of the session's page in which a recording is played. A recording is input from strangers.
//!
//! The stage's document may load its own script and nothing else; it can't even fetch. rrweb rebuilds the recorded page
//! in a frame of its own within it, which has the same policy and a sandbox without scripts. Recorded pages have
//! styles of all kinds, so they alone are allowed here, and only here.

use askama::Template;
use axum::Router;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use crate::problem::Problem;
use crate::replay_script;

use super::html;

const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src data:; font-src data:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox allow-scripts allow-same-origin",
);

pub(super) fn routes() -> Router {
    Router::new().route("/stage", get(stage))
}

#[derive(Template)]
#[template(path = "stage.html")]
struct Stage {
    css: &'static str,
}

async fn stage() -> Result<Response, Problem> {
    let page = html(StatusCode::OK, &Stage { css: replay_script::PLAYER_STYLE })?;
    Ok(([(CONTENT_SECURITY_POLICY, POLICY)], page).into_response())
}
