//! Other people's middleware, inside and outside of ours, in actix-web: on connections that serve one
//! session after another, and requests without any.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

mod common;

use std::future::pending;
use std::io::Read;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use actix_cors::Cors;
use actix_web::body::{BodySize, BoxBody, MessageBody, SizedStream};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::http::StatusCode;
use actix_web::middleware::{Compress, Next, from_fn};
use actix_web::{App, Error, HttpMessage, HttpRequest, HttpResponse, error, web};
use bytes::Bytes;
use common::{
    DROPPED_IN, OnDrop, SEQUENCE, Sent, alone, must_be_its_own, must_be_there, over_each_protocol,
    reports, twice, whose,
};
use qorrelate_actix::{
    RequireSessionIdMiddleware, ServerTimingMiddleware, SessionId, SessionIdMiddleware,
    SessionIdOutcome, Source,
};
use qorrelate_tests::client::{Connection, Protocol, get as get_once};
use qorrelate_tests::server::{Server, run_actix};
use qorrelate_tests::telemetry::Telemetry;

/// Serves with one worker: all requests run on one thread. The type of an app's factory has no name.
macro_rules! one_worker {
    ($app:expr) => {{
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        run_actix(address, move || {
            actix_web::HttpServer::new(move || $app)
                .workers(1)
                .h1_allow_half_closed(false)
                .disable_signals()
                .listen_auto_h2c(listener)
                .unwrap()
                .run()
        })
    }};
}

async fn outside() -> String {
    common::outside().await
}

fn lines_saying(message: &str, level: &str) -> usize {
    let records = Telemetry::install().records_once(|_| true);
    let lines = records.lines_saying(message);
    lines.iter().filter(|line| line["level"] == level && line["target"] == "qorrelate").count()
}

/// Sends to a path over one connection of each protocol.
fn to(server: &Server, path: &str, check: impl Fn(Sent, u16, &str)) -> usize {
    common::block_on(async {
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let mut connection = Connection::open(server.address, protocol).await;
            for sent in SEQUENCE {
                let (status, body) = connection.get(path, &sent.headers()).await;
                check(sent, status, std::str::from_utf8(&body).unwrap());
                let (_, left) = connection.get("/outside", &sent.headers()).await;
                assert_eq!(left, common::NOTHING, "{protocol:?}: {sent:?}");
            }
        }
    });
    2 * SEQUENCE.len()
}

// One middleware, and one inside of another.

#[test]
fn one_connection_serves_one_session_after_another() {
    let _alone = alone();
    let server = one_worker!(
        App::new()
            .service(
                web::resource("/whose")
                    .wrap(SessionIdMiddleware::new())
                    .route(web::get().to(whose))
            )
            .route("/outside", web::get().to(outside))
    );
    to(&server, "/whose", must_be_its_own);
}

#[test]
fn a_middleware_inside_of_another_adds_what_the_outer_one_does_not_find() {
    let other = || SessionIdMiddleware::new().sources([Source::header("x-other")]).unwrap();
    let _alone = alone();
    let server = one_worker!(
        App::new()
            .service(
                web::resource("/other-inside")
                    .wrap(other())
                    .wrap(SessionIdMiddleware::new())
                    .route(web::get().to(whose))
            )
            .service(
                web::resource("/other-outside")
                    .wrap(SessionIdMiddleware::new())
                    .wrap(other())
                    .route(web::get().to(whose))
            )
            .service(
                // What the outer one puts into the extensions, the inner one keeps true.
                web::resource("/extension-outside")
                    .wrap(other())
                    .wrap(SessionIdMiddleware::new().insert_extension(true))
                    .route(web::get().to(whose))
            )
            .service(
                web::resource("/extension-inside")
                    .wrap(other().insert_extension(true))
                    .wrap(SessionIdMiddleware::new())
                    .route(web::get().to(whose))
            )
            .route("/outside", web::get().to(outside))
    );
    let paths = [
        ("/other-inside", "carol"),
        ("/other-outside", "alice"),
        ("/extension-outside", "carol"),
        ("/extension-inside", "carol"),
    ];
    for (path, _) in paths {
        to(&server, path, must_be_its_own);
    }
    common::block_on(async {
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let mut connection = Connection::open(server.address, protocol).await;
            for (path, both) in paths {
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
                    let (_, body) = connection.get(path, &headers).await;
                    assert_eq!(body, common::in_session(session), "{path} {headers:?}");
                }
            }
        }
    });
}

// public_edge.

#[test]
fn baggage_of_clients_is_taken_out_by_the_outermost() {
    async fn baggage(request: HttpRequest) -> String {
        let lines = request.headers().get_all("baggage").map(|line| line.to_str().unwrap());
        let session = SessionId::current();
        format!(
            "{} {:?}",
            session.as_ref().map_or("-", SessionId::as_str),
            lines.collect::<Vec<_>>()
        )
    }

    let edge = || {
        SessionIdMiddleware::new()
            .sources([Source::header("X-Session-ID"), Source::baggage()])
            .unwrap()
            .public_edge()
    };
    let _alone = alone();
    let server = one_worker!(
        App::new()
            .service(web::scope("/edge").wrap(edge()).route("", web::get().to(baggage)))
            .service(
                web::resource("/kept")
                    .wrap(edge())
                    .wrap(from_fn(async |request: ServiceRequest, next: Next<_>| {
                        let kept = request.request().clone();
                        let response: Result<ServiceResponse<_>, Error> = next.call(request).await;
                        drop(kept);
                        response
                    }))
                    .route(web::get().to(baggage))
            )
            .route("/open", web::get().to(baggage))
    );
    common::block_on(async {
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let mut connection = Connection::open(server.address, protocol).await;
            for sent in SEQUENCE {
                let id = sent.session();
                let id = id.as_deref().unwrap_or("-");
                let mut headers = sent.headers();
                headers.push(("baggage", b"session.id=mallory"));
                headers.push(("baggage", b"tenant=9"));
                let (status, body) = connection.get("/edge", &headers).await;
                assert_eq!((status, &*body), (200, format!("{id} []").as_bytes()));

                // A clone that is kept outside of ours: actix-web can't let us change the request.
                let said = lines_saying("can't take out `baggage`", "ERROR");
                let (status, body) = connection.get("/kept", &headers).await;
                let whole = r#"["session.id=mallory", "tenant=9"]"#;
                assert_eq!((status, &*body), (200, format!("{id} {whole}").as_bytes()));
                let now = lines_saying("can't take out `baggage`", "ERROR");
                assert_eq!(now, said + 1);

                // Without baggage there is nothing to take out.
                let (status, body) = connection.get("/kept", &sent.headers()).await;
                assert_eq!((status, &*body), (200, format!("{id} []").as_bytes()));
                let still = lines_saying("can't take out `baggage`", "ERROR");
                assert_eq!(still, now);
            }
        }
    });
}

// Bodies.

#[test]
fn a_body_that_is_there_as_a_whole_can_be_taken_through_ours() {
    async fn takes(
        request: ServiceRequest,
        next: Next<impl MessageBody + 'static>,
    ) -> Result<ServiceResponse<BoxBody>, Error> {
        let response = next.call(request).await?;
        let (request, response) = response.into_parts();
        let (response, body) = response.into_parts();
        let body = match body.try_into_bytes() {
            Ok(bytes) => BoxBody::new(format!("taken: {}", String::from_utf8_lossy(&bytes))),
            Err(body) => BoxBody::new(body),
        };
        Ok(ServiceResponse::new(request, response.set_body(body)))
    }

    let _alone = alone();
    let server = one_worker!(
        App::new()
            .service(
                web::resource("/whole")
                    .wrap(SessionIdMiddleware::new())
                    .wrap(from_fn(takes))
                    .route(web::get().to(whose))
            )
            .service(
                web::resource("/streamed")
                    .wrap(SessionIdMiddleware::new())
                    .wrap(from_fn(takes))
                    .route(web::get().to(async || HttpResponse::Ok().body(Says(0, OnDrop))))
            )
            .route("/outside", web::get().to(outside))
    );
    to(&server, "/whole", |sent, status, body| {
        must_be_its_own(sent, status, body.strip_prefix("taken: ").expect(body));
    });
    let requests = to(&server, "/streamed", |sent, _, body| {
        let id = sent.session();
        let id = id.as_deref().unwrap_or("-");
        assert_eq!(body, format!("{id} {id} "));
    });
    assert_eq!(*DROPPED_IN.lock().unwrap(), twice());
    assert_eq!(requests, twice().len());
}

/// A body that says, chunk by chunk, whose session it is polled in, and notes the one it is dropped in.
struct Says(usize, #[allow(dead_code, reason = "it is dropped")] OnDrop);

impl MessageBody for Says {
    type Error = Error;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Error>>> {
        self.0 += 1;
        match self.0 {
            1 | 3 | 5 => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            2 | 4 => {
                let session = SessionId::current();
                let chunk = format!("{} ", session.as_ref().map_or("-", SessionId::as_str));
                Poll::Ready(Some(Ok(chunk.into())))
            }
            _ => Poll::Ready(None),
        }
    }
}

#[test]
fn the_server_sees_the_size_of_a_body_through_ours() {
    async fn sized() -> HttpResponse {
        let chunks =
            ["one", "two"].map(|chunk| Ok::<_, Error>(Bytes::from_static(chunk.as_bytes())));
        HttpResponse::Ok().body(SizedStream::new(6, tokio_stream::iter(chunks)))
    }

    let _alone = alone();
    let server = one_worker!(
        App::new()
            .service(
                web::resource("/with").wrap(SessionIdMiddleware::new()).route(web::get().to(whose))
            )
            .service(
                web::resource("/sized")
                    .wrap(SessionIdMiddleware::new())
                    .route(web::get().to(sized))
            )
            .service(
                web::resource("/required")
                    .wrap(RequireSessionIdMiddleware::new())
                    .wrap(SessionIdMiddleware::new())
                    .route(web::get().to(whose))
            )
    );
    for (path, headers, status) in [
        ("/with", vec![("x-session-id", b"abc".as_slice())], 200),
        ("/with", vec![], 200),
        ("/sized", vec![("x-session-id", b"abc".as_slice())], 200),
        ("/sized", vec![], 200),
        ("/required", vec![("x-session-id", b"abc".as_slice())], 200),
        ("/required", vec![], 400),
    ] {
        let answer = get_once(server.address, path, &headers);
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("content-length"), [answer.body.len().to_string()], "{path}");
        assert!(answer.header("transfer-encoding").is_empty());
    }
}

#[test]
fn a_compressed_body_is_streamed_in_its_session() {
    let _alone = alone();
    let body = || web::get().to(async || HttpResponse::Ok().body(Says(0, OnDrop)));
    let server = one_worker!(
        App::new()
            .service(
                web::resource("/inside")
                    .wrap(SessionIdMiddleware::new())
                    .wrap(Compress::default())
                    .route(body())
            )
            .service(
                web::resource("/outside-of-compress")
                    .wrap(Compress::default())
                    .wrap(SessionIdMiddleware::new())
                    .route(body())
            )
            .route("/outside", web::get().to(outside))
    );
    common::block_on(async {
        for path in ["/inside", "/outside-of-compress"] {
            for protocol in [Protocol::Http1, Protocol::Http2] {
                let mut connection = Connection::open(server.address, protocol).await;
                for sent in SEQUENCE {
                    let mut headers = sent.headers();
                    headers.push(("accept-encoding", b"gzip"));
                    let (status, body) = connection.get(path, &headers).await;
                    assert_eq!(status, 200);
                    let mut text = String::new();
                    let mut plain = flate2::read::GzDecoder::new(&*body);
                    plain.read_to_string(&mut text).expect("it is compressed");
                    let id = sent.session();
                    let id = id.as_deref().unwrap_or("-");
                    assert_eq!(text, format!("{id} {id} "));
                    let (_, left) = connection.get("/outside", &sent.headers()).await;
                    assert_eq!(left, common::NOTHING, "{protocol:?}: {sent:?}");
                }
            }
        }
    });
    assert_eq!(*DROPPED_IN.lock().unwrap(), [twice(), twice()].concat());
}

// What requires a session.

const NO_LAYER: &str = "no session layer ran for this request";

#[test]
fn a_request_without_a_session_is_the_clients_fault_and_one_without_the_middleware_is_ours() {
    async fn needs(id: SessionId) -> String {
        reports(SessionId::current().as_ref(), Some(&id))
    }
    async fn outcome(outcome: SessionIdOutcome) -> String {
        outcome.as_str().to_owned()
    }
    async fn asks() -> Result<String, qorrelate_actix::MissingSessionId> {
        let id = SessionId::require()?;
        Ok(reports(Some(&id), Some(&id)))
    }

    let _alone = alone();
    let server = one_worker!(
        App::new()
            .service(
                web::scope("/with")
                    .wrap(SessionIdMiddleware::new())
                    .service(
                        web::resource("/required")
                            .wrap(RequireSessionIdMiddleware::new())
                            .route(web::get().to(whose))
                    )
                    .route("/needs", web::get().to(needs))
                    .route("/asks", web::get().to(asks))
                    .route("/outcome", web::get().to(outcome))
            )
            .service(
                web::resource("/without/required")
                    .wrap(RequireSessionIdMiddleware::new())
                    .route(web::get().to(whose))
            )
            .route("/without/needs", web::get().to(needs))
            .route("/without/asks", web::get().to(asks))
            .route("/without/outcome", web::get().to(outcome))
            .route("/without/whose", web::get().to(whose))
            .route("/outside", web::get().to(outside))
    );
    for path in ["/with/required", "/with/needs", "/with/asks"] {
        to(&server, path, must_be_there);
    }
    to(&server, "/with/outcome", |sent, status, body| {
        assert_eq!((status, body), (200, sent.outcome()));
    });
    assert_eq!(lines_saying(NO_LAYER, "ERROR"), 0);

    to(&server, "/without/whose", |_, status, body| {
        must_be_its_own(Sent::Nothing, status, body);
    });
    for path in ["/without/required", "/without/needs", "/without/asks", "/without/outcome"] {
        let said = lines_saying(NO_LAYER, "ERROR");
        let requests = to(&server, path, |_, status, body| {
            assert_eq!(status, 500, "{body}");
            assert!(body.contains("no_layer"), "{body}");
        });
        assert_eq!(lines_saying(NO_LAYER, "ERROR"), said + requests, "{path}");
    }
}

#[test]
fn the_extension_is_there_if_asked_for_and_is_read() {
    async fn extension(request: HttpRequest) -> String {
        let extensions = request.extensions();
        let outcome = extensions.get::<SessionIdOutcome>().map(SessionIdOutcome::as_str);
        let id = extensions.get::<SessionId>().map(SessionId::as_str);
        format!("{} {}", outcome.unwrap_or("none"), id.unwrap_or("-"))
    }
    /// Answers outside of the session what an extractor finds.
    async fn after(
        request: ServiceRequest,
        next: Next<impl MessageBody + 'static>,
    ) -> Result<ServiceResponse<BoxBody>, Error> {
        let response = next.call(request).await?;
        assert_eq!(SessionId::current(), None);
        let (request, _) = response.into_parts();
        let extracted = Option::<SessionId>::extract(&request).await?;
        let outcome = SessionIdOutcome::extract(&request).await?;
        assert_eq!(outcome.session_id(), extracted.as_ref());
        let id = extracted.as_ref().map_or("-", SessionId::as_str);
        let body = format!("{} {id}", outcome.as_str());
        Ok(ServiceResponse::new(request, HttpResponse::Ok().body(body)))
    }
    use actix_web::FromRequest;

    let ours = || SessionIdMiddleware::new().insert_extension(true);
    let _alone = alone();
    let server = one_worker!(
        App::new()
            .service(web::resource("/asked").wrap(ours()).route(web::get().to(extension)))
            .service(
                web::resource("/not-asked")
                    .wrap(SessionIdMiddleware::new())
                    .route(web::get().to(extension))
            )
            .service(
                web::resource("/after")
                    .wrap(ours())
                    .wrap(from_fn(after))
                    .route(web::get().to(whose))
            )
            .route("/outside", web::get().to(outside))
    );
    for path in ["/asked", "/after"] {
        to(&server, path, |sent, status, body| {
            assert_eq!(status, 200);
            let id = sent.session();
            assert_eq!(body, format!("{} {}", sent.outcome(), id.as_deref().unwrap_or("-")));
        });
    }
    to(&server, "/not-asked", |_, _, body| assert_eq!(body, "none -"));
}

// Requests that are given up, that fail, that panic.

static STARTED: AtomicUsize = AtomicUsize::new(0);

#[test]
fn requests_that_end_early_leave_nothing_on_the_thread() {
    async fn never() -> String {
        let _on_drop = OnDrop;
        STARTED.fetch_add(1, Ordering::SeqCst);
        pending().await
    }
    async fn gives_up(
        request: ServiceRequest,
        next: Next<impl MessageBody + 'static>,
    ) -> Result<ServiceResponse<impl MessageBody>, Error> {
        match tokio::time::timeout(std::time::Duration::from_millis(5), next.call(request)).await {
            Ok(response) => response,
            Err(_) => Err(failure("too slow")),
        }
    }
    async fn fails() -> Result<String, Error> {
        let _on_drop = OnDrop;
        tokio::task::yield_now().await;
        Err(failure("failed"))
    }
    async fn refuses(_: ServiceRequest, _: Next<BoxBody>) -> Result<ServiceResponse, Error> {
        let _on_drop = OnDrop;
        tokio::task::yield_now().await;
        Err(failure("refused"))
    }
    fn failure(why: &'static str) -> Error {
        error::InternalError::new(why, StatusCode::SERVICE_UNAVAILABLE).into()
    }

    let _alone = alone();
    let ours = SessionIdMiddleware::new;
    let server = one_worker!(
        App::new()
            .service(
                web::resource("/timeout-outside")
                    .wrap(ours())
                    .wrap(from_fn(gives_up))
                    .route(web::get().to(never))
            )
            .service(
                web::resource("/timeout-inside")
                    .wrap(from_fn(gives_up))
                    .wrap(ours())
                    .route(web::get().to(never))
            )
            .service(web::resource("/fails").wrap(ours()).route(web::get().to(fails)))
            .service(
                web::resource("/refused")
                    .wrap(from_fn(refuses))
                    .wrap(ours())
                    .route(web::get().to(fails))
            )
            .service(web::resource("/never").wrap(ours()).route(web::get().to(never)))
            .route("/outside", web::get().to(outside))
    );
    for path in ["/timeout-outside", "/timeout-inside", "/fails", "/refused"] {
        DROPPED_IN.lock().unwrap().clear();
        to(&server, path, |_, status, body| assert_eq!(status, 503, "{body}"));
        assert_eq!(*DROPPED_IN.lock().unwrap(), twice(), "{path}");
    }

    // Given up by the client. actix-http goes on with a request whose HTTP/2 stream was reset.
    DROPPED_IN.lock().unwrap().clear();
    common::block_on(async {
        let mut connection = Connection::open(server.address, Protocol::Http1).await;
        for sent in SEQUENCE {
            let started = STARTED.load(Ordering::SeqCst);
            let dropped = DROPPED_IN.lock().unwrap().len();
            let has_started = || STARTED.load(Ordering::SeqCst) > started;
            connection.cancel("/never", &sent.headers(), has_started).await;
            common::until(|| DROPPED_IN.lock().unwrap().len() > dropped).await;
            let (_, left) = connection.get("/outside", &[]).await;
            assert_eq!(left, common::NOTHING, "{sent:?}");
        }
    });
    assert_eq!(*DROPPED_IN.lock().unwrap(), SEQUENCE.map(Sent::session));
}

#[test]
fn slow_requests_leave_nothing_on_the_thread_while_they_wait() {
    static GATE: tokio::sync::Semaphore = tokio::sync::Semaphore::const_new(0);

    async fn slow(extracted: Option<SessionId>) -> String {
        STARTED.fetch_add(1, Ordering::SeqCst);
        GATE.acquire().await.unwrap().forget();
        reports(SessionId::current().as_ref(), extracted.as_ref())
    }

    let _alone = alone();
    let server = one_worker!(
        App::new()
            .service(
                web::resource("/slow").wrap(SessionIdMiddleware::new()).route(web::get().to(slow))
            )
            .route("/outside", web::get().to(outside))
    );
    let address = server.address;
    common::block_on(async {
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let mut other = Connection::open(address, protocol).await;
            let started = STARTED.load(Ordering::SeqCst);
            let waiting = SEQUENCE.map(|sent| {
                tokio::spawn(async move {
                    let mut connection = Connection::open(address, protocol).await;
                    (sent, connection.get("/slow", &sent.headers()).await)
                })
            });
            common::until(|| STARTED.load(Ordering::SeqCst) == started + SEQUENCE.len()).await;
            for _ in SEQUENCE {
                let (_, left) = other.get("/outside", &[]).await;
                assert_eq!(left, common::NOTHING);
                GATE.add_permits(1);
            }
            for waiting in waiting {
                let (sent, (status, body)) = waiting.await.unwrap();
                must_be_its_own(sent, status, std::str::from_utf8(&body).unwrap());
            }
        }
    });
}

// An inner service that is not ready.

struct Stages(std::cell::Cell<usize>);

impl Service<ServiceRequest> for Stages {
    type Response = ServiceResponse;
    type Error = Error;
    type Future = std::future::Ready<Result<ServiceResponse, Error>>;

    fn poll_ready(&self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.0.set(self.0.get() + 1);
        match self.0.get() {
            1 => Poll::Pending,
            2 => Poll::Ready(Ok(())),
            _ => Poll::Ready(Err(error::ErrorInternalServerError("broken"))),
        }
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        std::future::ready(Ok(request.into_response(HttpResponse::Ok())))
    }
}

#[test]
fn every_service_is_as_ready_as_the_one_inside() {
    async fn check<T: Transform<Stages, ServiceRequest, InitError = ()>>(middleware: T)
    where
        T::Error: std::fmt::Display,
    {
        let service = middleware.new_transform(Stages(0.into())).await.expect("a service");
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert!(service.poll_ready(&mut cx).is_pending());
        assert!(matches!(service.poll_ready(&mut cx), Poll::Ready(Ok(()))));
        let Poll::Ready(Err(error)) = service.poll_ready(&mut cx) else { panic!("it is broken") };
        assert_eq!(error.to_string(), "broken");
    }

    common::block_on(async {
        check(SessionIdMiddleware::new()).await;
        check(RequireSessionIdMiddleware::new()).await;
        check(ServerTimingMiddleware::new(|| None)).await;
    });
}

#[test]
fn every_outermost_middleware_serves_the_sequence() {
    let _alone = alone();
    let server = one_worker!(
        App::new()
            .route("/", web::get().to(whose))
            .wrap(ServerTimingMiddleware::new(|| None))
            .wrap(tracing_actix_web::TracingLogger::default())
            .wrap(SessionIdMiddleware::new())
    );
    over_each_protocol(server.address, must_be_its_own);
}

#[test]
fn a_preflight_passes_a_middleware_that_requires_a_session() {
    let _alone = alone();
    let sources = [Source::header("x-session-id"), Source::highlight()];
    let sessions = SessionIdMiddleware::new().sources(sources).unwrap();
    let server = one_worker!(
        App::new()
            .route("/", web::get().to(whose))
            .route("/outside", web::get().to(outside))
            .wrap(RequireSessionIdMiddleware::new())
            .wrap(sessions.clone())
            .wrap(
                Cors::default()
                    .allow_any_origin()
                    .allowed_methods(["GET"])
                    .allowed_headers(sessions.request_headers())
            )
    );
    let answer = common::preflight(server.address);
    assert!(answer.starts_with("http/1.1 200 "), "{answer}");
    let allowed = answer.lines().find(|line| line.starts_with("access-control-allow-headers"));
    for header in ["x-session-id", "x-highlight-request", "traceparent"] {
        assert!(allowed.unwrap().contains(header), "{answer}");
    }
    // Also a refusal can be read by the page.
    let page = ("origin", &b"http://page.example"[..]);
    let refusal = get_once(server.address, "/", &[page]);
    assert_eq!(refusal.status, 400);
    assert_eq!(refusal.header("access-control-allow-origin"), ["http://page.example"]);
    let answer = get_once(server.address, "/", &[page, ("x-session-id", b"abc")]);
    assert_eq!(answer.status, 200);
}
