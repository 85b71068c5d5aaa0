//! Other people's layers, inside and outside of ours: on connections that serve one session after another,
//! and requests without any.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

mod common;

use std::convert::Infallible;
use std::future::{Ready, pending, poll_fn, ready};
use std::io::Read;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::error_handling::HandleErrorLayer;
use axum::extract::Request;
use axum::http::{Response, StatusCode, header};
use axum::middleware::{self, Next};
use axum::routing::get;
use bytes::Bytes;
use common::{
    DROPPED_IN, OnDrop, SEQUENCE, Sent, alone, must_be_its_own, must_be_there, over_each_protocol,
    reports, twice, whose,
};
use http_body::{Body as _, Frame, SizeHint};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use opentelemetry::trace::FutureExt;
use qorrelate_tests::client::{Connection, Protocol, get as get_once};
use qorrelate_tests::peer::Peer;
use qorrelate_tests::server::{serve_axum, serve_axum_on_one_thread};
use qorrelate_tests::telemetry::{Telemetry, span_values};
use qorrelate_tower::opentelemetry_0_33::SessionContextExt;
use qorrelate_tower::{
    ATTRIBUTE, PropagateSessionIdLayer, RequireSessionIdLayer, ServerTimingLayer, SessionId,
    SessionIdLayer, SessionIdOutcome, SessionMakeSpan, Source,
};
use tokio::sync::Semaphore;
use tower::retry::{Policy, RetryLayer};
use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::{CompressionLayer, predicate::SizeAbove};
use tower_http::cors::CorsLayer;
use tower_http::trace::TraceLayer;

async fn failed(error: BoxError) -> (StatusCode, String) {
    (StatusCode::SERVICE_UNAVAILABLE, error.to_string())
}

fn whose_app() -> Router {
    Router::new().route("/", get(whose))
}

/// How many lines of level ERROR say what to do about a missing layer.
fn errors_about_a_missing_layer() -> usize {
    let records = Telemetry::install().records_once(|_| true);
    let lines = records.lines_saying("no session layer ran for this request");
    for line in &lines {
        assert_eq!(line["level"], "ERROR");
        assert!(line["fields"]["message"].as_str().unwrap().contains("insert_extension(true)"));
    }
    lines.len()
}

// tower's Buffer: the inner service is called in a task of its own.

macro_rules! behind_a_buffer {
    ($outer:expr, $($inner:expr),+; $app:expr) => {
        common::in_a_runtime(|| {
            let service = ServiceBuilder::new()
                .layer($outer)
                .layer(HandleErrorLayer::new(failed))
                .buffer::<Request>(8)
                $(.layer($inner))+
                .service($app);
            Router::new().fallback_service(service)
        })
    };
}

#[test]
fn behind_a_buffer_the_layer_that_requires_a_session_says_that_none_ran() {
    let _alone = alone();
    let (app, _runtime) = behind_a_buffer!(
        SessionIdLayer::new(), RequireSessionIdLayer::new(); whose_app());
    let server = serve_axum(app);
    let requests = over_each_protocol(server.address, |_, status, body| {
        assert_eq!(status, 500, "{body}");
        assert!(body.contains("no_layer"), "{body}");
    });
    assert_eq!(errors_about_a_missing_layer(), requests);
}

#[test]
fn behind_a_buffer_the_session_is_read_from_the_extension() {
    let _alone = alone();
    let (app, _runtime) = behind_a_buffer!(
        SessionIdLayer::new().insert_extension(true), RequireSessionIdLayer::new(); whose_app());
    let server = serve_axum(app);
    over_each_protocol(server.address, must_be_there);
    assert_eq!(errors_about_a_missing_layer(), 0);
}

#[test]
fn behind_a_buffer_the_layer_can_be_added_again() {
    let _alone = alone();
    let (app, _runtime) = behind_a_buffer!(
        SessionIdLayer::new(), SessionIdLayer::new(), RequireSessionIdLayer::new(); whose_app());
    let server = serve_axum(app);
    over_each_protocol(server.address, must_be_there);
    assert_eq!(errors_about_a_missing_layer(), 0);
}

#[test]
fn behind_a_buffer_the_request_span_is_tagged_from_the_extension() {
    let _alone = alone();
    let (app, _runtime) = behind_a_buffer!(
        SessionIdLayer::new().insert_extension(true),
        TraceLayer::new_for_http().make_span_with(SessionMakeSpan::new()); whose_app());
    let server = serve_axum(app);
    let requests = over_each_protocol(server.address, must_be_its_own);
    let records = Telemetry::install()
        .records_once(|spans| spans.iter().filter(|span| span.name == "GET").count() >= requests);
    let mut tagged: Vec<_> = records.spans.iter().filter(|span| span.name == "GET").collect();
    tagged.sort_by_key(|span| span.start_time);
    let tagged: Vec<_> = tagged.into_iter().map(|span| span_values(span, ATTRIBUTE)).collect();
    let sent = SEQUENCE.map(|sent| match sent {
        Sent::Session(id) => vec![id.to_owned()],
        Sent::Malformed | Sent::Nothing => vec![],
    });
    assert_eq!(tagged, [sent.clone(), sent].concat());
}

// Timeout: the future of a request is dropped.

async fn never() {
    STARTED.fetch_add(1, Ordering::SeqCst);
    let _on_drop = OnDrop;
    pending().await
}

static STARTED: AtomicUsize = AtomicUsize::new(0);

fn slow_app() -> Router {
    Router::new().route("/", get(never))
}

/// Every request is given up, in its own session; and nothing is left of it on the thread.
fn check_slow(app: Router) {
    DROPPED_IN.lock().unwrap().clear();
    let server = serve_axum_on_one_thread(app.route("/outside", get(common::outside)));
    for protocol in [Protocol::Http1, Protocol::Http2] {
        common::block_on(async {
            let mut connection = Connection::open(server.address, protocol).await;
            for sent in SEQUENCE {
                let (status, body) = connection.get("/", &sent.headers()).await;
                assert_eq!(status, 503, "{body:?}");
                let (_, left) = connection.get("/outside", &sent.headers()).await;
                assert_eq!(left, common::NOTHING, "{protocol:?}: {sent:?}");
            }
        });
    }
    let expected = twice();
    assert_eq!(*DROPPED_IN.lock().unwrap(), expected);
}

const SOON: Duration = Duration::from_millis(5);

#[test]
fn a_timeout_inside_of_ours_drops_the_request_in_its_session() {
    let _alone = alone();
    let service = ServiceBuilder::new()
        .layer(SessionIdLayer::new())
        .layer(HandleErrorLayer::new(failed))
        .timeout(SOON)
        .service(slow_app());
    check_slow(Router::new().route_service("/", service));
}

#[test]
fn a_timeout_outside_of_ours_drops_the_request_in_its_session() {
    let _alone = alone();
    let service = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(failed))
        .timeout(SOON)
        .layer(SessionIdLayer::new())
        .layer(ServerTimingLayer::new(|| None))
        .service(slow_app());
    check_slow(Router::new().route_service("/", service));
}

#[test]
fn a_cancelled_request_leaves_nothing_on_the_thread() {
    let _alone = alone();
    let app = slow_app().layer(SessionIdLayer::new()).route("/outside", get(common::outside));
    let server = serve_axum_on_one_thread(app);
    for protocol in [Protocol::Http1, Protocol::Http2] {
        common::block_on(async {
            let mut connection = Connection::open(server.address, protocol).await;
            for sent in SEQUENCE {
                let started = STARTED.load(Ordering::SeqCst);
                let dropped = DROPPED_IN.lock().unwrap().len();
                let has_started = || STARTED.load(Ordering::SeqCst) > started;
                // While it waits, and when it was dropped.
                let has_left_nothing = async |connection: &mut Connection| {
                    let (_, left) = connection.get("/outside", &[]).await;
                    assert_eq!(left, common::NOTHING, "{protocol:?}: {sent:?}");
                };
                let mut other = Connection::open(server.address, protocol).await;
                connection.cancel("/", &sent.headers(), has_started).await;
                has_left_nothing(&mut other).await;
                common::until(|| DROPPED_IN.lock().unwrap().len() > dropped).await;
                has_left_nothing(&mut connection).await;
            }
        });
    }
    let expected = twice();
    assert_eq!(*DROPPED_IN.lock().unwrap(), expected);
}

#[test]
fn a_slow_request_leaves_nothing_on_the_thread_while_it_waits() {
    let _alone = alone();
    let gate = Arc::new(Semaphore::new(0));
    let app = Router::new()
        .route(
            "/",
            get({
                let gate = Arc::clone(&gate);
                async move |extracted: Option<SessionId>| {
                    STARTED.fetch_add(1, Ordering::SeqCst);
                    gate.acquire().await.unwrap().forget();
                    reports(SessionId::current().as_ref(), extracted.as_ref())
                }
            }),
        )
        .layer(SessionIdLayer::new())
        .route("/outside", get(common::outside));
    let server = serve_axum_on_one_thread(app);
    common::block_on(async {
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let mut other = Connection::open(server.address, protocol).await;
            let started = STARTED.load(Ordering::SeqCst);
            let waiting: Vec<_> = SEQUENCE
                .into_iter()
                .map(|sent| {
                    tokio::spawn(async move {
                        let mut connection = Connection::open(server.address, protocol).await;
                        (sent, connection.get("/", &sent.headers()).await)
                    })
                })
                .collect();
            common::until(|| STARTED.load(Ordering::SeqCst) == started + SEQUENCE.len()).await;
            for _ in 0..SEQUENCE.len() {
                let (_, left) = other.get("/outside", &[]).await;
                assert_eq!(left, common::NOTHING);
                gate.add_permits(1);
            }
            for waiting in waiting {
                let (sent, (status, body)) = waiting.await.unwrap();
                must_be_its_own(sent, status, std::str::from_utf8(&body).unwrap());
            }
        }
    });
}

// LoadShed and ConcurrencyLimit: an inner service that is not ready.

#[test]
fn load_is_shed_while_what_is_inside_of_ours_is_not_ready() {
    let _alone = alone();
    let gate = Arc::new(Semaphore::new(0));
    let held = |gate: Arc<Semaphore>| {
        get(async move |extracted: Option<SessionId>| {
            STARTED.fetch_add(1, Ordering::SeqCst);
            gate.acquire().await.unwrap().forget();
            reports(SessionId::current().as_ref(), extracted.as_ref())
        })
    };
    macro_rules! shed {
        ($layer:expr) => {{
            let service = ServiceBuilder::new()
                .layer(HandleErrorLayer::new(failed))
                .load_shed()
                .layer($layer)
                .concurrency_limit(1)
                .service(Router::new().fallback(held(Arc::clone(&gate))));
            Router::new().fallback_service(service)
        }};
    }
    let with_session = |app: Router| app.layer(SessionIdLayer::new());
    for (name, app) in [
        ("SessionIdLayer", shed!(SessionIdLayer::new())),
        ("RequireSessionIdLayer", with_session(shed!(RequireSessionIdLayer::new()))),
        ("ServerTimingLayer", with_session(shed!(ServerTimingLayer::new(|| None)))),
    ] {
        let server = serve_axum(app);
        common::block_on(async {
            for protocol in [Protocol::Http1, Protocol::Http2] {
                let started = STARTED.load(Ordering::SeqCst);
                let first = tokio::spawn(async move {
                    let mut connection = Connection::open(server.address, protocol).await;
                    connection.get("/", &Sent::Session("alice").headers()).await
                });
                common::until(|| STARTED.load(Ordering::SeqCst) > started).await;

                let mut connection = Connection::open(server.address, protocol).await;
                for sent in SEQUENCE {
                    let (status, body) = connection.get("/", &sent.headers()).await;
                    assert_eq!(status, 503, "{name}: {body:?}");
                    assert_eq!(body, "service overloaded", "{name}");
                }
                gate.add_permits(1);
                let (status, body) = first.await.unwrap();
                assert_eq!(status, 200, "{name}: {body:?}");
                assert_eq!(body, common::in_session("alice"), "{name}");

                // And then it is ready again.
                gate.add_permits(1);
                let (status, body) = connection.get("/", &Sent::Session("bob").headers()).await;
                assert_eq!(status, 200, "{name}: {body:?}");
                assert_eq!(body, common::in_session("bob"), "{name}");
            }
        });
    }
}

/// Not ready, then ready, then broken.
#[derive(Default)]
struct Stages {
    asked: usize,
}

impl Service<Request> for Stages {
    type Response = Response<Body>;
    type Error = &'static str;
    type Future = Ready<Result<Response<Body>, &'static str>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        self.asked += 1;
        match self.asked {
            1 => Poll::Pending,
            2 => Poll::Ready(Ok(())),
            _ => Poll::Ready(Err("broken")),
        }
    }

    fn call(&mut self, _: Request) -> Self::Future {
        ready(Ok(Response::default()))
    }
}

#[test]
fn every_service_is_as_ready_as_the_one_inside() {
    fn check<S: Service<Request, Error = &'static str>>(mut service: S) {
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!(service.poll_ready(&mut cx), Poll::Pending);
        assert_eq!(service.poll_ready(&mut cx), Poll::Ready(Ok(())));
        assert_eq!(service.poll_ready(&mut cx), Poll::Ready(Err("broken")));
    }

    check(SessionIdLayer::new().layer(Stages::default()));
    check(RequireSessionIdLayer::new().layer(Stages::default()));
    check(ServerTimingLayer::new(|| None).layer(Stages::default()));
    check(PropagateSessionIdLayer::to_any_host().layer(Stages::default()));
}

// One of our layers inside of another.

#[test]
fn a_layer_inside_of_another_adds_what_the_outer_one_does_not_find() {
    /// In another task nothing is current.
    async fn extracted(id: Option<SessionId>) -> String {
        assert_eq!(SessionId::current(), None);
        reports(id.as_ref(), id.as_ref())
    }

    let other = || SessionIdLayer::new().sources([Source::header("x-other")]).unwrap();
    let _alone = alone();
    for (app, both) in [
        (whose_app().layer((SessionIdLayer::new(), other())), "carol"),
        (whose_app().layer((other(), SessionIdLayer::new())), "alice"),
        // Each in a call of its own.
        (whose_app().layer(other()).layer(SessionIdLayer::new()), "carol"),
        // What the outer one puts into the extensions, the inner one keeps true.
        (whose_app().layer((SessionIdLayer::new().insert_extension(true), other())), "carol"),
        (whose_app().layer((SessionIdLayer::new(), other().insert_extension(true))), "carol"),
        // Also that of the outer one, for another task.
        (
            Router::new().route("/", get(extracted)).layer((
                SessionIdLayer::new(),
                other().insert_extension(true),
                middleware::from_fn(hands_over),
            )),
            "carol",
        ),
    ] {
        let server = serve_axum_on_one_thread(app.route("/outside", get(common::outside)));
        over_each_protocol(server.address, must_be_its_own);
        common::block_on(async {
            for protocol in [Protocol::Http1, Protocol::Http2] {
                let mut connection = Connection::open(server.address, protocol).await;
                for (headers, session) in [
                    (vec![("x-session-id", "alice")], "alice"),
                    (vec![("x-other", "carol")], "carol"),
                    (vec![("x-session-id", "alice"), ("x-other", "carol")], both),
                    (vec![], "-"),
                    (vec![("x-session-id", "not an ID"), ("x-other", "carol")], "carol"),
                    (vec![("x-session-id", "alice"), ("x-other", "not an ID")], "alice"),
                    (vec![("x-session-id", "not an ID"), ("x-other", "not an ID")], "-"),
                ] {
                    let headers: Vec<_> =
                        headers.iter().map(|&(name, value)| (name, value.as_bytes())).collect();
                    let (_, body) = connection.get("/", &headers).await;
                    assert_eq!(body, common::in_session(session), "{headers:?}");
                    let (_, left) = connection.get("/outside", &headers).await;
                    assert_eq!(left, common::NOTHING, "{headers:?}");
                }
            }
        });
    }
}

async fn hands_over(request: Request, next: Next) -> axum::response::Response {
    tokio::spawn(next.run(request)).await.unwrap()
}

// What hands a request to another task, and what is in a session itself.

#[test]
fn a_request_that_is_handed_to_another_task_has_its_session_in_the_extensions() {
    async fn handler(outcome: SessionIdOutcome, extracted: Option<SessionId>) -> String {
        assert_eq!(outcome.session_id(), extracted.as_ref());
        format!("{} {}", outcome.as_str(), extracted.as_ref().map_or("-", SessionId::as_str))
    }
    async fn needs(id: SessionId) -> String {
        id.to_string()
    }

    let _alone = alone();
    let app = Router::new()
        .route("/", get(handler))
        .route("/needs", get(needs))
        .layer((SessionIdLayer::new().insert_extension(true), middleware::from_fn(hands_over)));
    let server = serve_axum_on_one_thread(app);
    over_each_protocol(server.address, |sent, status, body| {
        assert_eq!(status, 200);
        let id = sent.session();
        assert_eq!(body, format!("{} {}", sent.outcome(), id.as_deref().unwrap_or("-")));
    });
    common::block_on(async {
        let mut connection = Connection::open(server.address, Protocol::Http2).await;
        for sent in SEQUENCE {
            let (status, body) = connection.get("/needs", &sent.headers()).await;
            match sent.session() {
                Some(id) => assert_eq!((status, &*body), (200, id.as_bytes())),
                None => assert_eq!(status, 400, "{body:?}"),
            }
        }
    });
}

#[test]
fn a_session_that_is_current_around_the_layer_is_no_requests() {
    async fn in_a_session(request: Request, next: Next) -> axum::response::Response {
        let id: SessionId = "of-the-server".parse().unwrap();
        let context = opentelemetry::Context::current().with_session_id(id.clone());
        id.scope(next.run(request).with_context(context)).await
    }

    let _alone = alone();
    let app = whose_app().layer((middleware::from_fn(in_a_session), SessionIdLayer::new()));
    let server = serve_axum_on_one_thread(app);
    over_each_protocol(server.address, must_be_its_own);
}

// CatchPanic.

#[test]
fn a_panic_that_is_caught_leaves_nothing_on_the_thread() {
    async fn panics() {
        tokio::task::yield_now().await;
        let _on_drop = OnDrop;
        panic!("of the handler");
    }

    let _alone = alone();
    let inner = || Router::new().route("/", get(panics)).route("/whose", get(whose));
    let (ours, theirs) = (SessionIdLayer::new, CatchPanicLayer::new);
    for app in [inner().layer((ours(), theirs())), inner().layer((theirs(), ours()))] {
        DROPPED_IN.lock().unwrap().clear();
        let server = serve_axum_on_one_thread(app.route("/outside", get(common::outside)));
        common::block_on(async {
            for protocol in [Protocol::Http1, Protocol::Http2] {
                let mut connection = Connection::open(server.address, protocol).await;
                for sent in SEQUENCE {
                    let (status, _) = connection.get("/", &sent.headers()).await;
                    assert_eq!(status, 500);
                    let (_, left) = connection.get("/outside", &sent.headers()).await;
                    assert_eq!(left, common::NOTHING, "{protocol:?}: {sent:?}");
                    let (status, body) = connection.get("/whose", &[]).await;
                    must_be_its_own(Sent::Nothing, status, std::str::from_utf8(&body).unwrap());
                }
            }
        });
        let expected = twice();
        assert_eq!(*DROPPED_IN.lock().unwrap(), expected);
    }
}

// Compression: bodies in bodies.

#[test]
fn a_compressed_body_is_streamed_in_its_session() {
    /// A body that says, chunk by chunk, whose session it is polled in, and notes the one it is dropped in.
    struct Says(usize, OnDrop);

    impl http_body::Body for Says {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            self.0 += 1;
            match self.0 {
                1 | 3 | 5 => {
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
                2 | 4 => {
                    let session = SessionId::current();
                    let chunk = format!("{} ", session.as_ref().map_or("-", SessionId::as_str));
                    Poll::Ready(Some(Ok(Frame::data(chunk.into()))))
                }
                _ => Poll::Ready(None),
            }
        }
    }

    let _alone = alone();
    let inner = || Router::new().route("/", get(async || Body::new(Says(0, OnDrop))));
    let theirs = || CompressionLayer::new().compress_when(SizeAbove::new(0));
    let (ours, require) = (SessionIdLayer::new, RequireSessionIdLayer::new);
    for (app, requires) in [
        (inner().layer((ours(), theirs())), false),
        (inner().layer((theirs(), ours())), false),
        (inner().layer((ours(), theirs(), require())), true),
        (inner().layer((theirs(), ours(), require())), true),
    ] {
        DROPPED_IN.lock().unwrap().clear();
        let server = serve_axum_on_one_thread(app.route("/outside", get(common::outside)));
        let mut expected = vec![];
        common::block_on(async {
            for protocol in [Protocol::Http1, Protocol::Http2] {
                let mut connection = Connection::open(server.address, protocol).await;
                for sent in SEQUENCE {
                    let mut headers = sent.headers();
                    headers.push(("accept-encoding", b"gzip"));
                    let (status, body) = connection.get("/", &headers).await;
                    let mut text = String::new();
                    let mut plain = flate2::read::GzDecoder::new(&*body);
                    plain.read_to_string(&mut text).expect("it is compressed");
                    let session = sent.session();
                    if requires && session.is_none() {
                        assert_eq!(status, 400);
                        assert!(text.contains("session"), "{text}");
                    } else {
                        let id = session.as_deref().unwrap_or("-");
                        assert_eq!(text, format!("{id} {id} "));
                        expected.push(session);
                    }
                    let (_, left) = connection.get("/outside", &sent.headers()).await;
                    assert_eq!(left, common::NOTHING, "{protocol:?}: {sent:?}");
                }
            }
        });
        assert_eq!(*DROPPED_IN.lock().unwrap(), expected);
    }
}

// A body's end and size.

/// A body that does not know its size, and whether it is at its end.
struct Unsized {
    frames: Vec<&'static str>,
}

impl http_body::Body for Unsized {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(
            self.frames.pop().map(|chunk| Ok(Frame::data(Bytes::from_static(chunk.as_bytes())))),
        )
    }

    fn is_end_stream(&self) -> bool {
        self.frames.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

#[test]
fn the_server_sees_the_size_and_the_end_of_a_body_through_ours() {
    let _alone = alone();
    let inner = Router::new()
        .route("/empty", get(async || Body::new(Unsized { frames: vec![] })))
        .route("/unsized", get(async || Body::new(Unsized { frames: vec!["two", "one"] })))
        .route("/whole", get(async || "whole"));
    let without_ours = serve_axum(inner.clone());
    for ours in [
        inner.clone().layer(SessionIdLayer::new()),
        inner.clone().layer((SessionIdLayer::new(), RequireSessionIdLayer::new())),
        inner.layer((
            SessionIdLayer::new(),
            SessionIdLayer::new(),
            ServerTimingLayer::new(|| None),
        )),
    ] {
        let ours = serve_axum(ours);
        let framing = |address, target| {
            let answer = get_once(address, target, &[("x-session-id", b"abc")]);
            let values = |name| answer.header(name).join(",");
            (values("content-length"), values("transfer-encoding"), answer.body.clone())
        };
        for (target, length) in [("/empty", "0"), ("/unsized", ""), ("/whole", "5")] {
            let expected = framing(without_ours.address, target);
            assert_eq!(expected.0, length, "{target}");
            assert_eq!(framing(ours.address, target), expected, "{target}");
        }
    }

    // A refusal is as long as it is.
    let app = whose_app().layer((SessionIdLayer::new(), RequireSessionIdLayer::new()));
    let server = serve_axum(app);
    let answer = get_once(server.address, "/", &[]);
    assert_eq!(answer.status, 400);
    assert_eq!(answer.header("content-length"), [answer.body.len().to_string()]);
    assert!(answer.header("transfer-encoding").is_empty());
}

#[test]
fn a_body_of_ours_is_at_its_end_when_the_inner_one_is() {
    async fn check<B>(body: B, frames: usize)
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: std::fmt::Debug,
    {
        let mut body = pin!(body);
        for _ in 0..frames {
            assert!(!body.is_end_stream());
            poll_fn(|cx| body.as_mut().poll_frame(cx)).await.unwrap().unwrap();
        }
        assert!(body.is_end_stream());
        assert!(poll_fn(|cx| body.as_mut().poll_frame(cx)).await.is_none());
    }

    common::block_on(async {
        for frames in 0..3 {
            let inner = tower::service_fn(move |_: http::Request<()>| {
                ready(Ok::<_, Infallible>(Response::new(Unsized { frames: vec!["chunk"; frames] })))
            });
            let request =
                || http::Request::get("/").header("x-session-id", "abc").body(()).unwrap();
            let ours = SessionIdLayer::new().layer(inner);
            check(ours.clone().oneshot(request()).await.unwrap().into_body(), frames).await;
            let required = SessionIdLayer::new().layer(RequireSessionIdLayer::new().layer(inner));
            check(required.oneshot(request()).await.unwrap().into_body(), frames).await;
        }
        let inner = tower::service_fn(|_: http::Request<()>| {
            ready(Ok::<_, Infallible>(Response::new(Unsized { frames: vec!["chunk"] })))
        });
        let refused = SessionIdLayer::new().layer(RequireSessionIdLayer::new().layer(inner));
        let request = http::Request::get("/").body(()).unwrap();
        check(refused.oneshot(request).await.unwrap().into_body(), 1).await;
    });
}

// Retry, on a client.

#[derive(Clone)]
struct OnFailure(usize);

impl Policy<Request<String>, Response<hyper::body::Incoming>, hyper_util::client::legacy::Error>
    for OnFailure
{
    type Future = Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<String>,
        result: &mut Result<Response<hyper::body::Incoming>, hyper_util::client::legacy::Error>,
    ) -> Option<Ready<()>> {
        let failed = result.as_ref().is_ok_and(|response| response.status().is_server_error());
        self.0 = self.0.checked_sub(1).filter(|_| failed)?;
        Some(ready(()))
    }

    fn clone_request(&mut self, request: &Request<String>) -> Option<Request<String>> {
        Some(request.clone())
    }
}

#[test]
fn every_try_of_a_call_has_the_session_once() {
    let _alone = alone();
    let peer = Peer::local();
    let uri = format!("http://{}/", peer.address);
    let client = ServiceBuilder::new()
        .layer(RetryLayer::new(OnFailure(2)))
        .layer(PropagateSessionIdLayer::to_hosts(["127.0.0.1"]).unwrap())
        .service(Client::builder(TokioExecutor::new()).build_http::<String>());
    let calls = async move |request: Request| {
        let mut client = client.clone();
        let mut call = http::Request::get(uri).body(String::new()).unwrap();
        if request.headers().contains_key("x-session-id") {
            call.headers_mut().insert("x-session-id", "stale".parse().unwrap());
        }
        client.ready().await.unwrap().call(call).await.unwrap().status().to_string()
    };
    let server = serve_axum(Router::new().route("/", get(calls)).layer(SessionIdLayer::new()));
    common::block_on(async {
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let mut connection = Connection::open(server.address, protocol).await;
            for sent in [Sent::Session("alice"), Sent::Nothing, Sent::Session("bob")] {
                peer.fail(2);
                let (_, status) = connection.get("/", &sent.headers()).await;
                assert_eq!(status, "200 OK");
                let received = peer.take_received();
                let received: Vec<_> =
                    received.iter().map(|received| received.header("x-session-id")).collect();
                let expected: Vec<_> = sent.session().into_iter().collect();
                assert_eq!(received, vec![expected; 3], "{protocol:?}: {sent:?}");
            }
        }
    });
}

// axum's own.

#[test]
fn a_route_layer_is_for_the_routes() {
    let _alone = alone();
    let app = whose_app()
        .route_layer((SessionIdLayer::new(), RequireSessionIdLayer::new()))
        .route("/open", get(whose))
        .fallback(common::outside);
    let server = serve_axum_on_one_thread(app);
    over_each_protocol(server.address, must_be_there);
    common::block_on(async {
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let mut connection = Connection::open(server.address, protocol).await;
            for sent in SEQUENCE {
                connection.get("/", &sent.headers()).await;
                let (status, body) = connection.get("/open", &sent.headers()).await;
                must_be_its_own(Sent::Nothing, status, std::str::from_utf8(&body).unwrap());
                let (_, body) = connection.get("/nowhere", &sent.headers()).await;
                assert_eq!(body, common::NOTHING);
            }
        }
    });
}

#[test]
fn a_preflight_passes_a_layer_that_requires_a_session() {
    let _alone = alone();
    let sources = [Source::header("x-session-id"), Source::highlight()];
    let sessions = SessionIdLayer::new().sources(sources).unwrap();
    let cors = CorsLayer::new()
        .allow_origin(tower_http::cors::Any)
        .allow_headers(sessions.request_headers());
    let app = whose_app().layer((cors, sessions, RequireSessionIdLayer::new()));
    let server = serve_axum(app);

    let answer = common::preflight(server.address);
    assert!(answer.starts_with("http/1.1 200 "), "{answer}");
    let allowed = "access-control-allow-headers: x-session-id,x-highlight-request,traceparent";
    assert!(answer.contains(allowed), "{answer}");
    over_each_protocol(server.address, must_be_there);
    // Also a refusal can be read by the page.
    let refusal = get_once(server.address, "/", &[("origin", b"http://page.example")]);
    assert_eq!(refusal.status, 400);
    assert_eq!(refusal.header(header::ACCESS_CONTROL_ALLOW_ORIGIN.as_str()), ["*"]);
}

#[test]
fn an_outcome_is_an_argument_in_every_request() {
    let _alone = alone();
    async fn outcome(outcome: SessionIdOutcome) -> String {
        outcome.as_str().to_owned()
    }
    let server = serve_axum(Router::new().route("/", get(outcome)).layer(SessionIdLayer::new()));
    over_each_protocol(server.address, |sent, status, body| {
        assert_eq!(status, 200);
        assert_eq!(body, sent.outcome());
    });

    let without = serve_axum(Router::new().route("/", get(outcome)));
    let requests = over_each_protocol(without.address, |_, status, body| {
        assert_eq!(status, 500, "{body}");
        assert!(body.contains("no_layer"), "{body}");
    });
    assert_eq!(errors_about_a_missing_layer(), requests);
}
