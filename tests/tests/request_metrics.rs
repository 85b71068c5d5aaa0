//! The counter `qorrelate.requests` over a socket, in both adapters.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;

use actix_web::{App, web};
use axum::Router;
use axum::routing::get;
use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};
use qorrelate_actix::SessionIdMiddleware;
use qorrelate_core::Source;
use qorrelate_core::opentelemetry_0_33::count_requests;
use qorrelate_tests::client;
use qorrelate_tests::server::{Server, serve_axum};
use qorrelate_tower::SessionIdLayer;

fn sources() -> [Source; 3] {
    [Source::header("X-Session-ID"), Source::datadog(), Source::query("sid")]
}

fn axum_server(meters: &SdkMeterProvider) -> Server {
    let count = count_requests(&meters.meter("tests"));
    let layer = SessionIdLayer::new().sources(sources()).unwrap().on_outcome(count);
    serve_axum(Router::new().route("/", get(async || "")).layer(layer))
}

fn actix_server(meters: &SdkMeterProvider) -> Server {
    let count = count_requests(&meters.meter("tests"));
    let middleware = SessionIdMiddleware::new().sources(sources()).unwrap().on_outcome(count);
    qorrelate_tests::serve_actix!(move || {
        App::new().route("/", web::get().to(async || "")).wrap(middleware.clone())
    })
}

/// The attributes of each data point, sorted, with its value.
fn counted(exporter: &InMemoryMetricExporter) -> BTreeMap<String, u64> {
    let mut counted = BTreeMap::new();
    for resource in exporter.get_finished_metrics().unwrap() {
        for metric in resource.scope_metrics().flat_map(|scope| scope.metrics()) {
            assert_eq!((metric.name(), metric.unit()), ("qorrelate.requests", "{request}"));
            let AggregatedMetrics::U64(MetricData::Sum(sum)) = metric.data() else {
                panic!("{metric:?}")
            };
            assert!(sum.is_monotonic());
            for point in sum.data_points() {
                let attributes = point.attributes().map(|kv| format!("{}={}", kv.key, kv.value));
                let mut attributes: Vec<_> = attributes.collect();
                attributes.sort();
                counted.insert(attributes.join(", "), point.value());
            }
        }
    }
    counted
}

#[test]
fn requests_are_counted_by_outcome_and_source_and_never_by_session() {
    for serve in [axum_server, actix_server] {
        let exporter = InMemoryMetricExporter::default();
        let reader = PeriodicReader::builder(exporter.clone()).build();
        let meters = SdkMeterProvider::builder().with_reader(reader).build();
        let server = serve(&meters);
        let get = |path: &str, headers: &[(&str, &[u8])]| {
            assert_eq!(client::get(server.address, path, headers).status, 200);
        };
        const BAGGAGE: &str = "session.id=5f0c8a3e-6a3b-4f6e-9d51-2f4f6c1b7a90";
        for round in 0..5 {
            get("/", &[]);
            get("/", &[("x-session-id", format!("session-{round}").as_bytes())]);
            get("/", &[("x-session-id", b"a b")]);
            get("/?sid=by-query", &[]);
            get("/", &[("x-session-id", b"one"), ("x-session-id", b"two")]);
            get("/", &[("baggage", BAGGAGE.as_bytes())]);
        }
        meters.force_flush().unwrap();

        let found = |source: &str| format!("qorrelate.outcome=found, qorrelate.source={source}");
        let malformed = |rule: &str| {
            format!(
                "error.type={rule}, qorrelate.outcome=malformed, qorrelate.source=header x-session-id"
            )
        };
        let expected = [
            "qorrelate.outcome=missing".to_owned(),
            found("header x-session-id"),
            found("query sid"),
            found("preset datadog"),
            malformed("forbidden_byte"),
            malformed("conflicting"),
        ];
        assert_eq!(counted(&exporter), expected.map(|attributes| (attributes, 5)).into());
    }
}
