//! A backend that remembers everything: OTLP over HTTP.

use std::io::Read as _;
use std::sync::{Arc, Mutex};
use std::thread;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Uri};
use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use prost::Message as _;

use crate::otlp::{self, Item};

/// Runs until the test's process ends.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// Where it listens.
    pub url: String,
    received: Arc<Mutex<Received>>,
}

#[derive(Debug, Default)]
struct Received {
    items: Vec<Item>,
    metrics: Vec<Metric>,
}

impl Receiver {
    /// Starts it on a thread of its own.
    pub fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let received = Arc::<Mutex<Received>>::default();
        let app = Router::new()
            .fallback(receive)
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&received));
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(listener, app).await.unwrap();
            });
        });
        Self { url, received }
    }

    /// All spans and log records so far.
    pub fn items(&self) -> Vec<Item> {
        self.received.lock().unwrap().items.clone()
    }

    /// All metrics so far.
    pub fn metrics(&self) -> Vec<Metric> {
        self.received.lock().unwrap().metrics.clone()
    }
}

async fn receive(
    State(received): State<Arc<Mutex<Received>>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) {
    let mut inflated = body.to_vec();
    if headers.get("content-encoding").is_some_and(|encoding| encoding == "gzip") {
        inflated.clear();
        GzDecoder::new(&*body).read_to_end(&mut inflated).unwrap();
    }
    let mut received = received.lock().unwrap();
    match uri.path() {
        "/v1/traces" => received.items.extend(otlp::spans(&inflated)),
        "/v1/logs" => received.items.extend(otlp::logs(&inflated)),
        "/v1/metrics" => {
            let request = ExportMetricsServiceRequest::decode(&*inflated).unwrap();
            let scopes =
                request.resource_metrics.into_iter().flat_map(|metrics| metrics.scope_metrics);
            received.metrics.extend(scopes.flat_map(|scope| scope.metrics));
        }
        other => panic!("{other} is no path of OTLP"),
    }
}
