//! The README's program for axum.

use std::error::Error;

use axum::extract::Request;
use axum::{Router, routing::get};
use opentelemetry::global;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_http::HeaderExtractor;
use opentelemetry_otlp::{LogExporter, SpanExporter};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::{BatchLogProcessor, SdkLoggerProvider};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use qorrelate_tower::opentelemetry_0_33::{SessionLogProcessor, SessionSampler};
use qorrelate_tower::{SessionFormat, SessionId, SessionIdLayer, SessionMakeSpan, Source};
use tower_http::trace::{MakeSpan as _, TraceLayer};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let resource = Resource::builder().with_service_name("my-api").build();
    let spans = SdkTracerProvider::builder()
        .with_resource(resource.clone())
        .with_sampler(SessionSampler::default()) // tags spans; or ::new(your own sampler)
        .with_batch_exporter(SpanExporter::builder().with_http().build()?)
        .build();
    let batches = BatchLogProcessor::builder(LogExporter::builder().with_http().build()?).build();
    let logs = SdkLoggerProvider::builder()
        .with_resource(resource)
        .with_log_processor(SessionLogProcessor::new(batches)) // tags log records
        .build();

    let to_spans = tracing_opentelemetry::layer().with_tracer(spans.tracer("my-api"));
    tracing_subscriber::registry()
        .with(EnvFilter::try_from_default_env().unwrap_or(EnvFilter::new("info")))
        .with(qorrelate_tower::carry_session(to_spans)) // tags what spawned tasks do
        .with(OpenTelemetryTracingBridge::new(&logs))
        .with(tracing_subscriber::fmt::layer().map_event_format(SessionFormat::new)) // tags lines
        .init();
    global::set_text_map_propagator(TraceContextPropagator::new());

    let app = Router::new().route("/hello", get(hello)).layer((
        SessionIdLayer::new().sources([Source::posthog()])?, // outermost; your line goes here
        TraceLayer::new_for_http().make_span_with(request_span),
    ));

    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8080".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await?;
    let stop = async { tokio::signal::ctrl_c().await.unwrap_or_default() };
    axum::serve(listener, app).with_graceful_shutdown(stop).await?;
    spans.shutdown().and(logs.shutdown())?; // sends what is still waiting
    Ok(())
}

/// The span of a request. If the caller sends `traceparent`, it continues the caller's trace.
fn request_span(request: &Request) -> tracing::Span {
    let span = SessionMakeSpan::new().make_span(request);
    let headers = HeaderExtractor(request.headers());
    let caller = global::get_text_map_propagator(|propagator| propagator.extract(&headers));
    let _ = span.set_parent(caller); // fails only if no layer makes OpenTelemetry spans
    span
}

async fn hello(session: Option<SessionId>) -> String {
    tracing::info!("saying hello");
    match session {
        Some(id) => format!("hello, session {id}\n"),
        None => "hello\n".to_owned(),
    }
}
