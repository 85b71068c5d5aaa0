//! The hint where a session is not handed on, because nobody knows where the request goes.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

#[path = "common/lines.rs"]
mod lines;

use lines::Lines;
use qorrelate_core::{Hosts, OutboundHeaders, Propagation, SessionId, Target};
use tracing_subscriber::layer::SubscriberExt;

struct NoHeaders;

impl OutboundHeaders for NoHeaders {
    type HeaderName = http::HeaderName;

    fn values(&self, _: &http::HeaderName) -> impl Iterator<Item = &[u8]> {
        std::iter::empty()
    }

    fn set(&mut self, _: &http::HeaderName, _: &[u8]) {
        panic!("nothing is set");
    }

    fn remove(&mut self, _: &http::HeaderName) {}
}

#[test]
fn a_hint_is_given_once_per_client_where_the_host_is_not_known() {
    let lines = Lines::default();
    let layer = tracing_subscriber::fmt::layer().with_writer(lines.clone());
    let hints = || lines.text().matches("has no host").count();
    let id: SessionId = "abc".parse().unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        for hosts in [Hosts::any(), Hosts::named(["payments.internal"]).unwrap()] {
            let before = hints();
            let propagation = Propagation::new(hosts);
            propagation.apply(None, None, &mut NoHeaders);
            assert_eq!(hints(), before, "there is no session");
            propagation.apply(None, Some(id.clone()), &mut NoHeaders);
            propagation.clone().apply(None, Some(id.clone()), &mut NoHeaders);
            assert_eq!(hints(), before + 1);
        }
        let hosts = Hosts::named(["payments.internal"]).unwrap();
        let elsewhere = Target::new("http", "example.com", None);
        Propagation::new(hosts).apply(Some(elsewhere), Some(id), &mut NoHeaders);
        assert_eq!(hints(), 2, "that host is known, and not named");
    });
}
