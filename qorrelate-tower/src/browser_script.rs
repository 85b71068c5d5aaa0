//! Serving the script for browsers.

use http::{HeaderName, HeaderValue, Response, header};

/// Answers with the script for pages whose recorder sends no session ID: an axum handler.
///
/// What the page says to it is in the [script's own documentation](https://docs.rs/crate/qorrelate-core/latest/source/browser/README.md).
/// A browser keeps it for an hour.
///
/// # Example
///
/// ```
/// # #[cfg(feature = "axum")]
/// # {
/// use axum::{Router, routing::get};
/// use qorrelate_tower::browser_script;
///
/// // <script src="/qorrelate.js"></script>
/// let app: Router = Router::new().route("/qorrelate.js", get(browser_script));
/// # }
/// ```
#[allow(clippy::unused_async, reason = "a handler is async")]
pub async fn browser_script() -> Response<String> {
    let mut response = Response::new(qorrelate_core::BROWSER_SCRIPT.to_owned());
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

const HEADERS: [(HeaderName, &str); 3] = [
    (header::CONTENT_TYPE, "text/javascript; charset=utf-8"),
    (header::CACHE_CONTROL, "public, max-age=3600"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
];
