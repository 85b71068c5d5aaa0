//! The hint on layer order: given where nothing is tagged, and only there. It asks what the whole process
//! has tagged so far, so this is one test in a process of its own.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

#[path = "common/head.rs"]
mod head;
#[path = "common/lines.rs"]
mod lines;

use std::sync::Arc;
use std::task::{Context, Waker};

use head::Head;
use lines::Lines;
use qorrelate_core::{RequestSession, Settings};
use tracing::field::Empty;
use tracing_subscriber::layer::SubscriberExt;

fn handle_request(settings: &Arc<Settings<http::HeaderName>>, inner: impl FnOnce()) {
    let mut session = RequestSession::begin(settings, &Head);
    {
        let _entered = session.enter();
        inner();
    }
    let mut future = Box::pin(session.run(std::future::ready(())));
    assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
}

#[test]
fn a_hint_is_given_once_per_layer_where_nothing_is_tagged() {
    let lines = Lines::default();
    let layer = tracing_subscriber::fmt::layer().with_writer(lines.clone());
    let hints = || lines.text().matches("no span was tagged").count();
    let request_span = || tracing::info_span!("request", session.id = Empty);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        let settings = Arc::new(Settings::new());
        request_span().in_scope(|| handle_request(&settings, || ()));
        assert_eq!(hints(), 0, "the layer is inside of the tracing layer");

        handle_request(&settings, || ());
        handle_request(&settings, || ());
        assert_eq!(hints(), 1, "the layer is outermost, and nothing else tags");

        let settings = Arc::new(Settings::new());
        handle_request(&settings, || qorrelate_core::record_current_session(&request_span()));
        assert_eq!(hints(), 1, "the layer is outermost, and the request span takes the session");
    });
}
