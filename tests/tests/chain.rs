//! Four services, axum → tonic → actix → hyper, each of which calls the next with another client: one
//! session on everything that they do, and nothing of it at the strangers that each calls too.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use actix_web::{App, web};
use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use http::Uri;
use http_body_util::Full;
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use opentelemetry::trace::SpanKind;
use qorrelate_actix::{PropagateSessionIdMiddleware, SessionIdMiddleware, SessionRootSpanBuilder};
use qorrelate_tests::client;
use qorrelate_tests::peer::Peer;
use qorrelate_tests::serve_actix;
use qorrelate_tests::server::serve_axum;
use qorrelate_tests::telemetry::{Records, Telemetry};
use qorrelate_tower::{
    PropagateSessionIdExt, PropagateSessionIdLayer, SessionIdLayer, SessionMakeSpan,
};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::metadata::MetadataMap;
use tonic::transport::{Endpoint, Server};
use tonic::{Request, Response, Status};
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tower::{ServiceBuilder, ServiceExt};
use tower_http::trace::TraceLayer;
use tracing::Instrument;
use tracing_actix_web::TracingLogger;

const ID: &str = "abc-123-xyz";

/// Where a service goes on to: to the next service, and to a stranger.
#[derive(Debug, Clone, Copy)]
struct Next {
    named: SocketAddr,
    stranger: SocketAddr,
}

impl Next {
    fn layer(self) -> PropagateSessionIdLayer {
        PropagateSessionIdLayer::to_hosts([self.named.to_string()]).unwrap()
    }

    fn uris(self, path: &str) -> [Uri; 2] {
        [self.named, self.stranger]
            .map(|address| format!("http://{address}/{path}").parse().unwrap())
    }
}

/// What a service does: a span, lines before and after its calls.
async fn work(service: &'static str, calls: impl Future<Output = ()>) {
    async {
        tracing::info!("{service} begins");
        calls.await;
        tracing::info!("{service} ends");
    }
    .instrument(tracing::info_span!("work"))
    .await;
}

/// The first service, whose client is a tonic channel.
fn axum(next: Next) -> Router {
    let calls = move || async move {
        for uri in next.uris("") {
            let channel = Endpoint::from(uri.clone()).connect().await.unwrap();
            let channel = ServiceBuilder::new().layer(next.layer()).service(channel);
            let mut client = HealthClient::with_origin(channel, uri);
            client.check(Request::new(HealthCheckRequest::default())).await.unwrap();
        }
    };
    Router::new()
        .route("/work", get(move || work("axum", calls())))
        .layer(TraceLayer::new_for_http().make_span_with(SessionMakeSpan::new()))
        .layer(SessionIdLayer::new())
}

/// The second service, whose client is reqwest's.
struct Tonic {
    next: Next,
}

#[tonic::async_trait]
impl Health for Tonic {
    async fn check(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let calls = async {
            let builder = reqwest::Client::builder().no_proxy();
            let client = builder.build_propagating(self.next.layer()).unwrap();
            for uri in self.next.uris("work") {
                client.get(uri.to_string()).send().await.unwrap();
            }
        };
        work("tonic", calls).await;
        Ok(Response::new(HealthCheckResponse::default()))
    }

    type WatchStream =
        Pin<Box<dyn tokio_stream::Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn watch(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("not called"))
    }
}

/// A stranger that speaks gRPC, and keeps the metadata of calls.
#[derive(Clone, Default)]
struct Stranger(Arc<Mutex<Vec<MetadataMap>>>);

#[tonic::async_trait]
impl Health for Stranger {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        self.0.lock().unwrap().push(request.metadata().clone());
        Ok(Response::new(HealthCheckResponse::default()))
    }

    type WatchStream = <Tonic as Health>::WatchStream;

    async fn watch(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("not called"))
    }
}

/// The third service, whose client is awc's.
async fn actix(next: web::Data<Next>) -> &'static str {
    let calls = async {
        let hosts = [next.named.to_string()];
        let client = awc::Client::builder()
            .wrap(PropagateSessionIdMiddleware::to_hosts(hosts).unwrap())
            .finish();
        for uri in next.uris("work") {
            client.get(uri.to_string()).send().await.unwrap();
        }
    };
    work("actix", calls).await;
    "worked"
}

/// The fourth service, whose client is hyper's.
async fn hyper(next: Next) -> Result<http::Response<Full<Bytes>>, Infallible> {
    let calls = async {
        let client = HyperClient::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
        let client = ServiceBuilder::new().layer(next.layer()).service(client);
        for uri in next.uris("work") {
            client
                .clone()
                .oneshot(http::Request::get(uri).body(Full::default()).unwrap())
                .await
                .unwrap();
        }
    };
    work("hyper", calls).await;
    Ok(http::Response::default())
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

struct Chain {
    records: Records,
    grpc: Vec<MetadataMap>,
    strangers: Peer,
    last: Peer,
}

/// Sends a request through the chain.
fn run(headers: &[(&str, &[u8])]) -> Chain {
    let telemetry = Telemetry::install();
    let (strangers, last) = (Peer::local(), Peer::local());
    let grpc = Stranger::default();
    let runtime = Runtime::new().unwrap();

    let next = Next { named: last.address, stranger: strangers.address };
    let (listener, hyper_address) = runtime.block_on(listen());
    runtime.spawn(async move {
        let service = ServiceBuilder::new()
            .layer(SessionIdLayer::new())
            .layer(TraceLayer::new_for_http().make_span_with(SessionMakeSpan::new()))
            .service_fn(move |_: http::Request<hyper::body::Incoming>| hyper(next));
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = TowerToHyperService::new(service.clone());
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service);
            tokio::spawn(connection);
        }
    });

    let next = web::Data::new(Next { named: hyper_address, stranger: strangers.address });
    let actix_server = serve_actix!(move || {
        App::new()
            .app_data(next.clone())
            .route("/work", web::get().to(actix))
            .wrap(TracingLogger::<SessionRootSpanBuilder>::new())
            .wrap(SessionIdMiddleware::new())
    });

    let next = Next { named: actix_server.address, stranger: strangers.address };
    let (listener, tonic_address) = runtime.block_on(listen());
    runtime.spawn(
        Server::builder()
            .layer(SessionIdLayer::new())
            .layer(TraceLayer::new_for_grpc().make_span_with(SessionMakeSpan::new()))
            .add_service(HealthServer::new(Tonic { next }))
            .serve_with_incoming(TcpListenerStream::new(listener)),
    );
    let (listener, stranger_address) = runtime.block_on(listen());
    runtime.spawn(
        Server::builder()
            .add_service(HealthServer::new(grpc.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener)),
    );

    let axum_server = serve_axum(axum(Next { named: tonic_address, stranger: stranger_address }));

    telemetry.forget();
    let answer = client::get(axum_server.address, "/work", headers);
    assert_eq!(answer.status, 200);
    let records = telemetry.records_once(|spans| {
        spans.iter().filter(|span| span.span_kind == SpanKind::Server).count() == 4
    });
    runtime.shutdown_background();
    let grpc = std::mem::take(&mut *grpc.0.lock().unwrap());
    Chain { records, grpc, strangers, last }
}

fn assert_tagged(records: &Records, ids: &[&str]) {
    let spans = records.spans_tagged();
    assert_eq!(spans.iter().filter(|(name, _)| name == "work").count(), 4, "{spans:?}");
    for (name, tags) in spans {
        assert_eq!(tags, ids, "span {name}");
    }
    let logs = records.logs_tagged();
    for service in ["axum", "tonic", "actix", "hyper"] {
        for event in ["begins", "ends"] {
            let body = format!("{service} {event}");
            let of_event: Vec<_> = logs.iter().filter(|(text, _)| text.contains(&body)).collect();
            assert_eq!(of_event.len(), 1, "{body}");
            assert_eq!(of_event[0].1, ids, "{body}");
        }
    }
}

/// One test, because the telemetry of a process is one.
#[test]
fn one_session_is_on_everything_that_four_services_do_and_at_no_stranger() {
    let chain = run(&[("x-session-id", ID.as_bytes())]);
    assert_tagged(&chain.records, &[ID]);
    let last = chain.last.take_received();
    assert_eq!(last.len(), 1);
    assert_eq!(last[0].header("x-session-id"), [ID]);

    assert_eq!(chain.grpc.len(), 1, "axum has called a stranger");
    assert!(!chain.grpc[0].contains_key("x-session-id"), "{:?}", chain.grpc);
    let strangers = chain.strangers.take_received();
    assert_eq!(strangers.len(), 3, "tonic, actix and hyper have called a stranger");
    for request in strangers {
        assert!(!request.mentions(ID) && !request.mentions("x-session-id"), "{request:?}");
    }

    let chain = run(&[]);
    assert_tagged(&chain.records, &[]);
    for request in chain.last.take_received().iter().chain(&chain.strangers.take_received()) {
        assert!(!request.mentions("x-session-id"), "{request:?}");
    }
}
