use actix_web::http::StatusCode;
use actix_web::middleware::Condition;
use actix_web::{App, Error, HttpRequest, HttpResponse, error, web};
use opentelemetry_instrumentation_actix_web::RequestTracing;
use qorrelate_actix::{SessionIdMiddleware, SessionRootSpanBuilder};
use tracing_actix_web::TracingLogger;

use super::cells::{self, Reply};
use super::{Order, Peer, SetUp, Stack};
use crate::serve_actix;
use crate::server::Server;

pub(super) fn serve(stack: Stack, set_up: SetUp) -> Server {
    let middleware = SessionIdMiddleware::new()
        .opentelemetry_0_33_context(set_up.context)
        .tag_current_span(stack.is_inside_of_tracing())
        .tag_opentelemetry_0_33_span(stack.is_inside_of_opentelemetry());
    // Each peer makes another type of app.
    macro_rules! serve_with {
        ($($peer:expr)?) => {{
            let middleware = middleware.clone();
            serve_actix!(move || {
                App::new()
                    .route("/{session}/{cell}", web::get().to(handler))
                    .wrap(Condition::new(stack.order == Order::Inside, middleware.clone()))
                    $(.wrap($peer))?
                    .wrap(Condition::new(
                        stack.order == Order::Outermost,
                        middleware.clone(),
                    ))
            })
        }};
    }
    match stack.peer {
        Peer::TracingLogger => serve_with!(TracingLogger::default()),
        Peer::TracingLoggerWithRootSpan => {
            serve_with!(TracingLogger::<SessionRootSpanBuilder>::new())
        }
        Peer::RequestTracing => serve_with!(RequestTracing::new()),
        _ => serve_with!(),
    }
}

async fn handler(request: HttpRequest) -> Result<HttpResponse, Error> {
    let marker = request.path().trim_start_matches('/').parse().unwrap();
    match cells::handle(marker).await {
        Reply::Done => Ok(HttpResponse::Ok().finish()),
        Reply::Failed => {
            Err(error::InternalError::new("failed", StatusCode::SERVICE_UNAVAILABLE).into())
        }
        Reply::Body(chunks) => Ok(HttpResponse::Ok().streaming(chunks)),
    }
}
