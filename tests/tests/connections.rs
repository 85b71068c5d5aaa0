//! Many requests on one connection, of one session after another, of none, and with something malformed, in
//! the span of the connection: no record has a stranger's session.
//!
//! `QORRELATE_CONNECTIONS` and `QORRELATE_REQUESTS` (per connection) make it longer; with 1000 each it is a
//! matter of minutes, with `--release`.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Mutex, OnceLock, PoisonError};

use axum::extract::Path;
use axum::routing::get;
use axum::{Json, Router};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::rt::TokioExecutor;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{
    LogBatch, LogExporter, SdkLogRecord, SdkLoggerProvider, SimpleLogProcessor,
};
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use qorrelate_core::opentelemetry_0_33::{SessionLogProcessor, SessionSampler};
use qorrelate_core::{ATTRIBUTE, SessionFormat, SessionId, SessionIdOutcome, carry_session};
use qorrelate_tests::client::{Connection, Protocol};
use qorrelate_tests::peer::Peer;
use qorrelate_tests::server::{Server, describe, serve_axum};
use qorrelate_tests::telemetry::span_values;
use qorrelate_tower::{PropagateSessionIdLayer, SessionIdLayer, SessionMakeSpan};
use serde_json::{Value, json};
use tower::{ServiceBuilder, ServiceExt};
use tower_http::trace::TraceLayer;
use tracing::{Instrument, info, info_span};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;

/// What is in the path of a request without a session.
const NONE: &str = "none";

/// What is looked at as it is exported, and then forgotten.
#[derive(Debug, Default)]
struct Seen {
    /// How many records there were of each kind.
    counts: BTreeMap<&'static str, u64>,
    /// The first that are not as they must be.
    wrong: Vec<String>,
}

static SEEN: Mutex<Seen> = Mutex::new(Seen { counts: BTreeMap::new(), wrong: Vec::new() });

/// A record of a request that says which session it expects to have; of a connection it expects none.
fn see(kind: &'static str, expected: &str, ids: &[String]) {
    let is_right = if expected == NONE { ids.is_empty() } else { ids == [expected] };
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    *seen.counts.entry(kind).or_default() += 1;
    if !is_right && seen.wrong.len() < 20 {
        seen.wrong.push(format!("{kind} of {expected}: {ids:?}"));
    }
}

#[derive(Debug, Clone, Copy)]
struct Checker;

impl SpanExporter for Checker {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        for span in batch {
            let ids = span_values(&span, ATTRIBUTE);
            match (span_values(&span, "expected").first(), span_values(&span, "url.path").first()) {
                (Some(expected), _) => see("span", expected, &ids),
                (None, Some(path)) => {
                    let expected = path.split('/').nth(2).expect("the path says it");
                    see("request span", expected, &ids);
                }
                (None, None) => see("connection span", NONE, &ids),
            }
        }
        Ok(())
    }
}

impl LogExporter for Checker {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        for (record, _) in batch.iter() {
            if let [expected] = &log_values(record, "expected")[..] {
                see("log record", expected, &log_values(record, ATTRIBUTE));
            }
        }
        Ok(())
    }
}

fn log_values(record: &SdkLogRecord, key: &str) -> Vec<String> {
    let attributes = record.attributes_iter().filter(|(name, _)| name.as_str() == key);
    attributes
        .map(|(_, value)| match value {
            opentelemetry::logs::AnyValue::String(text) => text.to_string(),
            other => format!("{other:?}"),
        })
        .collect()
}

impl Write for Checker {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let json: Value = serde_json::from_slice(line).expect("every line is JSON");
        if let Some(expected) = json["fields"]["expected"].as_str() {
            let id = json[ATTRIBUTE].as_str().map(str::to_owned);
            see("line", expected, &id.into_iter().collect::<Vec<_>>());
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Checker {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        Self
    }
}

fn install_telemetry() {
    static PROVIDERS: OnceLock<(SdkTracerProvider, SdkLoggerProvider)> = OnceLock::new();
    PROVIDERS.get_or_init(|| {
        let traces = SdkTracerProvider::builder()
            .with_sampler(SessionSampler::default())
            .with_simple_exporter(Checker)
            .build();
        let logs = SdkLoggerProvider::builder()
            .with_log_processor(SessionLogProcessor::new(SimpleLogProcessor::new(Checker)))
            .build();
        let subscriber = tracing_subscriber::registry()
            .with(carry_session(tracing_opentelemetry::layer().with_tracer(traces.tracer("tests"))))
            .with(OpenTelemetryTracingBridge::new(&logs))
            .with(
                tracing_subscriber::fmt::layer()
                    .json()
                    .map_event_format(SessionFormat::new)
                    .with_writer(Checker),
            )
            .with(
                Targets::new()
                    .with_target("connections", LevelFilter::INFO)
                    .with_target("qorrelate_tests", LevelFilter::INFO)
                    .with_target("tower_http", LevelFilter::INFO),
            );
        tracing::subscriber::set_global_default(subscriber).expect("no other subscriber");
        (traces, logs)
    });
}

/// A server that makes spans, lines and a task in each request, and tells what it saw.
fn serve(peer: Option<SocketAddr>) -> Server {
    install_telemetry();
    let app = Router::new()
        .route(
            "/{number}/{expected}",
            get(async move |Path((_, expected)): Path<(String, String)>| {
                Json(handle(expected, peer).await)
            }),
        )
        .layer((
            SessionIdLayer::new(),
            TraceLayer::new_for_http().make_span_with(SessionMakeSpan::new()),
        ));
    serve_axum(app)
}

async fn handle(expected: String, peer: Option<SocketAddr>) -> Value {
    let current = || SessionId::current().map(|id| id.to_string());
    async {
        info!(expected, "before");
        tokio::task::yield_now().await;
        info!(expected, "after");
    }
    .instrument(info_span!("work", expected))
    .await;
    let task = {
        let span = info_span!("task", expected);
        tokio::spawn(
            async move {
                info!(expected, "in a task");
                current()
            }
            .instrument(span),
        )
    };
    let in_task = task.await.unwrap();
    if let Some(peer) = peer {
        let client = HyperClient::builder(TokioExecutor::new()).build_http::<axum::body::Body>();
        let hosts = PropagateSessionIdLayer::to_hosts([peer.to_string()]).unwrap();
        let client = ServiceBuilder::new().layer(hosts).service(client);
        let request = http::Request::get(format!("http://{peer}/")).body(Default::default());
        client.oneshot(request.unwrap()).await.unwrap();
    }
    json!({
        "current": current(),
        "in_task": in_task,
        "outcome": SessionIdOutcome::current().as_ref().map(describe),
    })
}

#[test]
fn requests_of_one_connection_are_of_their_own_sessions() {
    let peer = Peer::local();
    let server = serve(Some(peer.address));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for protocol in [Protocol::Http1, Protocol::Http2] {
        runtime.block_on(async {
            let mut connection = Connection::open(server.address, protocol).await;
            let valid = |id: &'static str| (Some(id), id);
            for (header, expected) in [
                valid("alice"),
                valid("bob"),
                (None, NONE),
                valid("alice"),
                (Some("not an ID"), NONE),
                (None, NONE),
                valid("carol"),
            ] {
                let headers: Vec<_> =
                    header.iter().map(|id| ("x-session-id", id.as_bytes())).collect();
                let target = format!("/0/{expected}");
                let (status, body) = connection.get(&target, &headers).await;
                assert_eq!(status, 200);
                let seen: Value = serde_json::from_slice(&body).unwrap();
                let session = (expected != NONE).then_some(expected);
                assert_eq!(seen["current"].as_str(), session, "{protocol:?}");
                assert_eq!(seen["in_task"].as_str(), session, "{protocol:?}");
                let outcome = match header {
                    None => "missing",
                    Some("not an ID") => "malformed in header x-session-id: forbidden_byte of 9",
                    Some(_) => "found in header x-session-id",
                };
                assert_eq!(seen["outcome"], outcome);
                let [sent] = &peer.take_received()[..] else { panic!("one call") };
                let sent = sent.header("x-session-id");
                assert_eq!(sent.first().map(String::as_str), session, "{protocol:?}");
            }
        });
    }
    assert_eq!(SEEN.lock().unwrap().wrong, [""; 0]);
}

#[test]
fn no_record_of_many_connections_has_a_strangers_session() {
    let number = |name: &str, default: usize| {
        std::env::var(name).map_or(default, |value| value.parse().expect("a number"))
    };
    let connections = number("QORRELATE_CONNECTIONS", 40);
    let requests = number("QORRELATE_REQUESTS", 50);
    let server = serve(None);
    let address = server.address;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        // As many at once as a machine has files for.
        for batch in (0..connections).collect::<Vec<_>>().chunks(200) {
            let tasks: Vec<_> = batch
                .iter()
                .map(|&number| tokio::spawn(requests_of_one_connection(address, number, requests)))
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        }
    });
    drop(runtime);
    drop(server);
    let seen = SEEN.lock().unwrap();
    println!("{:?}", seen.counts);
    assert_eq!(seen.wrong, [""; 0]);
    let requests = (connections * requests) as u64;
    for (kind, of_each) in [("request span", 1), ("span", 2), ("log record", 3), ("line", 3)] {
        let count = seen.counts.get(kind).copied().unwrap_or_default();
        assert!(count >= of_each * requests, "{count} of {kind}");
    }
}

async fn requests_of_one_connection(address: SocketAddr, number: usize, requests: usize) {
    let protocol = if number.is_multiple_of(2) { Protocol::Http1 } else { Protocol::Http2 };
    let mut connection = Connection::open(address, protocol).await;
    for request in 0..requests {
        let id = format!("session-{number}-{request}");
        let (header, expected) = match request % 8 {
            3 => (None, NONE),
            6 => (Some("not an ID"), NONE),
            _ => (Some(id.as_str()), id.as_str()),
        };
        let headers: Vec<_> = header.iter().map(|id| ("x-session-id", id.as_bytes())).collect();
        let (status, body) = connection.get(&format!("/{number}/{expected}"), &headers).await;
        assert_eq!(status, 200);
        let seen: Value = serde_json::from_slice(&body).unwrap();
        let session = (expected != NONE).then_some(expected);
        assert_eq!((seen["current"].as_str(), seen["in_task"].as_str()), (session, session));
    }
}
