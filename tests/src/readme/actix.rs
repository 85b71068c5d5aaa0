//! The README's program for actix-web.

use std::error::Error;

use actix_web::{App, HttpServer, web};
use qorrelate_actix::{
    SessionFormat, SessionId, SessionIdMiddleware, SessionRootSpanBuilder, Source,
};
use tracing_actix_web::TracingLogger;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let lines = tracing_subscriber::fmt::layer().map_event_format(SessionFormat::new);
    tracing_subscriber::registry()
        .with(EnvFilter::try_from_default_env().unwrap_or(EnvFilter::new("info")))
        .with(qorrelate_actix::carry_session(lines))
        .init();

    let sessions = SessionIdMiddleware::new().sources([Source::posthog()])?; // your line goes here
    let server = HttpServer::new(move || {
        App::new()
            .route("/hello", web::get().to(hello))
            .wrap(TracingLogger::<SessionRootSpanBuilder>::new())
            .wrap(sessions.clone()) // wrapped last: outermost
    });
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8080".to_owned());
    server.bind(address)?.run().await?;
    Ok(())
}

async fn hello(session: Option<SessionId>) -> String {
    tracing::info!("saying hello");
    match session {
        Some(id) => format!("hello, session {id}\n"),
        None => "hello\n".to_owned(),
    }
}
