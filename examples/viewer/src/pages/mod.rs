//! What people and scripts ask for: the pages, and the same as JSON.

mod api;
mod list;
mod replay;
mod session;
mod stage;
mod waterfall;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::ViewerError;
use crate::problem::Problem;
use crate::replay_script;
use crate::store::Store;

/// Everything that is not unreserved in a URL (RFC 3986): a session ID may contain `/`, `:`, `+` and `=`.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub(crate) fn routes(store: Store, storefront: Option<&str>) -> Router {
    let api = api::routes(store.clone()).merge(replay::routes(store.clone()));
    let pages = Pages { store, storefront: storefront.map(Into::into) };
    let css = || async { asset("text/css", include_str!("../../assets/viewer.css")) };
    let list = || async { asset("text/javascript", include_str!("../../assets/list.js")) };
    let session = || async { asset("text/javascript", include_str!("../../assets/session.js")) };
    let live = || async { asset("text/javascript", include_str!("../../assets/live.js")) };
    let axis = || async { asset("text/javascript", include_str!("../../assets/axis.js")) };
    let beside = || async { asset("text/javascript", include_str!("../../assets/beside.js")) };
    let watch = || async { asset("text/javascript", include_str!("../../assets/watch.js")) };
    let player = || async { asset("text/javascript", replay_script::PLAYER) };
    Router::new()
        .merge(list::routes())
        .merge(session::routes())
        .with_state(pages)
        .route("/assets/viewer.css", get(css))
        .route("/assets/list.js", get(list))
        .route("/assets/session.js", get(session))
        .route("/assets/live.js", get(live))
        .route("/assets/axis.js", get(axis))
        .route("/assets/beside.js", get(beside))
        .route("/assets/watch.js", get(watch))
        .route("/assets/player.js", get(player))
        .merge(stage::routes())
        .merge(api)
        .fallback(|| async { Problem::new(StatusCode::NOT_FOUND, "there is nothing here") })
}

#[derive(Clone)]
struct Pages {
    store: Store,
    storefront: Option<Arc<str>>,
}

fn escape(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// `.` and `..` can't be the end of a path: browsers take them out, however they are written.
fn session_link(session_id: &str) -> String {
    match session_id {
        "." | ".." => format!("/sessions?id={session_id}"),
        _ => format!("/sessions/{}", escape(session_id)),
    }
}

fn html(status: StatusCode, page: &impl Template) -> Result<Response, Problem> {
    let page = page.render().map_err(ViewerError::from)?;
    Ok((status, [(CACHE_CONTROL, "no-store")], Html(page)).into_response())
}

fn asset(content_type: &'static str, text: &'static str) -> Response {
    let headers = [(CONTENT_TYPE, content_type), (CACHE_CONTROL, "no-cache")];
    (headers, text).into_response()
}
