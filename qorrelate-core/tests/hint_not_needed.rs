//! The hint on layer order is not given where spans are tagged when they start. What was tagged is asked
//! of the whole process, so this is one test in a process of its own.
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
fn no_hint_is_given_where_the_request_span_takes_the_session() {
    let lines = Lines::default();
    let layer = tracing_subscriber::fmt::layer().with_writer(lines.clone());
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        handle_request(|| {
            let request_span = tracing::info_span!("request", session.id = Empty);
            qorrelate_core::record_current_session(&request_span);
            request_span.in_scope(|| tracing::info!("handled"));
        });
    });
    assert!(lines.text().contains("handled"), "{}", lines.text());
    assert!(!lines.text().contains("no span was tagged"), "{}", lines.text());
}
