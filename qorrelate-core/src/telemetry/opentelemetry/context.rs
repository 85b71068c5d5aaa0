//! The session as a value of the OpenTelemetry `Context`.

use std::sync::Once;

use super::opentelemetry::{Context, ContextGuard};
use crate::current::{self, Carried, carried};
use crate::id::SessionId;

/// The session in an OpenTelemetry `Context`: for code that handles contexts itself.
///
/// The session is a value of its own and not baggage, because an inbound `baggage` header replaces the
/// baggage of a context.
///
/// **Where a layer, a scope or a span of this thread says which session it is, that one counts.** The
/// context's session counts everywhere else, such as in a task spawned with `.with_current_context()`.
///
/// # Example
///
/// ```
#[doc = concat!("use ", this_version!(opentelemetry), "::Context; // the crate `opentelemetry` of this version")]
/// # use qorrelate_core as qorrelate_tower;
/// use qorrelate_tower::SessionId; // or qorrelate_actix
#[doc = concat!("use qorrelate_tower::", this_version!(opentelemetry), "::SessionContextExt;")]
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
    /// A copy of this context with `id` as its session.
    #[must_use]
    fn with_session_id(&self, id: SessionId) -> Self;

    /// The session of this context.
    fn session_id(&self) -> Option<&SessionId>;
}

/// What a context holds. `None` hides the session of the context that it was made from.
#[derive(Debug)]
struct ContextSession(Option<SessionId>);

impl SessionContextExt for Context {
    fn with_session_id(&self, id: SessionId) -> Self {
        static IS_READ: Once = Once::new();

        // From now on there may be a context with a session on any thread.
        IS_READ.call_once(|| current::add_reader(session_of_current));
        self.with_value(ContextSession(Some(id)))
    }

    fn session_id(&self) -> Option<&SessionId> {
        self.get::<ContextSession>()?.0.as_ref()
    }
}

pub(crate) fn session_of_current() -> Option<SessionId> {
    Context::map_current(|cx| cx.session_id().cloned())
}

/// The session of what is done in that context.
pub(crate) fn session_for(cx: Option<&Context>) -> Option<SessionId> {
    match carried() {
        Carried::Session(id) => Some(id),
        Carried::NoSession => None,
        Carried::Nothing => {
            cx.and_then(|cx| cx.session_id().cloned()).or_else(SessionId::current)
        }
    }
}

/// A context that is current until this is dropped.
pub(crate) type Attached = ContextGuard;

/// Makes the session, or that there is none, known to the current context. The context is made anew from
/// what is current, so that nothing of it is hidden, revived or kept alive.
pub(crate) fn attach(session: Option<&SessionId>) -> Option<Attached> {
    let context = Context::map_current(|cx| match (session, cx.session_id()) {
        (Some(id), _) => Some(cx.with_session_id(id.clone())),
        (None, Some(_)) => Some(cx.with_value(ContextSession(None))),
        (None, None) => None,
    });
    context.map(Context::attach)
}
