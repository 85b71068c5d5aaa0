//! The current session as a value of the OpenTelemetry `Context`.

use opentelemetry::Context;

use crate::id::SessionId;
use crate::source::Source;

/// The session of an OpenTelemetry [`Context`], for code that handles contexts itself.
///
/// The session is a value of its own and not baggage, because an inbound `baggage` header replaces
/// the baggage of a context.
///
/// # Example
///
/// ```
/// use opentelemetry::Context;
/// use qorrelate_core::{SessionContextExt, SessionId};
///
/// let id: SessionId = "abc".parse()?;
/// let cx = Context::current().with_session_id(id.clone());
/// assert_eq!(cx.session_id(), Some(&id));
///
/// let _guard = cx.attach();
/// assert_eq!(SessionId::current(), Some(id));
/// # Ok::<(), qorrelate_core::ParseSessionIdError>(())
/// ```
pub trait SessionContextExt {
    /// A copy of this context in which `id` is the current session.
    #[must_use]
    fn with_session_id(&self, id: SessionId) -> Self;

    /// The current session of this context.
    fn session_id(&self) -> Option<&SessionId>;
}

impl SessionContextExt for Context {
    fn with_session_id(&self, id: SessionId) -> Self {
        self.with_value(Session { id, source: None })
    }

    fn session_id(&self) -> Option<&SessionId> {
        self.get().map(|session: &Session| &session.id)
    }
}

/// What a context holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    /// Where it was found, if it is that of a request that brought it.
    pub(crate) source: Option<Source>,
}

impl Session {
    /// That of the thread's current context.
    pub(crate) fn current() -> Option<Self> {
        Context::map_current(|cx| cx.get().cloned())
    }
}

/// The ID of the session of the thread's current context.
pub(crate) fn current() -> Option<SessionId> {
    Context::map_current(|cx| cx.session_id().cloned())
}
