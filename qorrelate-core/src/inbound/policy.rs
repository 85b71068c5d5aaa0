//! What to do for a request without a usable session ID.

use crate::id::SessionId;

/// What to do for a request without a usable session ID.
///
/// # Example
///
/// ```
/// # use qorrelate_core as qorrelate_tower;
/// use qorrelate_tower::{Policy, SessionId}; // or qorrelate_actix
///
/// assert_eq!(Policy::default(), Policy::Ignore);
///
/// let generate = Policy::Generate(SessionId::new_v7);
/// # let _ = generate;
/// ```
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub enum Policy {
    /// The request is handled without a session. The default.
    #[default]
    Ignore,
    /// The request is handled in a new session, whose ID this function makes: `SessionId::new_v4`,
    /// `SessionId::new_v7` (feature `uuid`), or your own. No replay belongs to such a session.
    Generate(fn() -> SessionId),
}

impl PartialEq for Policy {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Ignore, Self::Ignore) => true,
            (Self::Generate(a), Self::Generate(b)) => std::ptr::fn_addr_eq(*a, *b),
            _ => false,
        }
    }
}

impl Policy {
    #[inline]
    pub(crate) fn apply(self) -> Option<SessionId> {
        match self {
            Self::Ignore => None,
            Self::Generate(new) => Some(new()),
        }
    }
}
