//! `SessionId` as an argument of a handler.
//!
//! These are the only lines of core that name a framework: Rust lets an extractor be written only
//! where its trait or its type is at home, and [`SessionId`] must be one type under every framework.

#[cfg(feature = "actix-web")]
mod actix;
#[cfg(feature = "axum")]
mod axum;

use std::fmt;

use crate::id::SessionId;
use crate::outcome::SessionIdOutcome;
use crate::problem::Problem;

/// The request has no valid session ID, and the code needs one: what a handler with a `SessionId`
/// argument answers, as status 400 and a problem document (RFC 9457).
///
/// # Example
///
/// ```
/// use qorrelate_core::SessionId;
///
/// let error = SessionId::require().unwrap_err();
/// assert_eq!(error.to_string(), "a valid session ID is required: the request has no session ID");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingSessionId {
    outcome: SessionIdOutcome,
}

impl MissingSessionId {
    /// The answer to send.
    pub fn problem(&self) -> Problem {
        Problem::session_id_required(&self.outcome)
    }
}

impl fmt::Display for MissingSessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a valid session ID is required: {}", self.outcome)
    }
}

impl std::error::Error for MissingSessionId {}

impl SessionId {
    /// The session of the request that is being handled, for code that cannot do without.
    ///
    /// # Errors
    ///
    /// [`MissingSessionId`], which both adapters' frameworks turn into a 400 that says why.
    ///
    /// ```
    /// # use qorrelate_core::SessionId;
    /// let id: SessionId = "abc".parse()?;
    /// assert_eq!(id.in_scope(SessionId::require).unwrap(), id);
    /// assert!(SessionId::require().is_err());
    /// # Ok::<(), qorrelate_core::ParseSessionIdError>(())
    /// ```
    pub fn require() -> Result<Self, MissingSessionId> {
        Self::current().ok_or_else(|| MissingSessionId { outcome: SessionIdOutcome::current() })
    }
}
