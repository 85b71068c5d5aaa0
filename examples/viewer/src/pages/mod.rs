//! The viewer's pages: the list of sessions, and one session as a waterfall.

mod api;
mod waterfall;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::model::Summary;
use crate::store::{Store, Untagged};
use crate::{ViewerError, blocking};

use self::api::Search;
use self::waterfall::{Row, Waterfall};

/// More than anybody scrolls through: beyond it there is the search.
const LISTED: usize = 200;

/// Everything that is not unreserved in a URL (RFC 3986): a session ID may contain `/`, `:`, `+` and `=`.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub(crate) fn routes(store: Store, storefront: Option<&str>) -> Router {
    let api = api::routes(store.clone());
    Router::new()
        .route("/", get(sessions))
        .route("/sessions", get(|| async { Redirect::permanent("/") }))
        .route("/sessions/{*session_id}", get(session))
        .route(
            "/assets/viewer.css",
            get(|| async { asset("text/css", include_str!("../../assets/viewer.css")) }),
        )
        .route(
            "/assets/live.js",
            get(|| async { asset("text/javascript", include_str!("../../assets/live.js")) }),
        )
        .with_state(Pages { store, storefront: storefront.map(Into::into) })
        .merge(api)
}

#[derive(Clone)]
struct Pages {
    store: Store,
    storefront: Option<std::sync::Arc<str>>,
}

#[derive(Template)]
#[template(path = "sessions.html")]
struct SessionsPage<'a> {
    storefront: Option<&'a str>,
    search: &'a str,
    poll: String,
    sessions: &'a [Listed],
    more: usize,
    untagged: Untagged,
}

struct Listed {
    summary: Summary,
    link: String,
}

#[derive(Template)]
#[template(path = "session.html")]
struct SessionPage<'a> {
    storefront: Option<&'a str>,
    search: &'a str,
    session_id: &'a str,
    json: String,
    poll: String,
    spans: usize,
    logs: usize,
    waterfall: Waterfall,
}

#[derive(Template)]
#[template(path = "unknown_session.html")]
struct UnknownSessionPage<'a> {
    storefront: Option<&'a str>,
    search: &'a str,
    session_id: &'a str,
    poll: String,
}

async fn sessions(
    State(pages): State<Pages>,
    Query(search): Query<Search>,
) -> Result<Response, PageError> {
    let search = search.q.trim().to_owned();
    let (found, untagged) = blocking({
        let search = search.clone();
        move || Ok((pages.store.sessions(&search)?, pages.store.untagged()?))
    })
    .await?;
    let more = found.len().saturating_sub(LISTED);
    let sessions: Vec<Listed> = found
        .into_iter()
        .take(LISTED)
        .map(|summary| Listed { link: session_link(&summary.session_id), summary })
        .collect();
    html(
        StatusCode::OK,
        &SessionsPage {
            storefront: pages.storefront.as_deref(),
            search: &search,
            poll: list_link(&search),
            sessions: &sessions,
            more,
            untagged,
        },
    )
}

async fn session(
    State(pages): State<Pages>,
    Path(session_id): Path<String>,
) -> Result<Response, PageError> {
    let found = blocking({
        let session_id = session_id.clone();
        move || pages.store.session(&session_id)
    })
    .await?;
    let poll = list_link(&session_id);
    match found {
        Some(session) => html(
            StatusCode::OK,
            &SessionPage {
                storefront: pages.storefront.as_deref(),
                search: "",
                session_id: &session_id,
                json: format!("/api{}", session_link(&session_id)),
                poll,
                spans: session.spans.len(),
                logs: session.logs.len(),
                waterfall: waterfall::lay_out(&session),
            },
        ),
        None => html(
            StatusCode::NOT_FOUND,
            &UnknownSessionPage {
                storefront: pages.storefront.as_deref(),
                search: "",
                session_id: &session_id,
                poll,
            },
        ),
    }
}

fn session_link(session_id: &str) -> String {
    format!("/sessions/{}", utf8_percent_encode(session_id, ESCAPED))
}

/// What a page asks for to learn whether it is out of date: small, and different after every arrival.
fn list_link(search: &str) -> String {
    format!("/api/sessions?q={}", utf8_percent_encode(search, ESCAPED))
}

fn html(status: StatusCode, page: &impl Template) -> Result<Response, PageError> {
    let page = page.render().map_err(ViewerError::from)?;
    Ok((status, [(CACHE_CONTROL, "no-store")], Html(page)).into_response())
}

fn asset(content_type: &'static str, text: &'static str) -> Response {
    let headers = [(CONTENT_TYPE, content_type), (CACHE_CONTROL, "no-cache")];
    (headers, text).into_response()
}

#[derive(Debug)]
struct PageError(ViewerError);

impl From<ViewerError> for PageError {
    fn from(error: ViewerError) -> Self {
        Self(error)
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, format!("{}\n", self.0)).into_response()
    }
}
