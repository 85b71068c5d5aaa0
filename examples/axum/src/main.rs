//! The smallest axum app whose log lines, spans and log records carry the session of each request.
//!
//! `cargo run -p example-axum [PORT]`, then
//! `curl -H 'X-Session-ID: abc-123-xyz' http://127.0.0.1:3010/hello`

use std::error::Error;
use std::io::{self, IsTerminal as _};

use axum::Router;
use axum::routing::get;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::{SdkLoggerProvider, SimpleLogProcessor};
use opentelemetry_sdk::trace::SdkTracerProvider;
use qorrelate_tower::opentelemetry_0_33::{SessionLogProcessor, SessionSampler};
use qorrelate_tower::{SessionFormat, SessionId, SessionIdLayer, SessionMakeSpan, carry_session};
use tokio::net::TcpListener;
use tower_http::trace::TraceLayer;
use tracing::{info, instrument};
use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

const DEFAULT_PORT: u16 = 3010;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    set_up_telemetry()?;

    let app = Router::new().route("/hello", get(hello)).layer((
        // The first is the outermost: the session is known before the request's span starts.
        SessionIdLayer::new(),
        // Makes the span of each request. `SessionMakeSpan` declares the field `session.id` in it,
        // so that the log lines on stderr show it.
        TraceLayer::new_for_http().make_span_with(SessionMakeSpan::new()),
    ));

    let port = std::env::args().nth(1).map_or(Ok(DEFAULT_PORT), |port| port.parse())?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    eprintln!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}

/// With `SessionId` in place of `Option<SessionId>`, a request without a session is answered 400.
async fn hello(session: Option<SessionId>) -> String {
    let greeting = greeting();
    match session {
        Some(id) => format!("{greeting}, session {id}\n"),
        None => format!("{greeting}, whoever you are\n"),
    }
}

/// A span of our own, and a log line in it: neither mentions the session, both carry it.
#[instrument]
fn greeting() -> &'static str {
    info!("choosing a greeting");
    "hello"
}

/// Log lines go to stderr. Spans and log records go to stdout, as OpenTelemetry exports them: in an
/// app of your own, to your collector.
fn set_up_telemetry() -> Result<(), TryInitError> {
    let resource = Resource::builder().with_service_name("example-axum").build();
    let spans = SdkTracerProvider::builder()
        .with_resource(resource.clone())
        // Decides as the sampler in it does, and tags what is sampled with `session.id`.
        .with_sampler(SessionSampler::default())
        .with_simple_exporter(opentelemetry_stdout::SpanExporter::default())
        .build();
    let logs = SdkLoggerProvider::builder()
        .with_resource(resource)
        // Around the processor that exports: it tags each record on its way there.
        .with_log_processor(SessionLogProcessor::new(SimpleLogProcessor::new(
            opentelemetry_stdout::LogExporter::default(),
        )))
        .build();

    let what = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into());
    tracing_subscriber::registry()
        .with(what.from_env_lossy())
        .with(
            fmt::layer()
                .with_writer(io::stderr)
                .with_ansi(io::stderr().is_terminal())
                .map_event_format(SessionFormat::new),
        )
        // Around the layer for OpenTelemetry: each span keeps its session, in spawned tasks too.
        .with(carry_session(
            tracing_opentelemetry::layer()
                .with_tracer(spans.tracer("example-axum"))
                // Less to read on stdout; for no other reason.
                .with_location(false)
                .with_threads(false)
                .with_tracked_inactivity(false),
        ))
        .with(OpenTelemetryTracingBridge::new(&logs))
        .try_init()
}
