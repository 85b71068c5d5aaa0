//! What a real Sentry client sends: events, transactions and logs say to which replay they belong, and the
//! request after doesn't. The relay it sends to is a stand-in that keeps what it gets.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use actix_web::{App, HttpResponse, web};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::routing::{get, post};
use qorrelate_actix::{SentryReplayMiddleware, SessionIdMiddleware};
use qorrelate_tests::client::{Connection, Protocol};
use qorrelate_tests::server::{Server, serve_axum, serve_axum_on_one_thread};
use qorrelate_tower::{SentryReplay, SentryReplayLayer, SessionIdLayer, Source};
use sentry::integrations::actix::Sentry;
use sentry::integrations::tower::{NewSentryLayer, SentryHttpLayer};
use serde_json::Value;

const REPLAY: &str = "9f86d081884c7d659a2feaa0c55ad015";
const OTHER_REPLAY: &str = "8f86d081884c7d659a2feaa0c55ad015";
const PATIENCE: Duration = Duration::from_secs(20);

type Envelopes = Arc<Mutex<Vec<String>>>;

/// Keeps every envelope.
fn relay() -> (Server, Envelopes) {
    let envelopes = Envelopes::default();
    let keep = async |State(envelopes): State<Envelopes>, envelope: Bytes| {
        envelopes.lock().unwrap().push(String::from_utf8(envelope.to_vec()).unwrap());
        "{}"
    };
    let app = Router::new().route("/api/1/envelope/", post(keep)).with_state(envelopes.clone());
    (serve_axum(app), envelopes)
}

/// A captured message, and a log.
fn report() {
    sentry::capture_message("reported", sentry::Level::Error);
    sentry::logger_info!("logged");
}

fn axum_app() -> Server {
    let app = Router::new()
        .route("/work", get(async || report()))
        .route(
            "/spawns",
            get(async || {
                let hub = sentry::Hub::current();
                let task = async move { sentry::Hub::run(hub, report) };
                let task = qorrelate_tower::InCurrentSession::in_current_session(task);
                tokio::spawn(task).await.unwrap();
            }),
        )
        .layer((
            SessionIdLayer::new()
                .sources([Source::sentry_replay(), Source::header("x-session-id")])
                .unwrap(),
            NewSentryLayer::<Request>::new_from_top(),
            SentryHttpLayer::new().enable_transaction(),
            SentryReplayLayer::new(),
        ));
    serve_axum_on_one_thread(app)
}

fn actix_app() -> Server {
    qorrelate_tests::serve_actix!(|| {
        App::new()
            .route(
                "/work",
                web::get().to(async || {
                    report();
                    HttpResponse::Ok().finish()
                }),
            )
            .route(
                "/spawns",
                web::get().to(async || {
                    let hub = sentry::Hub::current();
                    let task = async move { sentry::Hub::run(hub, report) };
                    let task = qorrelate_actix::InCurrentSession::in_current_session(task);
                    actix_web::rt::spawn(task).await.unwrap();
                    HttpResponse::Ok().finish()
                }),
            )
            .route(
                "/fails",
                web::get().to(async || {
                    let response = actix_web::error::ErrorInternalServerError("failed");
                    Err::<&str, _>(response)
                }),
            )
            .wrap(Sentry::builder().start_transaction(true).finish())
            .wrap(SentryReplayMiddleware::new())
            .wrap(
                SessionIdMiddleware::new()
                    .sources([Source::sentry_replay(), Source::header("x-session-id")])
                    .unwrap(),
            )
    })
}

/// What one kind of item says of its replay: event, transaction, or one of a batch of logs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Item {
    kind: String,
    replay: Option<String>,
}

fn item(kind: &str, replay: Option<&str>) -> Item {
    Item { kind: kind.to_owned(), replay: replay.map(str::to_owned) }
}

fn items(envelopes: &[String]) -> Vec<Item> {
    let mut items = Vec::new();
    for envelope in envelopes {
        let mut lines = envelope.lines().skip(1).map(|line| serde_json::from_str(line).unwrap());
        while let (Some(header), Some(payload)) = (lines.next(), lines.next()) {
            let (header, payload): (Value, Value) = (header, payload);
            let in_context = payload["contexts"]["replay"]["replay_id"].as_str();
            match header["type"].as_str().unwrap() {
                "log" => items.extend(payload["items"].as_array().unwrap().iter().map(|log| {
                    item("log", log["attributes"]["sentry.replay_id"]["value"].as_str())
                })),
                kind => items.push(item(kind, in_context)),
            }
        }
    }
    items.sort();
    items
}

#[test]
fn a_replay_is_on_what_its_own_request_reports_and_on_nothing_else() {
    let (relay, envelopes) = relay();
    let options = sentry::ClientOptions::new()
        .dsn(format!("http://key@{}/1", relay.address).as_str())
        .traces_sample_rate(1.0)
        .add_integration(SentryReplay::new());
    let client = sentry::init(options);
    let in_baggage = |id: &str| format!("sentry-trace_id=1,sentry-replay_id={id},a=1");
    let [replay, other, malformed] = [REPLAY, OTHER_REPLAY, "abc"].map(in_baggage);

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (name, server) in [("axum", axum_app()), ("actix", actix_app())] {
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let mut connection = runtime.block_on(Connection::open(server.address, protocol));
            for (path, headers, expected) in [
                ("/work", vec![("baggage", &*replay)], Some(REPLAY)),
                ("/work", vec![], None),
                ("/work", vec![("baggage", &*other)], Some(OTHER_REPLAY)),
                ("/work", vec![("baggage", &*malformed)], None),
                ("/work", vec![("baggage", &*replay)], Some(REPLAY)),
                // A session, but of a recorder that Sentry knows nothing of.
                ("/work", vec![("x-session-id", REPLAY)], None),
                ("/spawns", vec![("baggage", &*replay)], Some(REPLAY)),
                ("/spawns", vec![], None),
            ] {
                let headers: Vec<_> =
                    headers.iter().map(|&(name, value)| (name, value.as_bytes())).collect();
                let (status, _) = runtime.block_on(connection.get(path, &headers));
                assert_eq!(status, 200);
                let found = wait_for(3, &client, &envelopes);
                let expected = ["event", "log", "transaction"].map(|kind| item(kind, expected));
                assert_eq!(found, expected, "{name}, {protocol:?}: {path} {headers:?}");
            }
            if name == "actix" {
                // The event of a handler's `Err` is made outside of the handler.
                for (headers, expected) in
                    [(vec![("baggage", replay.as_bytes())], Some(REPLAY)), (vec![], None)]
                {
                    let (status, _) = runtime.block_on(connection.get("/fails", &headers));
                    assert_eq!(status, 500);
                    let found = wait_for(2, &client, &envelopes);
                    assert_eq!(found, ["event", "transaction"].map(|kind| item(kind, expected)));
                }
            }
        }
    }
}

/// So many items, and what else came with them.
fn wait_for(count: usize, client: &sentry::Client, envelopes: &Envelopes) -> Vec<Item> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        assert!(client.flush(Some(PATIENCE)), "the client sends");
        let found = items(&envelopes.lock().unwrap());
        if found.len() >= count {
            envelopes.lock().unwrap().clear();
            return found;
        }
        assert!(Instant::now() < deadline, "{found:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
