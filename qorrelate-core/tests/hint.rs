//! The hint on layer order, where nothing is tagged. It is given once per process, so this is one test in
//! a process of its own.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

#[path = "common/head.rs"]
mod head;
#[path = "common/lines.rs"]
mod lines;
#[path = "common/request.rs"]
mod request;

use lines::Lines;
use request::handle_request;
use tracing::field::Empty;
use tracing_subscriber::layer::SubscriberExt;

#[test]
fn a_hint_is_given_once_where_nothing_is_tagged() {
    let lines = Lines::default();
    let layer = tracing_subscriber::fmt::layer().with_writer(lines.clone());
    let hints = || lines.text().matches("no span was tagged").count();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        let request_span = tracing::info_span!("request", session.id = Empty);
        request_span.in_scope(|| handle_request(|| ()));
        assert_eq!(hints(), 0, "the layer is inside of the tracing layer");

        handle_request(|| ());
        handle_request(|| ());
        assert_eq!(hints(), 1, "the layer is outermost, and nothing else tags");
    });
}
