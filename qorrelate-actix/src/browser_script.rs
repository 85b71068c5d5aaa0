//! Serving the script for browsers.

use actix_web::HttpResponse;
use actix_web::http::header;

/// Answers with the script for pages whose recorder sends no session ID: a handler.
///
/// What the page says to it is in the [script's own documentation](https://docs.rs/crate/qorrelate-core/latest/source/browser/README.md).
/// A browser keeps it for an hour.
///
/// # Example
///
/// ```
/// use actix_web::{App, web};
/// use qorrelate_actix::browser_script;
///
/// // <script src="/qorrelate.js"></script>
/// let app = App::new().route("/qorrelate.js", web::get().to(browser_script));
/// # let _ = app;
/// ```
#[allow(clippy::unused_async, reason = "a handler is async")]
pub async fn browser_script() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/javascript; charset=utf-8"))
        .insert_header((header::CACHE_CONTROL, "public, max-age=3600"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(qorrelate_core::BROWSER_SCRIPT)
}
