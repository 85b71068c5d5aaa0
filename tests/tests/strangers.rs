//! What reaches a host that is not on the list, from real clients over real sockets: nothing of the
//! session, directly, through a redirect or through a retry.
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
use qorrelate_tower::{PropagateSessionId, PropagateSessionIdExt, PropagateSessionIdLayer};
use tower::retry::{Policy, RetryLayer};
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_http::follow_redirect::FollowRedirectLayer;
use tower_http::follow_redirect::policy::{Limited, PolicyExt, clone_body_fn};

const ID: &str = "abc-123-xyz";
const HEADER: &str = "x-session-id";

type Body = Full<Bytes>;

/// A client that is set up to forward the session to some hosts, and follows redirects.
#[derive(Clone, Copy)]
struct Client {
    name: &'static str,
    /// Sends a request with a body, in the session.
    send: fn(&[&str], method: &str, url: &str),
}

const CLIENTS: [Client; 5] = [
    Client { name: "hyper", send: hyper },
    Client { name: "reqwest", send: reqwest },
    Client { name: "reqwest, execute", send: reqwest_execute },
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

fn reqwest_execute(hosts: &[&str], method: &str, url: &str) {
    let client = reqwest_builder().build_propagating(layer(hosts)).unwrap();
    let other = reqwest_builder().build().unwrap();
    let request = other.request(method.parse().unwrap(), url).body("a body").build().unwrap();
    let _ = run(async || client.execute(request).await);
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

    let with_old = || client.get(&url).header(HEADER, "old").header(HEADER, "older");
    run(async || client.execute(with_old().build().unwrap()).await).unwrap();
    run(async || with_old().send().await).unwrap();
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
    let given: SessionId = "given".parse().unwrap();
    let request = client.get(&url).session(&given);
    let again = request.try_clone().unwrap();
    run(async || request.send().await).unwrap();
    run(async || again.send().await).unwrap();
    let client = client.with_middleware(|builder| builder);
    run(async || client.get(&url).with_extension(given).send().await).unwrap();
    assert_eq!(sessions(&named.take_received()), [["given"]; 3]);
}

/// Headers that a handler copies from the request it handles, a session of an earlier hop among them.
fn copied() -> http::HeaderMap {
    [(HEADER, "stale"), ("x-tenant", "7")]
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
        .into_iter()
        .collect()
}

/// Every way to send one with reqwest.
#[test]
fn what_is_copied_into_a_request_of_reqwest_is_judged_when_it_is_sent() {
    let (named, stranger) = (Peer::local(), Peer::local());
    let layer = layer(&[&named.address.to_string()]).remove_from_others();
    let client = reqwest_builder().build_propagating(layer).unwrap();
    let middleware = client.clone().with_middleware(|builder| builder);
    for (peer, expected) in [(&named, &[ID][..]), (&stranger, &[])] {
        let url = format!("http://{}/", peer.address);
        run(async || client.get(&url).headers(copied()).send().await).unwrap();
        run(async || client.get(&url).map(|builder| builder.headers(copied())).send().await)
            .unwrap();
        run(async || client.execute(client.get(&url).headers(copied()).build().unwrap()).await)
            .unwrap();
        run(async || {
            let request = client.get(&url).headers(copied()).build().unwrap();
            qorrelate_tower::SessionRequestBuilder::from_parts(client.clone(), request).send().await
        })
        .unwrap();
        run(async || client.get(&url).headers(copied()).try_clone().unwrap().send().await).unwrap();
        run(async || middleware.get(&url).headers(copied()).send().await).unwrap();
        let received = peer.take_received();
        assert_eq!(sessions(&received), [expected; 6]);
        for request in received {
            assert_eq!(request.header("x-tenant"), ["7"]);
        }
    }
}

#[test]
fn a_request_of_reqwest_that_is_given_another_url_is_judged_by_that() {
    let (named, stranger) = (Peer::local(), Peer::local());
    let client = reqwest_builder().build_propagating(layer(&[&named.address.to_string()])).unwrap();
    let url = |peer: &Peer| format!("http://{}/", peer.address).parse::<reqwest::Url>().unwrap();

    let to_stranger = || {
        // Built in the session.
        let mut request = id().in_scope(|| client.get(url(&named)).build().unwrap());
        assert!(
            request.headers().is_empty(),
            "a request that is built has no session: {request:?}"
        );
        *request.url_mut() = url(&stranger);
        request
    };
    run(async || client.execute(to_stranger()).await).unwrap();
    run(async || {
        let request = client.get(url(&named));
        request
            .map(|builder| {
                let (client, request) = builder.build_split();
                let mut request = request.unwrap();
                *request.url_mut() = url(&stranger);
                reqwest::RequestBuilder::from_parts(client, request)
            })
            .send()
            .await
    })
    .unwrap();
    let received = stranger.take_received();
    assert_eq!(received.len(), 2);
    assert_nothing_of_the_session(&received, "another URL");

    let mut request = client.get(url(&stranger)).build().unwrap();
    *request.url_mut() = url(&named);
    run(async || client.execute(request).await).unwrap();
    assert_eq!(sessions(&named.take_received()), [[ID]]);
}

/// A builder of another client, which would follow any redirect, does not get the request.
#[test]
fn the_client_that_sends_a_request_stays_whatever_is_made_of_the_builder() {
    let (named, stranger) = (Peer::local(), Peer::local());
    named.redirect("/start", 307, &format!("http://{}/", stranger.address));
    let url = format!("http://{}/start", named.address);
    let client = reqwest_builder().build_propagating(layer(&[&named.address.to_string()])).unwrap();
    let other = reqwest_builder().build().unwrap();
    let response = run(async || client.get(&url).map(|_| other.get(&url)).send().await).unwrap();
    assert_eq!(response.status(), 307);
    assert_eq!(sessions(&named.take_received()), [[ID]]);
    assert!(stranger.take_received().is_empty());
}

#[test]
fn the_session_of_a_request_of_reqwest_is_the_one_in_which_it_is_sent() {
    let named = Peer::local();
    let url = format!("http://{}/", named.address);
    let client = reqwest_builder().build_propagating(layer(&["127.0.0.1"])).unwrap();
    let other: SessionId = "other".parse().unwrap();
    run(async || {
        // Begun in one session, sent in another, awaited in a third.
        let request = other.in_scope(|| client.get(&url));
        let sent: SessionId = "sent-in".parse().unwrap();
        let future = sent.in_scope(|| request.send());
        future.await.map(drop)?;
        let request = other.in_scope(|| client.get(&url)).build()?;
        sent.in_scope(|| client.execute(request)).await
    })
    .unwrap();
    assert_eq!(sessions(&named.take_received()), [["sent-in"]; 2]);
}

#[test]
fn what_is_wrong_with_a_request_of_reqwest_is_said_when_it_is_sent() {
    let client = reqwest_builder().build_propagating(layer(&["127.0.0.1"])).unwrap();
    assert!(client.get("no URL").build().unwrap_err().is_builder());
    let error = run(async || client.get("no URL").send().await).unwrap_err();
    assert!(error.is_builder(), "{error}");
}

/// Why the docs of `SessionClient` warn of it: reqwest adds default headers after our code has run, and no
/// method shows them.
#[test]
fn reqwest_sends_its_default_headers_to_everybody() {
    let (named, stranger) = (Peer::local(), Peer::local());
    let layer = layer(&[&named.address.to_string()]).remove_from_others();
    let client = reqwest_builder().default_headers(copied()).build_propagating(layer).unwrap();
    for (peer, expected) in [(&named, ID), (&stranger, "stale")] {
        let url = format!("http://{}/", peer.address);
        run(async || client.get(&url).send().await).unwrap();
        assert_eq!(sessions(&peer.take_received()), [[expected]]);
    }
}

/// A redirected request is made while somebody awaits the answer.
#[test]
fn a_redirect_from_a_stranger_to_a_named_host_has_the_session_of_the_code_that_awaits_it() {
    let (named, stranger) = (Peer::local(), Peer::local());
    stranger.redirect("/start", 307, &format!("http://{}/", named.address));
    named.redirect("/start", 307, &format!("http://{}/", named.address));
    let host = &*named.address.to_string();
    let awc = || {
        let middleware = PropagateSessionIdMiddleware::to_hosts([host]).unwrap();
        awc::Client::builder().wrap(middleware).finish()
    };
    let hyper = || {
        ServiceBuilder::new()
            .layer(FollowRedirectLayer::with_policy(clone_body_fn(|body: &Body| {
                Some(body.clone())
            })))
            .layer(layer(&[host]))
            .service(hyper_client())
    };
    for (from, first) in [(&stranger, None), (&named, Some(ID))] {
        let start = format!("http://{}/start", from.address);
        for awaited_in_session in [true, false] {
            for name in ["awc", "hyper", "reqwest"] {
                let what = format!("{name} from {start}, awaited in session: {awaited_in_session}");
                actix_web::rt::System::new().block_on(async {
                    let sent: Pin<Box<dyn Future<Output = ()>>> = match name {
                        "awc" => {
                            let sent = id().in_scope(|| awc().get(&start).send());
                            Box::pin(async { sent.await.map(drop).unwrap() })
                        }
                        "hyper" => {
                            let sent = id().in_scope(|| hyper().call(request("GET", &start)));
                            Box::pin(async { sent.await.map(drop).unwrap() })
                        }
                        _ => {
                            let client = reqwest_builder().build_propagating(layer(&[host]));
                            let sent = id().in_scope(|| client.unwrap().get(&start).send());
                            Box::pin(async { sent.await.map(drop).unwrap() })
                        }
                    };
                    if awaited_in_session { id().scope(sent).await } else { sent.await }
                });
                let mut received = named.take_received();
                let last = received.pop().unwrap_or_else(|| panic!("not followed: {what}"));
                // reqwest sends again what it sent first, whoever awaits it.
                let expected =
                    if name == "reqwest" { first } else { awaited_in_session.then_some(ID) };
                assert_eq!(last.header(HEADER), expected.as_slice(), "{what}");
                let first: Vec<_> = first.iter().map(|id| vec![(*id).to_owned()]).collect();
                assert_eq!(sessions(&received), first, "{what}");
                assert_nothing_of_the_session(&stranger.take_received(), &what);
            }
        }
    }
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
    run(async || with_lines.send().await).unwrap();

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
