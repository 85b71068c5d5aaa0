//! `carry_session`: which session a span has, and that nothing is left when it is exited.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

use qorrelate_core::{SessionId, carry_session};
use tracing::{Span, info_span};
use tracing_subscriber::layer::{Identity, SubscriberExt};

fn id(id: &str) -> SessionId {
    id.parse().unwrap()
}

fn current() -> Option<String> {
    SessionId::current().map(|id| id.to_string())
}

fn with_layer(work: impl FnOnce()) {
    let subscriber = tracing_subscriber::registry().with(carry_session(Identity::new()));
    tracing::subscriber::with_default(subscriber, work);
    assert_eq!(current(), None);
}

#[test]
fn a_span_has_the_session_it_was_made_in() {
    with_layer(|| {
        let span = id("abc").in_scope(|| info_span!("work"));
        assert_eq!(current(), None);
        assert_eq!(span.in_scope(current).as_deref(), Some("abc"));
        assert_eq!(current(), None);
    });
}

#[test]
fn a_span_made_outside_has_the_session_of_its_parent() {
    with_layer(|| {
        let parent = id("abc").in_scope(|| info_span!("parent"));
        let child = info_span!(parent: &parent, "child");
        assert_eq!(child.in_scope(current).as_deref(), Some("abc"));
    });
}

#[test]
fn the_session_that_is_current_goes_before_that_of_the_parent() {
    with_layer(|| {
        let parent = id("abc").in_scope(|| info_span!("parent"));
        let child = id("def").in_scope(|| info_span!(parent: &parent, "child"));
        assert_eq!(child.in_scope(current).as_deref(), Some("def"));
    });
}

#[test]
fn a_span_of_no_session_changes_nothing() {
    with_layer(|| {
        let span = info_span!("work");
        assert_eq!(span.in_scope(current), None);
        assert_eq!(id("abc").in_scope(|| span.in_scope(current)).as_deref(), Some("abc"));
    });
}

#[test]
fn spans_may_be_entered_again_and_left_out_of_order() {
    with_layer(|| {
        let a = id("a").in_scope(|| info_span!("a"));
        let b = id("b").in_scope(|| info_span!("b"));
        let entered_a = a.enter();
        let entered_b = b.enter();
        let again = a.enter();
        assert_eq!(current().as_deref(), Some("a"));
        drop(again);
        assert_eq!(current().as_deref(), Some("b"));
        drop(entered_a);
        assert_eq!(current().as_deref(), Some("b"));
        drop(entered_b);
        assert_eq!(current(), None);
    });
}

#[test]
fn a_span_takes_its_session_to_another_thread() {
    with_layer(|| {
        let span = id("abc").in_scope(|| info_span!("work"));
        let dispatch = tracing::dispatcher::get_default(Clone::clone);
        let thread = std::thread::spawn(move || {
            let inside = tracing::dispatcher::with_default(&dispatch, || {
                let inside = span.in_scope(current);
                drop::<Span>(span);
                inside
            });
            (inside, current())
        });
        assert_eq!(thread.join().unwrap(), (Some("abc".to_owned()), None));
    });
}
