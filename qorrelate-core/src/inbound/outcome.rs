//! What became of the search for a session ID in one request.

use std::fmt;

use super::source::Source;
use crate::id::{ParseSessionIdError, SessionId};

/// What the layer or middleware found in a request: an ID, nothing, or something malformed.
///
/// A handler takes it as an argument (an extractor) or asks [`current`](Self::current). A hook is given
/// it (`on_outcome`), and it is logged once per request as a `tracing` event of level `DEBUG` and target
/// `qorrelate`. It never holds bytes of a malformed ID.
///
/// # Example
///
/// ```
/// # use qorrelate_core as qorrelate_tower;
/// use qorrelate_tower::SessionIdOutcome; // or qorrelate_actix
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
        /// The ID that was generated instead, if the policy says so.
        generated: Option<SessionId>,
    },
    /// No source had an accepted ID, and at least one had something malformed.
    #[non_exhaustive]
    Malformed {
        /// Where it was; the first such source.
        source: Source,
        /// The rule that it broke, and its length.
        error: ParseSessionIdError,
        /// The ID that was generated instead, if the policy says so.
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

    /// A stable name: `found`, `missing` or `malformed`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Found { .. } => "found",
            Self::Missing { .. } => "missing",
            Self::Malformed { .. } => "malformed",
        }
    }

    /// The one debug line of a request.
    pub(crate) fn log(&self) {
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
