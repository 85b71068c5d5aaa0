//! What goes to a host that is not named, by real clients over real sockets: nothing of the session,
//! directly, through a redirect or through a retry.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

use std::future::Ready;
use std::pin::Pin;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use qorrelate_actix::{Carrier, PropagateSessionIdMiddleware, SessionId};
use qorrelate_tests::peer::{Peer, Received};
use qorrelate_tower::{
    PropagateSessionId, PropagateSessionIdExt, PropagateSessionIdLayer, RequestBuilderExt,
};
use tower::retry::{Policy, RetryLayer};
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_http::follow_redirect::FollowRedirectLayer;
use tower_http::follow_redirect::policy::{Limited, PolicyExt, clone_body_fn};

const ID: &str = "abc-123-xyz";
const HEADER: &str = "x-session-id";

type Body = Full<Bytes>;

/// A client that is set up to hand the session on to some hosts, and follows redirects.
#[derive(Clone, Copy)]
struct Client {
    name: &'static str,
    /// Sends a request with a body, in the session.
    send: fn(&[&str], method: &str, url: &str),
}

const CLIENTS: [Client; 5] = [
    Client { name: "hyper", send: hyper },
    Client { name: "reqwest", send: reqwest },
    Client { name: "reqwest, in_session", send: reqwest_in_session },
    Client { name: "reqwest-middleware", send: reqwest_middleware },
    Client { name: "awc", send: awc },
];

fn id() -> SessionId {
    ID.parse().unwrap()
}

fn layer(hosts: &[&str]) -> PropagateSessionIdLayer {
    PropagateSessionIdLayer::to_hosts(hosts).unwrap()
}

/// Runs what a handler would do. Whether the answer is good is not the question: to some it is not
/// even HTTP.
fn run<T, E: std::fmt::Debug>(send: impl AsyncFnOnce() -> Result<T, E>) -> Result<T, E> {
    let work = async {
        tokio::time::timeout(Duration::from_secs(10), send()).await.expect("an answer in time")
    };
    actix_web::rt::System::new().block_on(id().scope(work))
}

fn hyper_client() -> HyperClient<HttpConnector, Body> {
    HyperClient::builder(TokioExecutor::new()).build_http()
}

fn request(method: &str, url: &str) -> Request<Body> {
    Request::builder().method(method).uri(url).body(Body::from("a body")).unwrap()
}

fn hyper(hosts: &[&str], method: &str, url: &str) {
    let client = ServiceBuilder::new()
        .layer(FollowRedirectLayer::with_policy(
            Limited::new(10).and::<_, Body, ()>(clone_body_fn(|body: &Body| Some(body.clone()))),
        ))
        .layer(layer(hosts))
        .service(hyper_client());
    let _ = run(async || client.oneshot(request(method, url)).await);
}

fn reqwest_builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder().no_proxy()
}

fn reqwest(hosts: &[&str], method: &str, url: &str) {
    let client = reqwest_builder().build_propagating(layer(hosts)).unwrap();
    let method = method.parse().unwrap();
    let _ = run(async || client.request(method, url).body("a body").send().await);
}

fn reqwest_in_session(hosts: &[&str], method: &str, url: &str) {
    let client = reqwest_builder().build_propagating(layer(hosts)).unwrap();
    let other = reqwest_builder().build().unwrap();
    let method = method.parse().unwrap();
    let request = other.request(method, url).body("a body");
    let _ = run(async || request.in_session(&client).unwrap().send().await);
}

fn reqwest_middleware(hosts: &[&str], method: &str, url: &str) {
    let client = reqwest_builder().build_propagating(layer(hosts)).unwrap();
    let client = client.with_middleware(|builder| builder);
    let method = method.parse().unwrap();
    let _ = run(async || client.request(method, url).body("a body").send().await);
}

fn awc(hosts: &[&str], method: &str, url: &str) {
    let middleware = PropagateSessionIdMiddleware::to_hosts(hosts).unwrap();
    let _ = run(async || {
        let client = awc::Client::builder().wrap(middleware).finish();
        client.request(method.parse().unwrap(), url).send_body("a body").await
    });
}

fn sessions(received: &[Received]) -> Vec<Vec<String>> {
    received.iter().map(|request| request.header(HEADER)).collect()
}

/// That something came, or may have come, and nothing of it was the session's.
fn assert_nothing_of_the_session(received: &[Received], what: &str) {
    for request in received {
        assert!(!request.mentions(ID), "{what}: {request:?}");
        assert!(!request.mentions(HEADER), "{what}: {request:?}");
    }
}

#[test]
fn a_host_that_is_named_gets_the_session_and_another_does_not() {
    let (named, stranger) = (Peer::local(), Peer::local());
    let hosts = [&*named.address.to_string()];
    for client in CLIENTS {
        (client.send)(&hosts, "GET", &format!("http://{}/", named.address));
        assert_eq!(sessions(&named.take_received()), [[ID]], "{}", client.name);

        for url in [
            format!("http://{}/", stranger.address),
            format!("http://localhost:{}/", stranger.port()),
            format!("http://{}@{}/", named.address, stranger.address),
            format!("http://{}@localhost:{}/", named.address, stranger.port()),
        ] {
            (client.send)(&hosts, "GET", &url);
            let received = stranger.take_received();
            assert_eq!(received.len(), 1, "{}: {url}", client.name);
            assert_nothing_of_the_session(&received, client.name);
        }
    }
}

#[test]
fn no_redirect_takes_the_session_to_a_host_that_is_not_named() {
    let named = Peer::local();
    let strangers: Vec<_> =
        ["127.0.0.1", "127.0.0.2", "::1"].into_iter().filter_map(Peer::on).collect();
    let mut locations = Vec::new();
    for stranger in &strangers {
        let address = stranger.address;
        locations.extend([
            format!("http://{address}/"),
            format!("//{address}/"),
            format!("https://{address}/"),
            format!("http://{}@{address}/", named.address),
            format!("http://{}:80@{address}/", named.address.ip()),
        ]);
    }
    locations.push(format!("http://localhost:{}/", strangers[0].port()));
    locations.push(format!("HTTP://LOCALHOST.:{}/", strangers[0].port()));

    // Named with its port, and without: then only the address tells it from the others.
    let with_port = named.address.to_string();
    let mut reached = [0; CLIENTS.len()];
    for (client, reached) in CLIENTS.iter().zip(&mut reached) {
        for status in [301, 302, 303, 307, 308] {
            for location in &locations {
                for method in ["GET", "POST"] {
                    named.redirect("/start", status, location);
                    named.redirect("/relative", status, "/start");
                    for (path, requests) in [("/start", 1), ("/relative", 2)] {
                        let what = format!("{}: {method} {path} {status} {location}", client.name);
                        (client.send)(&[&with_port], method, &format!("http://{with_port}{path}"));
                        let to_named = named.take_received();
                        assert_eq!(sessions(&to_named), vec![[ID]; requests], "{what}");
                        for stranger in &strangers {
                            let received = stranger.take_received();
                            *reached += received.len();
                            assert_nothing_of_the_session(&received, &what);
                        }
                    }
                }
            }
        }
    }
    // Who follows such redirects has reached the strangers; who stops there has not.
    let follows = |name: &str| CLIENTS.iter().position(|client| client.name == name).unwrap();
    assert!(reached[follows("hyper")] > 100 && reached[follows("awc")] > 100, "{reached:?}");
    assert_eq!(reached[follows("reqwest")], 0);
    assert_eq!(reached[follows("reqwest-middleware")], 0);
}

#[test]
fn a_name_is_not_its_address() {
    let (named, stranger) = (Peer::local(), Peer::on("127.0.0.2").unwrap());
    for client in CLIENTS {
        named.redirect("/start", 307, &format!("http://{}/", stranger.address));
        // Without a port, any port of that host is named, and still no other host.
        (client.send)(&["127.0.0.1"], "GET", &format!("http://{}/start", named.address));
        assert_eq!(sessions(&named.take_received()), [[ID]], "{}", client.name);
        assert_nothing_of_the_session(&stranger.take_received(), client.name);

        (client.send)(&["localhost"], "GET", &format!("http://{}/", named.address));
        assert_nothing_of_the_session(&named.take_received(), client.name);
    }
}

#[test]
fn a_redirect_among_hosts_that_are_named_keeps_the_session() {
    let (one, two) = (Peer::local(), Peer::local());
    let hosts = [&*one.address.to_string(), &*two.address.to_string()];
    for client in CLIENTS {
        one.redirect("/start", 307, &format!("http://{}/", two.address));
        (client.send)(&hosts, "GET", &format!("http://{}/start", one.address));
        assert_eq!(sessions(&one.take_received()), [[ID]], "{}", client.name);
        assert_eq!(sessions(&two.take_received()), [[ID]], "{}", client.name);
    }
}

#[test]
fn a_redirect_among_strangers_is_followed() {
    let (one, two) = (Peer::local(), Peer::local());
    for client in CLIENTS {
        one.redirect("/start", 302, &format!("http://{}/", two.address));
        (client.send)(&["payments.internal"], "GET", &format!("http://{}/start", one.address));
        for peer in [&one, &two] {
            let received = peer.take_received();
            assert_eq!(received.len(), 1, "{}", client.name);
            assert_nothing_of_the_session(&received, client.name);
        }
    }
}

/// Why reqwest needs a client of its own: a header that is set by hand goes wherever a redirect leads.
#[test]
fn reqwest_takes_a_header_that_is_set_by_hand_to_another_host() {
    let (named, stranger) = (Peer::local(), Peer::local());
    named.redirect("/start", 307, &format!("http://{}/", stranger.address));
    let url = format!("http://{}/start", named.address);
    let client = reqwest_builder().build().unwrap();
    run(async || client.get(&url).header(HEADER, ID).send().await).unwrap();
    assert_eq!(sessions(&stranger.take_received()), [[ID]], "if this fails, reqwest has changed");
}

#[test]
fn reqwest_answers_the_redirect_that_it_does_not_follow() {
    let (named, stranger) = (Peer::local(), Peer::local());
    let location = format!("http://{}/", stranger.address);
    named.redirect("/start", 307, &location);
    let url = format!("http://{}/start", named.address);
    let client = reqwest_builder().build_propagating(layer(&[&named.address.to_string()])).unwrap();
    let response = run(async || client.get(&url).send().await).unwrap();
    assert_eq!(response.status(), 307);
    assert_eq!(response.headers()["location"], *location);
    assert!(stranger.take_received().is_empty());
}

#[test]
fn a_redirect_policy_of_the_users_own_still_holds() {
    let named = Peer::local();
    named.redirect("/start", 307, "/again");
    let url = format!("http://{}/start", named.address);
    let client = reqwest_builder()
        .build_propagating_with(layer(&["127.0.0.1"]), reqwest::redirect::Policy::none())
        .unwrap();
    assert_eq!(run(async || client.get(&url).send().await).unwrap().status(), 307);
    assert_eq!(sessions(&named.take_received()), [[ID]]);
}

#[test]
fn a_header_of_an_earlier_hop_is_replaced() {
    let named = Peer::local();
    let (host, url) = (named.address.to_string(), format!("http://{}/", named.address));
    let client = reqwest_builder().build_propagating(layer(&[&host])).unwrap();

    let with_old = || reqwest_builder().build().unwrap().get(&url).header(HEADER, "old");
    run(async || client.execute(with_old().build().unwrap()).await).unwrap();
    run(async || with_old().in_session(&client).unwrap().send().await).unwrap();
    let middleware = client.with_middleware(|builder| builder);
    run(async || middleware.get(&url).header(HEADER, "old").send().await).unwrap();
    run(async || {
        let middleware = PropagateSessionIdMiddleware::to_hosts([&host]).unwrap();
        let client = awc::Client::builder().wrap(middleware).finish();
        client.get(&url).insert_header((HEADER, "old")).send().await.map(drop)
    })
    .unwrap();
    // A request that is sent more than once.
    run(async || {
        let middleware = PropagateSessionIdMiddleware::to_hosts([&host]).unwrap();
        let client = awc::Client::builder().wrap(middleware).finish();
        let request = client.get(&url).insert_header((HEADER, "old"));
        let request = request.insert_header(("x-other", "1")).freeze().unwrap();
        request.send().await.map(drop)?;
        let again = request.extra_header((HEADER, "older")).extra_header(("x-other", "2"));
        again.send().await.map(drop)
    })
    .unwrap();
    let received = named.take_received();
    assert_eq!(sessions(&received), [[ID]; 6]);
    assert_eq!(received[4].header("x-other"), ["1"]);
    assert_eq!(received[5].header("x-other"), ["2"], "as awc does by itself");
}

#[test]
fn a_request_for_a_websocket_carries_the_session_only_where_it_may() {
    let (named, stranger) = (Peer::local(), Peer::local());
    let host = named.address.to_string();
    let connect = |peer: &Peer| {
        let url = format!("ws://{}/", peer.address);
        let middleware = PropagateSessionIdMiddleware::to_hosts([&host]).unwrap();
        let answer = run(async || {
            awc::Client::builder().wrap(middleware).finish().ws(&url).connect().await.map(drop)
        });
        assert!(answer.is_err(), "a peer speaks no WebSocket");
        peer.take_received()
    };
    assert_eq!(sessions(&connect(&named)), [[ID]]);
    let received = connect(&stranger);
    assert_eq!(received.len(), 1);
    assert_nothing_of_the_session(&received, "a WebSocket");
}

#[test]
fn a_session_that_is_given_with_the_request_comes_first() {
    let named = Peer::local();
    let url = format!("http://{}/", named.address);
    let client = reqwest_builder().build_propagating(layer(&["127.0.0.1"])).unwrap();
    let client = client.with_middleware(|builder| builder);
    let given: SessionId = "given".parse().unwrap();
    run(async || client.get(&url).with_extension(given).send().await).unwrap();
    assert_eq!(sessions(&named.take_received()), [["given"]]);
}

#[test]
fn baggage_is_merged_by_every_client() {
    let named = Peer::local();
    let url = format!("http://{}/", named.address);
    let carriers = || [Carrier::baggage()];
    let lines = ["a=1,session.id=old", " b = 2;p=q "];

    let client = ServiceBuilder::new()
        .layer(layer(&["127.0.0.1"]).carriers(carriers()).unwrap())
        .service(hyper_client());
    let mut with_lines = request("GET", &url);
    for line in lines {
        with_lines.headers_mut().append("baggage", line.parse().unwrap());
    }
    run(async || client.oneshot(with_lines).await).unwrap();

    let client = reqwest_builder()
        .build_propagating(layer(&["127.0.0.1"]).carriers(carriers()).unwrap())
        .unwrap();
    let with_lines = client.get(&url).header("baggage", lines[0]).header("baggage", lines[1]);
    run(async || with_lines.in_session(&client).unwrap().send().await).unwrap();

    run(async || {
        let middleware = PropagateSessionIdMiddleware::to_hosts(["127.0.0.1"]).unwrap();
        let middleware = middleware.carriers(carriers()).unwrap();
        let client = awc::Client::builder().wrap(middleware).finish();
        let with_lines = client.get(&url).append_header(("baggage", lines[0]));
        with_lines.append_header(("baggage", lines[1])).send().await.map(drop)
    })
    .unwrap();

    let received = named.take_received();
    assert_eq!(received.len(), 3);
    for (request, client) in received.iter().zip(["hyper", "reqwest", "awc"]) {
        let merged = "a=1, b = 2;p=q ,session.id=abc-123-xyz";
        assert_eq!(request.header("baggage"), [merged], "{client}");
        assert!(request.header(HEADER).is_empty(), "{client}");
    }
}

#[test]
fn a_header_that_is_set_by_hand_goes_to_no_stranger_if_it_is_to_be_removed() {
    let (named, stranger) = (Peer::local(), Peer::local());
    named.redirect("/start", 307, &format!("http://{}/", stranger.address));
    let url = format!("http://{}/start", named.address);
    let host = named.address.to_string();
    for remove in [true, false] {
        run(async || {
            let mut middleware = PropagateSessionIdMiddleware::to_hosts([&host]).unwrap();
            if remove {
                middleware = middleware.remove_from_others();
            }
            let client = awc::Client::builder().wrap(middleware).finish();
            client.get(&url).insert_header((HEADER, "by-hand")).send().await.map(drop)
        })
        .unwrap();
        assert_eq!(sessions(&named.take_received()), [[ID]]);
        let by_hand: &[&str] = if remove { &[] } else { &["by-hand"] };
        assert_eq!(sessions(&stranger.take_received()), [by_hand]);
    }
}

/// Sends what failed to the next host.
#[derive(Clone)]
struct Elsewhere(http::Uri);

impl<E> Policy<Request<Body>, Response<hyper::body::Incoming>, E> for Elsewhere {
    type Future = Ready<()>;

    fn retry(
        &mut self,
        request: &mut Request<Body>,
        result: &mut Result<Response<hyper::body::Incoming>, E>,
    ) -> Option<Ready<()>> {
        let failed = result.as_ref().is_ok_and(|response| response.status() == 503);
        *request.uri_mut() = self.0.clone();
        failed.then(|| std::future::ready(()))
    }

    fn clone_request(&mut self, request: &Request<Body>) -> Option<Request<Body>> {
        let mut copy = Request::new(Body::default());
        *copy.uri_mut() = request.uri().clone();
        *copy.headers_mut() = request.headers().clone();
        Some(copy)
    }
}

#[test]
fn no_retry_takes_the_session_to_a_host_that_is_not_named() {
    let (named, stranger) = (Peer::local(), Peer::local());
    let url = format!("http://{}/", named.address);
    named.fail(1);
    let mut client = ServiceBuilder::new()
        .layer(RetryLayer::new(Elsewhere(format!("http://{}/", stranger.address).parse().unwrap())))
        .layer(layer(&[&named.address.to_string()]))
        .service(hyper_client());
    let response = run(async || client.ready().await?.call(request("GET", &url)).await).unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(sessions(&named.take_received()), [[ID]]);
    let received = stranger.take_received();
    assert_eq!(received.len(), 1);
    assert_nothing_of_the_session(&received, "tower's retry");
}

#[test]
fn no_retry_of_a_middleware_takes_the_session_to_a_host_that_is_not_named() {
    /// Sends what failed to the next host.
    struct Elsewhere(Mutex<Option<reqwest::Url>>);

    impl ::reqwest_middleware::Middleware for Elsewhere {
        fn handle<'a, 'b, 'c, 'future>(
            &'a self,
            mut request: reqwest::Request,
            extensions: &'b mut http::Extensions,
            next: ::reqwest_middleware::Next<'c>,
        ) -> Pin<
            Box<
                dyn Future<Output = ::reqwest_middleware::Result<reqwest::Response>>
                    + Send
                    + 'future,
            >,
        >
        where
            'a: 'future,
            'b: 'future,
            'c: 'future,
        {
            Box::pin(async move {
                let again = request.try_clone().unwrap();
                let response = next.clone().run(request, extensions).await?;
                if response.status() != 503 {
                    return Ok(response);
                }
                request = again;
                *request.url_mut() = self.0.lock().unwrap().take().unwrap();
                next.run(request, extensions).await
            })
        }
    }

    let (named, stranger) = (Peer::local(), Peer::local());
    let elsewhere = format!("http://{}/", stranger.address).parse().unwrap();
    named.fail(1);
    let client = reqwest_builder()
        .build_propagating(layer(&[&named.address.to_string()]))
        .unwrap()
        .with_middleware(|builder| builder.with(Elsewhere(Mutex::new(Some(elsewhere)))));
    let url = format!("http://{}/", named.address);
    assert_eq!(run(async || client.get(&url).send().await).unwrap().status(), 200);
    assert_eq!(sessions(&named.take_received()), [[ID]]);
    let received = stranger.take_received();
    assert_eq!(received.len(), 1);
    assert_nothing_of_the_session(&received, "a middleware's retry");
}

#[test]
fn in_no_session_nothing_is_sent() {
    let named = Peer::local();
    let url = format!("http://{}/", named.address);
    let client: PropagateSessionId<_> =
        ServiceBuilder::new().layer(layer(&["127.0.0.1"])).service(hyper_client());
    let reqwest = reqwest_builder().build_propagating(layer(&["127.0.0.1"])).unwrap();
    actix_web::rt::System::new().block_on(async {
        client.oneshot(request("GET", &url)).await.unwrap();
        reqwest.get(&url).send().await.unwrap();
        let middleware = PropagateSessionIdMiddleware::to_hosts(["127.0.0.1"]).unwrap();
        let client = awc::Client::builder().wrap(middleware).finish();
        client.get(&url).send().await.unwrap();
    });
    assert_nothing_of_the_session(&named.take_received(), "no session");
}
