//! Making a session current, again and again, for the polls of one future.

use std::ptr;

use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::TraceContextExt;
use opentelemetry::{Context, ContextGuard};

use super::SessionContextExt;
use crate::current::SessionGuard;
use crate::id::SessionId;

/// A session that is made current many times, on any thread: on every poll of a future or a body.
///
/// For adapters; apps use [`SessionId::scope`] and [`SessionId::enter`].
///
/// What is current besides the session (the active span, baggage) stays as it is wherever the scope
/// is entered.
///
/// # Example
///
/// ```
/// use qorrelate_core::{SessionId, SessionScope};
///
/// let id: SessionId = "abc".parse()?;
/// let mut scope = SessionScope::new(id.clone());
/// {
///     let _guard = scope.enter();
///     assert_eq!(SessionId::current(), Some(id));
/// }
/// assert_eq!(SessionId::current(), None);
/// # Ok::<(), qorrelate_core::ParseSessionIdError>(())
/// ```
#[derive(Debug, Clone)]
pub struct SessionScope {
    id: SessionId,
    /// The context of the last time, kept because making one costs three allocations.
    context: Option<Context>,
}

/// A context that is attached, until it is dropped.
pub(crate) type Attached = ContextGuard;

impl SessionScope {
    /// A scope of that session. Nothing is current before [`enter`](Self::enter).
    pub const fn new(id: SessionId) -> Self {
        Self { id, context: None }
    }

    /// The session.
    pub const fn session_id(&self) -> &SessionId {
        &self.id
    }

    /// Makes the session current on this thread until the guard is dropped.
    pub fn enter(&mut self) -> SessionGuard {
        enum Needed {
            Nothing,
            Last(Context),
            New(Context),
        }
        let needed = Context::map_current(|ambient| match &self.context {
            _ if ambient.session_id() == Some(&self.id) => Needed::Nothing,
            Some(last) if same_surroundings(ambient, last) => Needed::Last(last.clone()),
            _ => Needed::New(ambient.with_session_id(self.id.clone())),
        });
        SessionGuard::new(match needed {
            Needed::Nothing => None,
            Needed::Last(context) => Some(context.attach()),
            Needed::New(context) => {
                // Not inside of `map_current`: the context that is dropped here may end a span.
                self.context = Some(context.clone());
                Some(context.attach())
            }
        })
    }
}

/// Whether the two have the same span, baggage and suppression, so that one may stand in for the
/// other. A context does not show its other values, so they are taken to come and go with these.
fn same_surroundings(a: &Context, b: &Context) -> bool {
    a.has_active_span() == b.has_active_span()
        && a.span().span_context() == b.span().span_context()
        && a.is_telemetry_suppressed() == b.is_telemetry_suppressed()
        && ptr::eq(a.baggage(), b.baggage())
}

#[cfg(test)]
mod tests {
    use opentelemetry::KeyValue;
    use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

    use super::*;

    fn id() -> SessionId {
        "abc".parse().unwrap()
    }

    fn with_span(context: &Context, span: u64) -> Context {
        context.with_remote_span_context(SpanContext::new(
            TraceId::from(1),
            SpanId::from(span),
            TraceFlags::SAMPLED,
            false,
            TraceState::NONE,
        ))
    }

    fn current_span() -> SpanId {
        Context::current().span().span_context().span_id()
    }

    #[test]
    fn the_span_that_is_active_where_it_is_entered_stays_active() {
        let mut scope = SessionScope::new(id());
        for span in [1, 2, 2, 1] {
            let _ambient = with_span(&Context::new(), span).attach();
            let _guard = scope.enter();
            assert_eq!(current_span(), SpanId::from(span));
            assert_eq!(SessionId::current(), Some(id()));
        }
        let _guard = scope.enter();
        assert!(!Context::current().has_active_span());
    }

    #[test]
    fn the_baggage_that_is_current_where_it_is_entered_stays_current() {
        let mut scope = SessionScope::new(id());
        drop(scope.enter());
        for tenant in ["a", "b"] {
            let _ambient =
                Context::current_with_baggage([KeyValue::new("tenant", tenant)]).attach();
            let _guard = scope.enter();
            let context = Context::current();
            assert_eq!(context.baggage().get("tenant").unwrap().as_str(), tenant);
        }
    }

    #[test]
    fn another_session_that_is_current_is_overlaid_and_comes_back() {
        let other: SessionId = "other".parse().unwrap();
        let _outer = other.enter();
        let guard = SessionScope::new(id()).enter();
        assert_eq!(SessionId::current(), Some(id()));
        drop(guard);
        assert_eq!(SessionId::current(), Some(other));
    }

    #[test]
    fn the_same_surroundings_reuse_one_context() {
        let mut scope = SessionScope::new(id());
        let address = |_guard: SessionGuard| {
            Context::map_current(|cx| ptr::from_ref(cx.session_id().unwrap()) as usize)
        };
        let first = address(scope.enter());
        assert_eq!(address(scope.enter()), first);
    }
}
