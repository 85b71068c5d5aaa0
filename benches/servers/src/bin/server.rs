//! One server on one thread, that says hello: `server <axum|actix> <bare|session|request-id|nothing>
//! [<OTLP URL>]`.
//!
//! It prints its address. With a URL it makes a span and a log record of each request, and sends them
//! there in batches; that is so for all, and with `session` they are tagged too. `nothing` has a layer, or
//! middleware, that does nothing: what is left is what the framework does for each one.

use std::error::Error;

use actix_web::middleware::Identity;
use actix_web::{App, HttpServer, web};
use actix_web_correlation_id::Correlation;
use axum::Router;
use axum::routing::get;
use http::HeaderName;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_otlp::{LogExporter, SpanExporter, WithExportConfig};
use opentelemetry_sdk::logs::{BatchLogProcessor, SdkLoggerProvider};
use opentelemetry_sdk::trace::SdkTracerProvider;
use qorrelate_actix::SessionIdMiddleware;
use qorrelate_tower::SessionIdLayer;
use qorrelate_tower::opentelemetry_0_33::{SessionLogProcessor, SessionSampler};
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::trace::TraceLayer;
use tracing_actix_web::TracingLogger;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const SESSION: &str = "x-session-id";

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let (framework, variant, otlp) = match args.as_slice() {
        [framework, variant] => (*framework, *variant, None),
        [framework, variant, otlp] => (*framework, *variant, Some(*otlp)),
        _ => return Err("see the top of the source for the usage".into()),
    };
    if let Some(url) = otlp {
        export(url, variant == "session")?;
    }
    match framework {
        "axum" => serve_axum(variant, otlp.is_some()),
        "actix" => serve_actix(variant, otlp.is_some()),
        _ => Err(format!("no framework: {framework}").into()),
    }
}

/// Spans and log records go to that URL. This has a thread of its own.
fn export(url: &str, tagged: bool) -> Result<()> {
    let spans = SpanExporter::builder().with_http().with_endpoint(format!("{url}/v1/traces"));
    let logs = LogExporter::builder().with_http().with_endpoint(format!("{url}/v1/logs"));
    let mut tracers = SdkTracerProvider::builder().with_batch_exporter(spans.build()?);
    let batches = BatchLogProcessor::builder(logs.build()?).build();
    let loggers = SdkLoggerProvider::builder();
    let loggers = if tagged {
        tracers = tracers.with_sampler(SessionSampler::default());
        loggers.with_log_processor(SessionLogProcessor::new(batches)).build()
    } else {
        loggers.with_log_processor(batches).build()
    };
    tracing_subscriber::registry()
        .with(tracing_subscriber::filter::LevelFilter::INFO)
        .with(tracing_opentelemetry::layer().with_tracer(tracers.build().tracer("server")))
        .with(OpenTelemetryTracingBridge::new(&loggers))
        .init();
    Ok(())
}

fn hello() -> &'static str {
    tracing::info!("hello");
    "hello"
}

fn serve_axum(variant: &str, traced: bool) -> Result<()> {
    let app = Router::new().route("/", get(async || hello()));
    let trace = || {
        let span = |_: &http::Request<_>| tracing::info_span!("request");
        TraceLayer::new_for_http().make_span_with(span)
    };
    let request_id = || {
        let name = HeaderName::from_static(SESSION);
        let set = SetRequestIdLayer::new(name.clone(), MakeRequestUuid);
        (set, PropagateRequestIdLayer::new(name))
    };
    let app = match (variant, traced) {
        ("session", false) => app.layer(SessionIdLayer::new()),
        ("session", true) => app.layer((SessionIdLayer::new(), trace())),
        ("request-id", false) => app.layer(request_id()),
        ("request-id", true) => app.layer((request_id(), trace())),
        ("nothing", false) => app.layer(tower_layer::Identity::new()),
        ("nothing", true) => app.layer((tower_layer::Identity::new(), trace())),
        (_, false) => app,
        (_, true) => app.layer(trace()),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        println!("{}", listener.local_addr()?);
        Ok(axum::serve(listener, app).await?)
    })
}

fn serve_actix(variant: &str, traced: bool) -> Result<()> {
    /// `App`s with different middleware have different types.
    macro_rules! serve {
        ($($middleware:expr),*) => {{
            let app = || App::new().route("/", web::get().to(async || hello()))$(.wrap($middleware))*;
            let server = HttpServer::new(app).workers(1).bind(("127.0.0.1", 0))?;
            println!("{}", server.addrs().first().ok_or("no address")?);
            Ok(actix_web::rt::System::new().block_on(server.run())?)
        }};
    }
    match (variant, traced) {
        ("session", false) => serve!(SessionIdMiddleware::new()),
        ("session", true) => serve!(TracingLogger::default(), SessionIdMiddleware::new()),
        ("request-id", false) => serve!(correlation()),
        ("request-id", true) => serve!(TracingLogger::default(), correlation()),
        ("nothing", false) => serve!(Identity::default()),
        ("nothing", true) => serve!(TracingLogger::default(), Identity::default()),
        (_, false) => serve!(),
        (_, true) => serve!(TracingLogger::default()),
    }
}

fn correlation() -> Correlation {
    let name = actix_web::http::header::HeaderName::from_static(SESSION);
    Correlation::default().request_header_name(name.clone()).response_header_name(name)
}
