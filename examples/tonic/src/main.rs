//! The smallest tonic service whose log lines, spans and log records carry the session of each call,
//! also while it streams.
//!
//! `cargo run -p example-tonic [PORT]`, then, as curl speaks no gRPC,
//! `cargo run -p example-tonic call [PORT]`
//!
//! The service is gRPC's own `grpc.health.v1.Health`, because its generated code comes with
//! tonic-health and needs no `protoc`; what it answers is made up here.

use std::error::Error;
use std::io::{self, IsTerminal as _};
use std::pin::Pin;
use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::{SdkLoggerProvider, SimpleLogProcessor};
use opentelemetry_sdk::trace::SdkTracerProvider;
use qorrelate_tower::opentelemetry_0_33::{SessionLogProcessor, SessionSampler};
use qorrelate_tower::{SessionFormat, SessionIdLayer, SessionMakeSpan, carry_session};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_stream::{Stream, StreamExt as _};
use tonic::metadata::MetadataValue;
use tonic::transport::{Endpoint, Server};
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tower_http::trace::TraceLayer;
use tracing::{info, instrument};
use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

const DEFAULT_PORT: u16 = 3012;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1).peekable();
    let is_call = args.next_if(|arg| arg == "call").is_some();
    let port = args.next().map_or(Ok(DEFAULT_PORT), |port| port.parse())?;
    if is_call { call(port).await } else { serve(port).await }
}

async fn serve(port: u16) -> Result<(), Box<dyn Error>> {
    set_up_telemetry()?;

    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    eprintln!("listening on http://{}", listener.local_addr()?);
    Server::builder()
        // The first layer of a tonic server is the outermost: the session is known before the call's
        // span starts. It is sent back in the response's metadata, where the client can see it.
        .layer(SessionIdLayer::new().response_header("x-session-id")?)
        // Makes the span of each call. `SessionMakeSpan` declares the field `session.id` in it, so
        // that the log lines on stderr show it.
        .layer(TraceLayer::new_for_grpc().make_span_with(SessionMakeSpan::new()))
        .add_service(HealthServer::new(Shop))
        .serve_with_incoming(TcpListenerStream::new(listener))
        .await?;
    Ok(())
}

struct Shop;

#[tonic::async_trait]
impl Health for Shop {
    async fn check(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        look();
        Ok(Response::new(answer(ServingStatus::Serving)))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn watch(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        use ServingStatus::{NotServing, Serving};

        // This runs long after `watch` returned: whenever the client is sent a message.
        let statuses = tokio_stream::iter([Serving, NotServing, Serving])
            .throttle(Duration::from_millis(200))
            .map(|status| {
                info!(status = status.as_str_name(), "sending a status");
                Ok(answer(status))
            });
        Ok(Response::new(Box::pin(statuses)))
    }
}

/// A span of our own, and a log line in it: neither mentions the session, both carry it.
#[instrument]
fn look() {
    info!("the shop is open");
}

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

/// The client: two calls in a session, and one in none.
async fn call(port: u16) -> Result<(), Box<dyn Error>> {
    let server = Endpoint::from_shared(format!("http://127.0.0.1:{port}"))?;
    let mut client = HealthClient::new(server.connect().await?);

    let response = client.check(in_session(HealthCheckRequest::default())).await?;
    println!("Check, session {}: {}", session(&response), status(response.get_ref()));

    let response = client.watch(in_session(HealthCheckRequest::default())).await?;
    println!("Watch, session {}:", session(&response));
    let mut messages = response.into_inner();
    while let Some(message) = messages.message().await? {
        println!("    {}", status(&message));
    }

    let response = client.check(HealthCheckRequest::default()).await?;
    println!("Check, session {}: {}", session(&response), status(response.get_ref()));
    Ok(())
}

fn in_session<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("x-session-id", MetadataValue::from_static("abc-123-xyz"));
    request
}

/// What the server says the session is.
fn session<T>(response: &Response<T>) -> &str {
    let id = response.metadata().get("x-session-id");
    id.and_then(|id| id.to_str().ok()).unwrap_or("none")
}

fn status(response: &HealthCheckResponse) -> &'static str {
    response.status().as_str_name()
}

/// Log lines go to stderr. Spans and log records go to stdout, as OpenTelemetry exports them: in an
/// app of your own, to your collector.
fn set_up_telemetry() -> Result<(), TryInitError> {
    let resource = Resource::builder().with_service_name("example-tonic").build();
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
                .with_tracer(spans.tracer("example-tonic"))
                // Less to read on stdout; for no other reason.
                .with_location(false)
                .with_threads(false)
                .with_tracked_inactivity(false),
        ))
        .with(OpenTelemetryTracingBridge::new(&logs))
        .try_init()
}
