//! Making a session current, again and again, for the polls of one future.

use std::ptr;

use opentelemetry::baggage::{Baggage, BaggageExt};
use opentelemetry::trace::{SpanId, TraceContextExt, TraceId};
use opentelemetry::{Context, ContextGuard};

use super::{Session, SessionContextExt};
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
pub struct SessionScope(State);

#[derive(Debug, Clone)]
enum State {
    /// Not entered yet. `None` only while the session is on its way into a context.
    Fresh(Option<Session>),
    /// The context, with the session in it, that was made current the last time: kept because making
    /// it costs three allocations.
    Entered(Context),
}

/// A context that is attached, until it is dropped.
pub(crate) type Attached = ContextGuard;

impl SessionScope {
    /// A scope of that session. Nothing is current before [`enter`](Self::enter).
    pub const fn new(id: SessionId) -> Self {
        Self::of(Session { id, source: None })
    }

    pub(crate) const fn of(session: Session) -> Self {
        Self(State::Fresh(Some(session)))
    }

    /// The session. There always is one.
    pub(crate) fn session(&self) -> Option<&Session> {
        match &self.0 {
            State::Fresh(session) => session.as_ref(),
            State::Entered(last) => last.get(),
        }
    }

    /// Makes the session current on this thread until the guard is dropped.
    pub fn enter(&mut self) -> SessionGuard {
        self.enter_and_look().0
    }

    /// [`enter`](Self::enter), and what was current before.
    pub(crate) fn enter_and_look(&mut self) -> (SessionGuard, Before) {
        let (context, is_new, before) = Context::map_current(|ambient| {
            let current = ambient.session_id();
            let before =
                Before { is_in_session: current.is_some(), has_span: ambient.has_active_span() };
            if current.is_some() && current == self.session().map(|session| &session.id) {
                return (None, false, before);
            }
            let session = match &mut self.0 {
                State::Entered(last) if Surroundings::of(last) == Surroundings::of(ambient) => {
                    return (Some(last.clone()), false, before);
                }
                State::Entered(last) => last.get().cloned(),
                State::Fresh(session) => session.take(),
            };
            (session.map(|session: Session| ambient.with_value(session)), true, before)
        });
        let Some(context) = context else {
            return (SessionGuard::new(None), before);
        };
        if is_new {
            // Not inside of `map_current`: the context that is dropped here may end a span.
            self.0 = State::Entered(context.clone());
        }
        (SessionGuard::new(Some(context.attach())), before)
    }
}

/// What was current where a scope was entered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Before {
    pub(crate) is_in_session: bool,
    pub(crate) has_span: bool,
}

/// What a context made elsewhere must share with the current one to stand in for it. A context does not
/// show its other values, so they are taken to come and go with these.
#[derive(PartialEq)]
struct Surroundings {
    span: Option<(TraceId, SpanId)>,
    /// Contexts that are made of each other share it.
    baggage: *const Baggage,
    is_suppressed: bool,
}

impl Surroundings {
    fn of(context: &Context) -> Self {
        Self {
            span: context.has_active_span().then(|| {
                let span = context.span();
                (span.span_context().trace_id(), span.span_context().span_id())
            }),
            baggage: ptr::from_ref(context.baggage()),
            is_suppressed: context.is_telemetry_suppressed(),
        }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::KeyValue;
    use opentelemetry::trace::{SpanContext, TraceFlags, TraceState};

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
