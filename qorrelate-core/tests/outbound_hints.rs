//! The hints at requests that were not given the session.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

#[path = "common/lines.rs"]
mod lines;

#[path = "common/head.rs"]
mod head;

use head::Head;
use lines::Lines;
use qorrelate_core::adapter::{
    Given, OutboundHeaders, Propagation, RequestSession, Settings, Target,
};
use qorrelate_core::{Hosts, SessionId, SessionIdOutcome};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;

struct NoHeaders;

impl OutboundHeaders for NoHeaders {
    type HeaderName = http::HeaderName;

    fn values(&self, _: &http::HeaderName) -> impl Iterator<Item = &[u8]> {
        std::iter::empty()
    }

    fn set(&mut self, _: &http::HeaderName, _: &[u8]) {}

    fn remove(&mut self, _: &http::HeaderName) {}
}

/// What is logged while `f` runs.
fn lines_of(level: LevelFilter, f: impl FnOnce()) -> Vec<String> {
    let lines = Lines::default();
    let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(lines.clone());
    let subscriber = tracing_subscriber::registry().with(level).with(layer);
    tracing::subscriber::with_default(subscriber, f);
    lines.text().lines().map(ToOwned::to_owned).collect()
}

fn id() -> SessionId {
    "abc".parse().unwrap()
}

fn to_payments() -> Propagation<http::HeaderName> {
    Propagation::new(Hosts::named(["payments.internal"]).unwrap())
}

fn in_a_request_without_a_session(f: impl FnOnce()) {
    let settings = Settings::<http::HeaderName>::new();
    let mut request = RequestSession::begin(&settings, &Head("not an ID"), None);
    request.call((), |()| f());
}

fn send(client: &Propagation<http::HeaderName>, host: Option<&str>) {
    let target = host.map(|host| Target::new("http", host, None));
    client.apply(target, Given::default(), &mut NoHeaders);
}

#[test]
fn a_host_that_is_not_known_is_reported_once_per_client() {
    for hosts in [Hosts::any(), Hosts::named(["payments.internal"]).unwrap()] {
        let client = Propagation::new(hosts);
        let lines = lines_of(LevelFilter::DEBUG, || {
            send(&client, None); // There is no session to send.
            id().in_scope(|| {
                send(&client, None);
                send(&client.clone(), None);
            });
        });
        assert_eq!(lines.len(), 1, "{lines:#?}");
        assert!(lines[0].contains("the request's URI has no host"), "{lines:#?}");
    }
}

#[test]
fn a_host_that_is_not_named_is_reported_once_by_name() {
    let client = to_payments();
    let lines = lines_of(LevelFilter::DEBUG, || {
        send(&client, Some("before.example")); // There is no session to send.
        id().in_scope(|| {
            for host in ["a.example", "b.example", "payments.internal", "a.example"] {
                send(&client.clone(), Some(host));
            }
        });
    });
    assert_eq!(lines.len(), 2, "{lines:#?}");
    for (line, host) in lines.iter().zip(["a.example", "b.example"]) {
        assert!(line.contains("DEBUG qorrelate: the session was not sent to this host"), "{line}");
        assert!(line.contains(&format!("host=\"{host}\"")), "{line}");
    }
}

#[test]
fn a_crawler_neither_fills_the_log_nor_the_memory() {
    let client = to_payments();
    let lines = lines_of(LevelFilter::DEBUG, || {
        id().in_scope(|| {
            send(&client, Some(&"a".repeat(1 << 16)));
            for n in 0..1000 {
                send(&client, Some(&format!("{n}.example")));
            }
        });
    });
    assert_eq!(lines.len(), 64, "{:?}", lines.last());
}

#[test]
fn a_host_is_still_news_when_nobody_listened_before() {
    let client = to_payments();
    let unheard =
        lines_of(LevelFilter::INFO, || id().in_scope(|| send(&client, Some("a.example"))));
    assert!(unheard.is_empty(), "{unheard:#?}");
    let heard = lines_of(LevelFilter::DEBUG, || id().in_scope(|| send(&client, Some("a.example"))));
    assert_eq!(heard.len(), 1, "{heard:#?}");
}

#[test]
fn a_task_that_has_lost_the_session_is_reported_once() {
    let client = to_payments();
    let in_order = lines_of(LevelFilter::DEBUG, || {
        send(&client, Some("other.example"));
        // A request without a session is as it should be.
        let mut outcome = None;
        in_a_request_without_a_session(|| {
            send(&client, Some("payments.internal"));
            outcome = SessionIdOutcome::current();
        });
        // So is one that brings the outcome along.
        let given = Given::new(None, outcome.as_ref());
        client.apply(Some(Target::new("http", "payments.internal", None)), given, &mut NoHeaders);
    });
    let lines = lines_of(LevelFilter::DEBUG, || {
        for _ in 0..3 {
            send(&client, Some("payments.internal"));
        }
    });
    assert!(!in_order.iter().any(|line| line.contains("to a host on the list")), "{in_order:#?}");
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(lines[0].contains("none is current in this task"), "{lines:#?}");
}
