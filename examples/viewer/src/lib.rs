//! The viewer: receives OTLP over HTTP, keeps it, and shows what belongs to one session.
//!
//! It is not instrumented: a viewer that reported on itself would have something to receive for ever.

mod ingest;
mod model;
mod pages;
mod store;

use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_SECURITY_POLICY, X_CONTENT_TYPE_OPTIONS};
use tower_http::set_header::SetResponseHeaderLayer;

pub use self::store::{Store, StoreError};

/// What came over the wire is escaped; should that ever fail, nothing but our own files may run.
const CONTENT_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);

/// The whole viewer; if there is a `storefront`, its empty pages send people there.
pub fn app(store: Store, storefront: Option<&str>) -> Router {
    let pages = pages::routes(store.clone(), storefront)
        .layer(SetResponseHeaderLayer::overriding(CONTENT_SECURITY_POLICY, CONTENT_POLICY))
        .layer(SetResponseHeaderLayer::overriding(
            X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ));
    ingest::routes(store).merge(pages)
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
