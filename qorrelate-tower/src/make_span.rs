//! The request span for tower-http's `TraceLayer`.

use http::Request;
use qorrelate_core::{ATTRIBUTE, SessionId};
use tower_http::trace::MakeSpan;
use tracing::field::Empty;
use tracing::{Level, Span};

/// Makes the request span of tower-http's `TraceLayer` declare `session.id`, so that `fmt` logs show
/// it on every line of the request.
///
/// If [`SessionIdLayer`](crate::SessionIdLayer) is outside the `TraceLayer`, the span has the ID from the
/// start. If it is inside, it fills the field in.
///
/// The other fields are those of the OpenTelemetry semantic conventions, "HTTP server span", that
/// are known when a request comes in: `http.request.method` and `url.path`; the exported span is
/// named by the method. The query is left out: it may hold secrets. `otel.name`, `http.route` and
/// `http.response.status_code` are declared for the app to record.
///
/// The span's target is that of tower-http's own, `tower_http::trace::make_span`: a filter such as
/// `RUST_LOG=my_app=info,tower_http=info` keeps it.
///
/// A `MakeSpan` of your own does the same if its span declares `session.id = tracing::field::Empty`
/// and it calls [`record_current_session`](crate::record_current_session).
///
/// # Example
///
/// ```
/// use axum::{Router, routing::get};
/// use qorrelate_tower::{SessionIdLayer, SessionMakeSpan};
/// use tower_http::trace::TraceLayer;
///
/// let app: Router = Router::new().route("/", get(|| async { "hello" })).layer((
///     SessionIdLayer::new(),
///     TraceLayer::new_for_http().make_span_with(SessionMakeSpan::new()),
/// ));
/// ```
#[derive(Debug, Clone)]
pub struct SessionMakeSpan {
    level: Level,
}

impl SessionMakeSpan {
    /// Spans of level `INFO`.
    #[must_use]
    pub const fn new() -> Self {
        Self { level: Level::INFO }
    }

    /// Spans of that level.
    ///
    /// ```
    /// # use qorrelate_tower::SessionMakeSpan;
    /// let make_span = SessionMakeSpan::new().level(tracing::Level::DEBUG);
    /// # let _ = make_span;
    /// ```
    #[must_use]
    pub const fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }
}

impl Default for SessionMakeSpan {
    fn default() -> Self {
        Self::new()
    }
}

impl<B> MakeSpan<B> for SessionMakeSpan {
    fn make_span(&mut self, request: &Request<B>) -> Span {
        // A span's level is part of its callsite, so each level needs a callsite of its own.
        macro_rules! span {
            ($level:expr) => {
                tracing::span!(
                    target: "tower_http::trace::make_span",
                    $level,
                    "request",
                    otel.kind = "server",
                    otel.name = %request.method(),
                    http.request.method = %request.method(),
                    http.response.status_code = Empty,
                    http.route = Empty,
                    url.path = request.uri().path(),
                    session.id = Empty,
                )
            };
        }
        let span = match self.level {
            Level::ERROR => span!(Level::ERROR),
            Level::WARN => span!(Level::WARN),
            Level::INFO => span!(Level::INFO),
            Level::DEBUG => span!(Level::DEBUG),
            Level::TRACE => span!(Level::TRACE),
        };
        match request.extensions().get::<SessionId>() {
            Some(id) => {
                span.record(ATTRIBUTE, id.as_str());
            }
            None => qorrelate_core::record_current_session(&span),
        }
        span
    }
}
