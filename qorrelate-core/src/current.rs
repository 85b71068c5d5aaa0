//! Whose session this code works for.
//!
//! The answer is carried on the thread (`thread`): whatever runs for a session says so while it runs. Nothing
//! is inferred from what else is open.

mod elsewhere;
mod inside;
mod scope;
mod thread;

#[cfg(any(feature = "opentelemetry_0_32", feature = "opentelemetry_0_33"))]
pub(crate) use elsewhere::add_reader;
pub(crate) use inside::{Inside, Outside, Running};
pub use scope::{InCurrentSession, InSession, SessionGuard, in_current_session};
#[cfg(any(feature = "opentelemetry_0_32", feature = "opentelemetry_0_33"))]
pub(crate) use thread::take_due_link;
pub(crate) use thread::{Carried, Request, RunningRequest, carried, request_has_session};
#[cfg(feature = "tracing-subscriber")]
pub(crate) use thread::{EnteredSpan, enter_span, exit_span};

use crate::id::SessionId;
use crate::inbound::SessionIdOutcome;

impl SessionId {
    /// The session that the current code works for: in a handler and in what it calls, that of the
    /// request.
    ///
    /// `None` in a request without a session. A spawned task or a new thread has no session unless it
    /// was given one, with [`scope`](Self::scope), [`in_current_session`](InCurrentSession), or a
    /// `tracing` span under `carry_session`. Where nothing on this thread says which session it is, the
    /// one in the current OpenTelemetry context counts, if there is one.
    ///
    /// ```
    /// # use qorrelate_core::SessionId;
    /// assert_eq!(SessionId::current(), None);
    ///
    /// let id: SessionId = "abc".parse()?;
    /// id.in_scope(|| assert_eq!(SessionId::current(), Some(id.clone())));
    /// # Ok::<(), qorrelate_core::ParseSessionIdError>(())
    /// ```
    #[inline]
    pub fn current() -> Option<Self> {
        match carried() {
            Carried::Session(id) => Some(id),
            Carried::NoSession => None,
            Carried::Nothing => elsewhere::session(),
        }
    }
}

impl SessionIdOutcome {
    /// The outcome of the request that is being handled on this thread. `None` if no layer or middleware
    /// ran for it: on other threads, and in spawned tasks.
    ///
    /// ```
    /// # use qorrelate_core::SessionIdOutcome;
    /// assert_eq!(SessionIdOutcome::current(), None);
    /// ```
    pub fn current() -> Option<Self> {
        thread::request_outcome()
    }
}
