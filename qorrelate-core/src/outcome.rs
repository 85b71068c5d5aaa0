//! What became of the search for a session ID in one request.

use std::cell::Cell;
use std::fmt;

use crate::grammar::ParseSessionIdError;
use crate::id::SessionId;
use crate::otel::Session;
use crate::source::Source;

/// What the layer or middleware found in a request: an ID, nothing, or something malformed.
///
/// A handler reads it with [`current`](Self::current), a hook is given it
/// ([`Settings::on_outcome`](crate::Settings::on_outcome)), and it is reported once per request as a
/// `tracing` event of level `DEBUG` and target `qorrelate`. It never holds bytes of a malformed ID.
///
/// # Example
///
/// ```
/// use qorrelate_core::SessionIdOutcome;
///
/// fn describe(outcome: &SessionIdOutcome) -> String {
///     match outcome {
///         SessionIdOutcome::Found { id, source, .. } => format!("{id} in {source}"),
///         SessionIdOutcome::Malformed { source, error, .. } => format!("{source}: {error}"),
///         _ => "nothing".to_owned(),
///     }
/// }
/// # let _ = describe;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionIdOutcome {
    /// A source had an accepted ID.
    #[non_exhaustive]
    Found {
        /// The ID.
        id: SessionId,
        /// Where it was.
        source: Source,
    },
    /// No source had anything.
    #[non_exhaustive]
    Missing {
        /// The ID that was made instead, if the policy says so.
        generated: Option<SessionId>,
    },
    /// No source had an accepted ID, and at least one had something malformed.
    #[non_exhaustive]
    Malformed {
        /// Where it was; the first such source.
        source: Source,
        /// The rule that it broke, and its length.
        error: ParseSessionIdError,
        /// The ID that was made instead, if the policy says so.
        generated: Option<SessionId>,
    },
}

impl SessionIdOutcome {
    /// The session that the request is handled in: what was found, or what was generated.
    pub const fn session_id(&self) -> Option<&SessionId> {
        match self {
            Self::Found { id, .. } => Some(id),
            Self::Missing { generated } | Self::Malformed { generated, .. } => generated.as_ref(),
        }
    }

    /// The outcome of the request that is being handled on this thread: [`Missing`](Self::Missing)
    /// also where there is no layer or middleware, on other threads, and in spawned tasks.
    ///
    /// ```
    /// # use qorrelate_core::SessionIdOutcome;
    /// assert!(matches!(SessionIdOutcome::current(), SessionIdOutcome::Missing { .. }));
    /// ```
    pub fn current() -> Self {
        Self::of(Session::current(), told)
    }

    /// The outcome that led to this session, or that was told.
    pub(crate) fn of(session: Option<Session>, told: impl FnOnce() -> Option<Self>) -> Self {
        // The session first, so that the two agree where one layer is inside of another.
        match session {
            Some(Session { id, source: Some(source) }) => Self::Found { id, source },
            _ => told().unwrap_or(Self::Missing { generated: None }),
        }
    }

    /// A stable name: `found`, `missing` or `malformed`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Found { .. } => "found",
            Self::Missing { .. } => "missing",
            Self::Malformed { .. } => "malformed",
        }
    }

    /// The session that is made current for the request, and what [`of`](Self::of) cannot tell from it.
    #[inline]
    pub(crate) fn split(self) -> (Option<Session>, Option<Self>) {
        match self {
            Self::Found { id, source } => (Some(Session { id, source: Some(source) }), None),
            Self::Missing { generated: None } => (None, None),
            _ => (self.session_id().cloned().map(|id| Session { id, source: None }), Some(self)),
        }
    }

    /// The one debug line of a request.
    pub(crate) fn report(&self) {
        match self {
            Self::Found { source, .. } => {
                tracing::debug!(
                    target: "qorrelate",
                    outcome = self.as_str(),
                    source = %source,
                    "session ID found"
                );
            }
            Self::Missing { generated } => {
                tracing::debug!(
                    target: "qorrelate",
                    outcome = self.as_str(),
                    generated = generated.is_some(),
                    "the request has no session ID"
                );
            }
            Self::Malformed { source, error, generated } => {
                tracing::debug!(
                    target: "qorrelate",
                    outcome = self.as_str(),
                    source = %source,
                    rule = error.rule().as_str(),
                    len = error.len(),
                    generated = generated.is_some(),
                    "session ID ignored: {error}"
                );
            }
        }
    }
}

impl fmt::Display for SessionIdOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found { source, .. } => write!(f, "a session ID was found in {source}"),
            Self::Missing { .. } => f.write_str("the request has no session ID"),
            Self::Malformed { source, error, .. } => write!(f, "{error} (in {source})"),
        }
    }
}

thread_local! {
    /// The outcome of the request that is being polled on this thread, if the OpenTelemetry context
    /// does not tell: something was malformed, or generated. It is not in the context, so that a
    /// malformed ID costs no allocation.
    static TOLD: Cell<Option<SessionIdOutcome>> = const { Cell::new(None) };
}

/// Without effect, as below, on a thread that is shutting down.
fn told() -> Option<SessionIdOutcome> {
    let told = TOLD.try_with(|told| {
        let outcome = told.take();
        told.set(outcome.clone());
        outcome
    });
    told.ok().flatten()
}

/// Tells an outcome until it is dropped. It is moved there and back, so nothing is cloned.
#[derive(Debug)]
pub(crate) struct ToldOutcome<'a> {
    /// While this lives: what was told before.
    outcome: &'a mut Option<SessionIdOutcome>,
}

impl<'a> ToldOutcome<'a> {
    pub(crate) fn enter(outcome: &'a mut Option<SessionIdOutcome>) -> Self {
        swap(outcome);
        Self { outcome }
    }
}

impl Drop for ToldOutcome<'_> {
    fn drop(&mut self) {
        swap(self.outcome);
    }
}

fn swap(outcome: &mut Option<SessionIdOutcome>) {
    let _ = TOLD.try_with(|told| *outcome = told.replace(outcome.take()));
}
