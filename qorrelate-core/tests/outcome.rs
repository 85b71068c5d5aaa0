//! The outcome where one layer is inside of another: it is that of the session that is current.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

#[path = "common/head.rs"]
mod head;

use head::Head;
use qorrelate_core::{RequestSession, SessionId, SessionIdOutcome, SessionIdRules, Settings};

#[test]
fn the_outcome_agrees_with_the_current_session() {
    let accepts = Settings::new();
    let refuses = Settings::new().rules(SessionIdRules::new().matching(|_| false));
    for (outer, inner) in [(&refuses, &accepts), (&accepts, &refuses)] {
        let mut outer = RequestSession::begin(outer, &Head);
        let _outer = outer.enter();
        let mut inner = RequestSession::begin(inner, &Head);
        let _inner = inner.enter();
        assert_eq!(SessionId::current().unwrap(), "abc");
        assert!(matches!(SessionIdOutcome::current(), SessionIdOutcome::Found { .. }));
    }
    let mut refused = RequestSession::begin(&refuses, &Head);
    let _refused = refused.enter();
    assert!(matches!(SessionIdOutcome::current(), SessionIdOutcome::Malformed { .. }));
}
