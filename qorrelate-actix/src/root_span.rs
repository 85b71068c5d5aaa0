//! The request span for tracing-actix-web's `TracingLogger`.

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use tracing::Span;
use tracing::field::Empty;
use tracing_actix_web::{DefaultRootSpanBuilder, RootSpanBuilder};

/// Makes the request span of tracing-actix-web's `TracingLogger` declare `session.id`, so that `fmt`
/// logs show it on every line of the request. Everything else is as `DefaultRootSpanBuilder` has it.
///
/// If [`SessionIdMiddleware`](crate::SessionIdMiddleware) is outside the `TracingLogger`, the span has the ID
/// from the start. If it is inside, it fills the field in.
///
/// That includes `http.target`, which shows the whole query: a session ID that is sent in a query
/// parameter, well-formed or not, is shown there by tracing-actix-web itself.
///
/// A builder of your own does the same with
/// `root_span!(request, session.id = tracing::field::Empty)` and
/// [`record_current_session`](crate::record_current_session).
///
/// # Example
///
/// ```
/// use actix_web::{App, web};
/// use qorrelate_actix::{SessionIdMiddleware, SessionRootSpanBuilder};
/// use tracing_actix_web::TracingLogger;
///
/// let app = App::new()
///     .route("/", web::get().to(|| async { "hello" }))
///     .wrap(TracingLogger::<SessionRootSpanBuilder>::new())
///     .wrap(SessionIdMiddleware::new());
/// # let _ = app;
/// ```
#[derive(Debug, Clone, Copy)]
pub struct SessionRootSpanBuilder;

impl RootSpanBuilder for SessionRootSpanBuilder {
    fn on_request_start(request: &ServiceRequest) -> Span {
        let span = tracing_actix_web::root_span!(request, session.id = Empty);
        qorrelate_core::record_current_session(&span);
        span
    }

    fn on_request_end<B: MessageBody>(span: Span, outcome: &Result<ServiceResponse<B>, Error>) {
        DefaultRootSpanBuilder::on_request_end(span, outcome);
    }
}
