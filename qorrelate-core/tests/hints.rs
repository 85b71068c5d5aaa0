//! What is said of a set-up in which something is missing. It is said once per process, so each is a test
//! in a process of its own; this one has nothing but tracing.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

#[path = "common/head.rs"]
mod head;
#[path = "common/lines.rs"]
mod lines;
#[path = "common/request.rs"]
mod request;

use head::Head;
use lines::Lines;
use qorrelate_core::adapter::Settings;
use request::handle;
use tracing_subscriber::layer::SubscriberExt;

#[test]
fn a_missing_carry_session_is_said_once() {
    let lines = Lines::default();
    let layer = tracing_subscriber::fmt::layer().with_writer(lines.clone());
    let hints = || lines.text().matches("there is no carry_session").count();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        handle(&Settings::new(), Head("abc"), || ());
        handle(&Settings::new(), Head("abc"), || ());
    });
    assert_eq!(hints(), 1, "{}", lines.text());
    assert!(lines.text().contains("WARN"));
}
