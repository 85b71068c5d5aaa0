//! What is said of requests that were not given the session, to whoever listens at `DEBUG`.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::hosts::Target;
use crate::current::{Carried, carried};
use crate::telemetry::hint::{Hint, is_heard};

/// How many hosts are reported at most, so that a crawler does not fill the memory.
const MAX_HOSTS: usize = 64;

/// What a host's name is at most (RFC 1035, section 2.3.4), and then some.
const MAX_HOST_LEN: usize = 256;

/// What one client and its clones have said.
#[derive(Debug, Clone, Default)]
pub(super) struct Hints(Arc<Said>);

#[derive(Debug)]
struct Said {
    unknown_host: Hint,
    /// The hosts that were reported.
    not_named: Mutex<HashSet<String>>,
}

impl Default for Said {
    fn default() -> Self {
        Self { unknown_host: Hint::new(), not_named: Mutex::default() }
    }
}

impl Hints {
    /// There is a session, and nobody knows where the request goes.
    pub(super) fn host_is_unknown(&self) {
        if self.0.unknown_host.is_due(tracing::Level::DEBUG) {
            tracing::debug!(
                target: "qorrelate",
                "the session was not sent: the request's URI has no host. For a tonic client, set the \
                 channel's URI on the layer with `origin`"
            );
        }
    }

    /// There is a session, and the host is not on the list.
    pub(super) fn host_is_not_named(&self, target: Target<'_>) {
        if is_heard(tracing::Level::DEBUG) && self.is_news(target.host()) {
            tracing::debug!(
                target: "qorrelate",
                host = target.host(),
                "the session was not sent to this host: it does not match any of the patterns. This is \
                 said once per host"
            );
        }
    }

    fn is_news(&self, host: &str) -> bool {
        if host.len() > MAX_HOST_LEN {
            return false;
        }
        let mut reported = self.0.not_named.lock().unwrap_or_else(PoisonError::into_inner);
        reported.len() < MAX_HOSTS && !reported.contains(host) && reported.insert(host.to_owned())
    }
}

/// There is no session for a request. `is_named` tells whether it is to a host on the list, and is asked
/// only if somebody listens.
pub(super) fn no_session(is_named: impl FnOnce() -> bool) {
    static HINT: Hint = Hint::new();
    // In a request without a session, all is as it should be.
    if is_heard(tracing::Level::DEBUG)
        && carried() == Carried::Nothing
        && is_named()
        && HINT.is_due(tracing::Level::DEBUG)
    {
        tracing::debug!(
            target: "qorrelate",
            "a request to a host on the list was sent without a session, because none is current in \
             this task. If it belongs to a session: in a spawned task, use `in_current_session`; behind \
             a `Buffer`, put the `SessionId` into the request's extensions. This is said once"
        );
    }
}
