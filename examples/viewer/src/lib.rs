//! The viewer: receives OTLP and recordings of pages over HTTP, keeps them, and shows what belongs to one session.
//!
//! It is not instrumented: a viewer that reported on itself would have something to receive for ever.

mod clock;
mod guard;
mod ingest;
mod model;
mod pages;
mod problem;
mod reader;
mod recording;
mod replay_script;
mod serve;
mod store;

use std::time::Duration;

use axum::http::HeaderValue;
use axum::http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::{Router, middleware};
use tower_http::compression::CompressionLayer;
use tower_http::set_header::SetResponseHeaderLayer;

pub use self::ingest::{Org, OrgError, Orgs};
pub use self::serve::{Patience, serve};
pub use self::store::{Retention, Store, StoreError};

/// What came over the wire is escaped; should that ever fail, nothing but our own files may run.
const CONTENT_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; \
     frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);

/// The whole viewer, which takes recordings of the organisations' pages; if there is a `storefront`, its empty pages
/// send people there.
pub fn app(store: Store, storefront: Option<&str>, orgs: Orgs) -> Router {
    let header = |name, value| SetResponseHeaderLayer::overriding(name, value);
    let pages = pages::routes(store.clone(), storefront)
        .layer(CompressionLayer::new())
        .layer(SetResponseHeaderLayer::if_not_present(CONTENT_SECURITY_POLICY, CONTENT_POLICY));
    let (telemetry, recordings) = ingest::routes(store, orgs);
    telemetry
        .merge(pages)
        .layer(middleware::from_fn(guard::own_pages))
        // Up to here, other origins are refused.
        .merge(recordings)
        .merge(replay_script::routes())
        .layer(middleware::map_response(problem::documents))
        .layer(middleware::from_fn(guard::loopback_names))
        .layer(header(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")))
        .layer(header(REFERRER_POLICY, HeaderValue::from_static("no-referrer")))
}

/// Deletes what has had its time, a little at a time, for as long as it is polled.
pub async fn clean(store: Store) {
    const PAUSE: Duration = Duration::from_secs(30);
    const BREATH: Duration = Duration::from_millis(20);
    loop {
        let more = blocking({
            let store = store.clone();
            move || store.clean_step()
        })
        .await;
        // What failed now may succeed later.
        tokio::time::sleep(if matches!(more, Ok(true)) { BREATH } else { PAUSE }).await;
    }
}

#[derive(Debug, thiserror::Error)]
enum ViewerError {
    #[error("the store failed: {0}")]
    Store(#[from] StoreError),
    #[error("a query was abandoned")]
    Abandoned(#[from] tokio::task::JoinError),
    #[error("a page could not be written: {0}")]
    Page(#[from] askama::Error),
}

/// SQLite waits for disks and locks: it does so away from the threads that answer requests.
async fn blocking<T: Send + 'static>(
    query: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, ViewerError> {
    Ok(tokio::task::spawn_blocking(query).await??)
}
