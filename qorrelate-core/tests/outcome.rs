//! The outcome where one layer is inside of another: it is that of the session that is current.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

#[path = "common/head.rs"]
mod head;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use head::Head;
use qorrelate_core::adapter::{RequestSession, Settings};
use qorrelate_core::{Policy, SessionId, SessionIdOutcome, SessionIdRules};

fn refuses() -> Settings<http::HeaderName> {
    Settings::new().rules(SessionIdRules::new().matching(|_| false))
}

fn id(id: &str) -> SessionId {
    id.parse().unwrap()
}

#[test]
fn the_outer_session_stays_where_the_inner_layer_finds_none() {
    let accepts = Settings::new();
    let generates = refuses().on_malformed(Policy::Generate(|| "made".parse().unwrap()));
    for inner in [&refuses(), &generates] {
        let mut outer = RequestSession::begin(&accepts, &Head("abc"), None);
        outer.call((), |()| {
            let mut inner = RequestSession::begin(inner, &Head("def"), None);
            assert_eq!(inner.outcome(), None);
            inner.call((), |()| {
                assert_eq!(SessionId::current().unwrap(), "abc");
                assert!(matches!(
                    SessionIdOutcome::current(),
                    Some(SessionIdOutcome::Found { .. })
                ));
            });
        });
    }
}

#[test]
fn the_inner_session_counts_where_the_inner_layer_finds_one() {
    for outer in [&Settings::new(), &refuses()] {
        let mut outer = RequestSession::begin(outer, &Head("abc"), None);
        let before = outer.outcome().cloned();
        outer.call((), |()| {
            let mut inner = RequestSession::begin(&Settings::new(), &Head("def"), None);
            inner.call((), |()| {
                assert_eq!(SessionId::current().unwrap(), "def");
                let outcome = SessionIdOutcome::current().unwrap();
                assert_eq!(outcome.session_id().unwrap(), "def");
            });
            assert_eq!(
                inner.outcome().unwrap().session_id().unwrap(),
                "def",
                "it has its own back"
            );
        });
        assert_eq!(outer.outcome().cloned(), before);
    }
}

#[test]
fn a_request_without_a_session_is_in_none_whatever_else_is_current() {
    let _connection = id("stranger").enter();
    let mut request = RequestSession::begin(&refuses(), &Head("abc"), None);
    request.call((), |()| {
        assert_eq!(SessionId::current(), None);
        assert!(matches!(SessionIdOutcome::current(), Some(SessionIdOutcome::Malformed { .. })));
        id("own").in_scope(|| {
            assert_eq!(SessionId::current().unwrap(), "own");
            // The outcome is the request's, also in a scope of its handler.
            assert!(matches!(
                SessionIdOutcome::current(),
                Some(SessionIdOutcome::Malformed { .. })
            ));
        });
    });
    assert_eq!(SessionId::current().unwrap(), "stranger");
    assert_eq!(SessionIdOutcome::current(), None, "nothing is left behind");
}

#[test]
fn a_panic_leaves_nothing_behind() {
    let mut outer = RequestSession::begin(&Settings::new(), &Head("outer"), None);
    let mut inner = RequestSession::begin(&Settings::new(), &Head("inner"), None);
    outer.call((), |()| {
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            inner.call((), |()| {
                panic!("in the handler");
            })
        }));
        assert!(panicked.is_err());
        assert_eq!(SessionIdOutcome::current().unwrap().session_id().unwrap(), "outer");
    });
    assert_eq!(inner.outcome().unwrap().session_id().unwrap(), "inner");
    assert_eq!(SessionIdOutcome::current(), None);
}

/// A guard that outlives its request on the thread, as in a future that is not `Send`.
#[test]
fn a_guard_that_is_kept_does_not_reach_into_the_next_request() {
    let [mut first, mut second] =
        ["first", "second"].map(|id| RequestSession::begin(&Settings::new(), &Head(id), None));
    let kept = first.call((), |()| id("kept").enter());
    second.call((), |()| {
        assert_eq!(SessionId::current().unwrap(), "second");
        drop(kept);
        let later = id("later").enter();
        assert_eq!(SessionId::current().unwrap(), "later");
        drop(later);
        assert_eq!(SessionId::current().unwrap(), "second");
    });
    assert_eq!(SessionId::current(), None);
}

#[test]
fn the_outcome_of_an_outer_layer_comes_with_the_request() {
    let outer = RequestSession::begin(&Settings::new(), &Head("abc"), None);
    let outcome = outer.outcome();
    let inner = RequestSession::begin(&refuses(), &Head("def"), outcome);
    assert_eq!(inner.outcome(), outcome);
    let inner = RequestSession::begin(&Settings::new(), &Head("def"), outcome);
    assert_eq!(inner.outcome().unwrap().session_id().unwrap(), "def", "its own comes first");
}

#[test]
fn the_hook_sees_the_outcome_and_the_request_in_the_session() {
    type Seen = (SessionIdOutcome, Option<SessionId>, String);
    let seen = Arc::<Mutex<Vec<Seen>>>::default();
    let settings = Settings::new().on_outcome({
        let seen = Arc::clone(&seen);
        move |outcome, request| {
            let line = format!("{} {}?{:?}", request.method(), request.path(), request.query());
            seen.lock().unwrap().push((outcome.clone(), SessionId::current(), line));
        }
    });
    let request = RequestSession::begin(&settings, &Head("abc"), None);
    let [(outcome, current, line)] = &seen.lock().unwrap()[..] else { panic!("called once") };
    assert_eq!(Some(outcome), request.outcome());
    assert_eq!(*current, Some(id("abc")));
    assert_eq!(line, "POST /orders?None");
}
