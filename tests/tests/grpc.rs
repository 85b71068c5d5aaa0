//! tonic: a real server and a real client, a call and a stream, in a session and refused.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

use std::pin::Pin;

use qorrelate_tests::telemetry::{Records, Telemetry};
use qorrelate_tower::{RequireSessionIdLayer, SessionId, SessionIdLayer, SessionMakeSpan};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_stream::{Stream, StreamExt};
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tower_http::trace::TraceLayer;

/// Answers `Serving` in a session, and `NotServing` in none.
struct Service;

#[tonic::async_trait]
impl Health for Service {
    async fn check(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        Ok(Response::new(work()))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn watch(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        Ok(Response::new(Box::pin(tokio_stream::iter(0..3).map(|_| Ok(work())))))
    }
}

fn work() -> HealthCheckResponse {
    let _span = tracing::info_span!("work").entered();
    tracing::info!("working");
    let status = match SessionId::current() {
        Some(id) if id == "abc" => ServingStatus::Serving,
        _ => ServingStatus::NotServing,
    };
    HealthCheckResponse { status: status.into() }
}

/// Runs a call to a server whose health service is behind the layers of a request.
fn call<T>(
    require: bool,
    session: Option<&'static str>,
    call: impl AsyncFnOnce(HealthClient<Channel>, Request<HealthCheckRequest>) -> T,
) -> (T, Records) {
    Telemetry::install().record(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            let listener = TcpListenerStream::new(listener);
            let health = HealthServer::new(Service);
            let mut server = Server::builder()
                .layer(SessionIdLayer::new())
                .layer(TraceLayer::new_for_grpc().make_span_with(SessionMakeSpan::new()));
            let server = if require {
                let mut server = server.layer(RequireSessionIdLayer::new());
                tokio::spawn(server.add_service(health).serve_with_incoming(listener))
            } else {
                tokio::spawn(server.add_service(health).serve_with_incoming(listener))
            };

            let channel = Endpoint::from_shared(url).unwrap().connect().await.unwrap();
            let mut request = Request::new(HealthCheckRequest::default());
            if let Some(session) = session {
                request.metadata_mut().insert("x-session-id", session.parse().unwrap());
            }
            let result = call(HealthClient::new(channel), request).await;
            server.abort();
            result
        })
    })
}

fn assert_tagged(records: &Records, works: usize, ids: &[&str]) {
    let spans = records.spans_tagged();
    assert_eq!(spans.iter().filter(|(name, _)| name == "work").count(), works, "{spans:?}");
    for (name, tags) in spans {
        assert_eq!(tags, ids, "span {name}");
    }
    let logs: Vec<_> = records.logs_tagged();
    let logs: Vec<_> = logs.iter().filter(|(body, _)| body.contains("working")).collect();
    assert_eq!(logs.len(), works);
    for (body, tags) in logs {
        assert_eq!(tags, ids, "{body}");
    }
}

#[test]
fn a_call_is_in_the_session_of_its_metadata() {
    let (status, records) = call(true, Some("abc"), async |mut client, request| {
        client.check(request).await.unwrap().into_inner().status()
    });
    assert_eq!(status, ServingStatus::Serving);
    assert_tagged(&records, 1, &["abc"]);
}

#[test]
fn a_call_without_metadata_is_in_no_session() {
    let (status, records) = call(false, None, async |mut client, request| {
        client.check(request).await.unwrap().into_inner().status()
    });
    assert_eq!(status, ServingStatus::NotServing);
    assert_tagged(&records, 1, &[]);
}

#[test]
fn every_message_of_a_stream_is_made_in_the_session() {
    let (statuses, records) = call(false, Some("abc"), async |mut client, request| {
        let mut messages = client.watch(request).await.unwrap().into_inner();
        let mut statuses = Vec::new();
        while let Some(message) = messages.message().await.unwrap() {
            statuses.push(message.status());
        }
        statuses
    });
    assert_eq!(statuses, [ServingStatus::Serving; 3]);
    assert_tagged(&records, 3, &["abc"]);
}

#[test]
fn a_call_that_needs_a_session_is_refused_in_terms_of_grpc() {
    for (session, message) in [
        (None, "a valid session ID is required: the request has no session ID"),
        (
            Some("a b"),
            "a valid session ID is required: the session ID (3 bytes) has a byte outside \
             [A-Za-z0-9._~:/+=-] (in header x-session-id)",
        ),
    ] {
        let (status, records) = call(true, session, async |mut client, request| {
            client.check(request).await.unwrap_err()
        });
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(status.message(), message);
        assert_tagged(&records, 0, &[]);
    }
}
