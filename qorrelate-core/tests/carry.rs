//! `carry_session`: which session a span has, and that nothing is left when it is exited.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

#[path = "common/head.rs"]
mod head;
#[path = "common/request.rs"]
mod request;

use head::Head;
use qorrelate_core::adapter::Settings;
use qorrelate_core::{SessionId, carry_session};
use tracing::{Level, Span, Subscriber, info_span};
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::layer::{Identity, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::reload;

fn id(id: &str) -> SessionId {
    id.parse().unwrap()
}

fn current() -> Option<String> {
    SessionId::current().map(|id| id.to_string())
}

fn with_layer(work: impl FnOnce()) {
    with(tracing_subscriber::registry().with(carry_session(Identity::new())), work);
}

fn with(subscriber: impl Subscriber + Send + Sync, work: impl FnOnce()) {
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

#[test]
fn the_same_span_entered_twice_is_left_as_often() {
    with_layer(|| {
        let span = id("abc").in_scope(|| info_span!("work"));
        let (a, b) = (span.clone().entered(), span.entered());
        drop(a);
        assert_eq!(current().as_deref(), Some("abc"));
        drop(b);
    });
}

#[test]
fn spans_of_one_session_may_be_left_out_of_order() {
    with_layer(|| {
        let (a, b) = id("abc").in_scope(|| (info_span!("a"), info_span!("b")));
        let (a, b) = (a.entered(), b.entered());
        drop(a);
        assert_eq!(current().as_deref(), Some("abc"));
        drop(b);
    });
}

#[test]
fn a_span_of_a_request_without_a_session_is_of_none_wherever_it_is_entered() {
    with_layer(|| {
        let mut span = Span::none();
        let connection = id("stranger").in_scope(|| info_span!("connection"));
        connection.in_scope(|| {
            request::handle(&Settings::new(), Head(""), || span = info_span!("work"));
        });
        assert_eq!(span.in_scope(current), None);
        assert_eq!(id("stranger").in_scope(|| span.in_scope(current)), None);
    });
}

#[test]
fn twice_in_one_subscriber_is_once() {
    let twice = carry_session(carry_session(Identity::new()));
    let subscriber =
        tracing_subscriber::registry().with(twice).with(carry_session(Identity::new()));
    with(subscriber, || {
        let span = id("abc").in_scope(|| info_span!("work", session.id = tracing::field::Empty));
        span.record("session.id", "abc");
        span.in_scope(|| {
            id("def").in_scope(|| assert_eq!(current().as_deref(), Some("def")));
            assert_eq!(current().as_deref(), Some("abc"));
        });
    });
}

#[test]
fn two_subscribers_on_one_thread_do_not_mix() {
    // The first span of each has the same ID.
    with_layer(|| {
        let outer = id("outer").in_scope(|| info_span!("outer")).entered();
        let inner = tracing_subscriber::registry().with(carry_session(Identity::new()));
        tracing::subscriber::with_default(inner, || {
            let span = id("inner").in_scope(|| info_span!("inner")).entered();
            assert_eq!(current().as_deref(), Some("inner"));
            drop(outer);
            assert_eq!(current().as_deref(), Some("inner"));
            drop(span);
            assert_eq!(current(), None);
        });
    });
}

#[test]
fn a_span_that_the_wrapped_layer_filters_out_carries_its_session_all_the_same() {
    let hides_work = || filter_fn(|metadata| metadata.name() != "work");
    fn everything<S: Subscriber + for<'a> LookupSpan<'a>>() -> impl Layer<S> {
        Identity::new().with_filter(LevelFilter::TRACE)
    }
    let check = || {
        let span = id("abc").in_scope(|| info_span!("work"));
        assert!(!span.is_disabled());
        assert_eq!(span.in_scope(current).as_deref(), Some("abc"));
        let child = info_span!(parent: &span, "child");
        assert_eq!(child.in_scope(current).as_deref(), Some("abc"));
    };
    let filtered = carry_session(Identity::new().with_filter(hides_work()));
    with(tracing_subscriber::registry().with(filtered).with(everything()), check);
    let (reloadable, _handle) = reload::Layer::new(Identity::new().with_filter(hides_work()));
    let filtered = carry_session(reloadable);
    with(tracing_subscriber::registry().with(filtered).with(everything()), check);
    let all = carry_session(Identity::new());
    with(tracing_subscriber::registry().with(reload::Layer::new(all).0), check);
}

#[test]
fn a_span_that_everyone_filters_out_changes_nothing() {
    let subscriber = tracing_subscriber::registry()
        .with(carry_session(Identity::new()))
        .with(LevelFilter::from_level(Level::WARN));
    with(subscriber, || {
        let span = id("abc").in_scope(|| info_span!("work"));
        assert_eq!(id("def").in_scope(|| span.in_scope(current)).as_deref(), Some("def"));
    });
}
