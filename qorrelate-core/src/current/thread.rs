//! What runs on this thread: a request, and the scopes that began while it runs.
//!
//! Requests nest as calls do: one is swapped in while it runs, and swapped out again. Scopes may end in any
//! order, as guards may be dropped in any order: they lie on a stack, and the last one that is still there
//! counts.

use std::cell::{Cell, RefCell};
use std::mem;

use super::inside::Running;
use crate::id::SessionId;
use crate::inbound::SessionIdOutcome;

thread_local! {
    static THREAD: Thread = const { Thread::new() };
}

struct Thread {
    request: RefCell<Option<Request>>,
    /// How many scopes were there when the request was swapped in. They don't count in it.
    outside: Cell<usize>,
    /// `None` where a scope ended before those above it.
    scopes: RefCell<Vec<Option<Scope>>>,
}

/// A request, and which session it is in.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) outcome: SessionIdOutcome,
    /// No span has the link to the session's replay yet.
    #[cfg_attr(
        not(any(feature = "opentelemetry_0_32", feature = "opentelemetry_0_33")),
        allow(dead_code, reason = "only OpenTelemetry's spans have it")
    )]
    pub(crate) is_link_due: bool,
}

/// What was put into a session, or into none.
#[derive(Debug)]
pub(crate) enum Scope {
    /// Code.
    Session(SessionId),
    /// A span that is entered.
    #[cfg(feature = "tracing-subscriber")]
    Span {
        entered: EnteredSpan,
        /// `None` if it was made in a request without a session.
        session: Option<SessionId>,
    },
}

/// Which span of which layer is entered. IDs are unique among the spans of one subscriber only.
#[cfg(feature = "tracing-subscriber")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EnteredSpan {
    pub(crate) layer: usize,
    pub(crate) span: u64,
    /// Only while a layer is told of the span.
    pub(crate) is_being_told: bool,
}

impl Scope {
    const fn session(&self) -> Option<&SessionId> {
        match self {
            Self::Session(id) => Some(id),
            #[cfg(feature = "tracing-subscriber")]
            Self::Span { session, .. } => session.as_ref(),
        }
    }
}

/// Where a scope is. `None` on a thread that is shutting down.
type Position = Option<usize>;

impl Thread {
    const fn new() -> Self {
        Self {
            request: RefCell::new(None),
            outside: Cell::new(0),
            scopes: RefCell::new(Vec::new()),
        }
    }

    fn look_at_innermost_scope<T>(&self, look: impl FnOnce(Option<&Scope>) -> T) -> T {
        let scopes = self.scopes.borrow();
        let of_request = scopes.get(self.outside.get()..).unwrap_or_default();
        look(of_request.iter().rev().flatten().next())
    }

    fn push(&self, scope: Scope) -> usize {
        let mut scopes = self.scopes.borrow_mut();
        self.drop_ended(&mut scopes);
        scopes.push(Some(scope));
        scopes.len() - 1
    }

    fn remove(&self, position: usize) -> Option<Scope> {
        let mut scopes = self.scopes.borrow_mut();
        let scope = scopes.get_mut(position).and_then(Option::take);
        self.drop_ended(&mut scopes);
        scope
    }

    /// Not of those outside of the request: what begins in it must not take their place.
    fn drop_ended(&self, scopes: &mut Vec<Option<Scope>>) {
        while scopes.len() > self.outside.get() && scopes.last().is_some_and(Option::is_none) {
            scopes.pop();
        }
    }
}

/// What a thread says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Carried {
    /// Nothing of ours runs on it.
    Nothing,
    /// What runs is in no session.
    NoSession,
    /// What runs is in this session.
    Session(SessionId),
}

#[cfg(feature = "tracing-subscriber")]
impl Carried {
    pub(crate) fn or_else(self, other: impl FnOnce() -> Self) -> Self {
        match self {
            Self::Nothing => other(),
            carried => carried,
        }
    }

    pub(crate) fn into_session(self) -> Option<SessionId> {
        match self {
            Self::Session(session) => Some(session),
            Self::Nothing | Self::NoSession => None,
        }
    }
}

/// Nothing is carried on a thread that is shutting down, as below nothing can be put there.
#[inline]
pub(crate) fn carried() -> Carried {
    let say =
        |session: Option<&SessionId>| session.cloned().map_or(Carried::NoSession, Carried::Session);
    let carried = THREAD.try_with(|thread| {
        let of_scope = thread.look_at_innermost_scope(|scope| Some(say(scope?.session())));
        of_scope.unwrap_or_else(|| match &*thread.request.borrow() {
            Some(request) => say(request.outcome.session_id()),
            None => Carried::Nothing,
        })
    });
    carried.unwrap_or(Carried::Nothing)
}

/// The outcome of the request that runs.
pub(super) fn request_outcome() -> Option<SessionIdOutcome> {
    let outcome = |thread: &Thread| Some(thread.request.borrow().as_ref()?.outcome.clone());
    THREAD.try_with(outcome).ok().flatten()
}

/// Whether this code runs inside of another layer's call, for a request that has a session.
#[inline]
pub(crate) fn request_has_session() -> bool {
    let has_session = THREAD.try_with(|thread| {
        thread.request.borrow().as_ref().is_some_and(|it| it.outcome.session_id().is_some())
    });
    has_session.unwrap_or(false)
}

/// Whether the request that runs is in this session, and its replay is still to be linked. From now on it is
/// not.
#[cfg(any(feature = "opentelemetry_0_32", feature = "opentelemetry_0_33"))]
pub(crate) fn take_due_link(session: &SessionId) -> bool {
    let is_due = THREAD.try_with(|thread| match &mut *thread.request.borrow_mut() {
        Some(request) if request.outcome.session_id() == Some(session) => {
            mem::replace(&mut request.is_link_due, false)
        }
        _ => false,
    });
    is_due.unwrap_or(false)
}

/// A request that runs until it is stopped. It is moved to the thread and back, so nothing is cloned.
///
/// They must be stopped in the reverse order, so they are never handed out.
#[derive(Debug)]
pub(crate) struct RunningRequest<'a> {
    /// Meanwhile the request outside of this one.
    slot: &'a mut Option<Request>,
    /// As it was before. `None` if nothing is swapped.
    outside: Option<usize>,
}

impl<'a> RunningRequest<'a> {
    /// Swaps the request in, if there is one.
    #[inline(always)]
    pub(crate) fn start(slot: &'a mut Option<Request>) -> Self {
        if slot.is_none() {
            return Self { slot, outside: None };
        }
        let outside = THREAD.try_with(|thread| {
            mem::swap(&mut *thread.request.borrow_mut(), slot);
            thread.outside.replace(thread.scopes.borrow().len())
        });
        Self { slot, outside: outside.ok() }
    }

    /// The thread is shutting down. What is here is not this request.
    #[cold]
    fn lose(&mut self) {
        *self.slot = None;
    }
}

impl Running for RunningRequest<'_> {
    #[inline(always)]
    fn stop(&mut self) {
        let Some(outside) = self.outside.take() else { return };
        let swapped = THREAD.try_with(|thread| {
            mem::swap(&mut *thread.request.borrow_mut(), self.slot);
            thread.outside.set(outside);
        });
        if swapped.is_err() {
            self.lose();
        }
    }
}

/// In a panic.
impl Drop for RunningRequest<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.outside.is_some() {
            stop_in_panic(self);
        }
    }
}

#[cold]
#[inline(never)]
fn stop_in_panic(running: &mut RunningRequest<'_>) {
    running.stop();
}

/// A scope that runs until this is dropped. It is moved to the thread and back, so nothing is cloned.
pub(crate) struct RunningScope<'a> {
    slot: &'a mut Option<Scope>,
    position: Position,
}

impl<'a> RunningScope<'a> {
    /// Begins the scope, if there is one.
    pub(super) fn start(slot: &'a mut Option<Scope>) -> Self {
        let position = slot.take().and_then(push);
        Self { slot, position }
    }
}

impl Running for RunningScope<'_> {
    fn stop(&mut self) {
        if let Some(position) = self.position.take() {
            *self.slot = remove(position);
        }
    }
}

impl Drop for RunningScope<'_> {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A session that code is in until this is dropped, in any order.
#[derive(Debug)]
pub(super) struct EnteredSession(Position);

impl EnteredSession {
    pub(super) fn enter(id: SessionId) -> Self {
        Self(push(Scope::Session(id)))
    }
}

impl Drop for EnteredSession {
    fn drop(&mut self) {
        if let Some(position) = self.0 {
            remove(position);
        }
    }
}

/// Begins the scope of a span.
#[cfg(feature = "tracing-subscriber")]
pub(crate) fn enter_span(entered: EnteredSpan, session: Option<SessionId>) {
    push(Scope::Span { entered, session });
}

/// Ends what [`enter_span`] began last for this span, if anything.
#[cfg(feature = "tracing-subscriber")]
pub(crate) fn exit_span(exited: EnteredSpan) {
    let position = THREAD.try_with(|thread| {
        thread.scopes.borrow().iter().rposition(
            |scope| matches!(scope, Some(Scope::Span { entered, .. }) if *entered == exited),
        )
    });
    if let Ok(Some(position)) = position {
        remove(position);
    }
}

fn push(scope: Scope) -> Position {
    THREAD.try_with(|thread| thread.push(scope)).ok()
}

/// On a thread that is shutting down, it was dropped with the others.
fn remove(position: usize) -> Option<Scope> {
    THREAD.try_with(|thread| thread.remove(position)).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(id: &str) -> Scope {
        Scope::Session(id.parse().unwrap())
    }

    fn session(thread: &Thread) -> Option<String> {
        thread.look_at_innermost_scope(|scope| Some(scope?.session()?.to_string()))
    }

    #[test]
    fn a_scope_that_ended_is_forgotten_with_those_above_it() {
        let thread = Thread::new();
        let [a, b, c] = ["a", "b", "c"].map(|id| thread.push(scope(id)));
        for position in [b, a] {
            thread.remove(position);
            assert_eq!(session(&thread).as_deref(), Some("c"));
        }
        thread.remove(c);
        assert!(thread.scopes.borrow().is_empty());
    }

    #[test]
    fn a_scope_outside_of_the_request_that_ends_in_it_leaves_its_place_empty() {
        let thread = Thread::new();
        let outside = thread.push(scope("outside"));
        thread.outside.set(1);
        assert_eq!(session(&thread), None);
        thread.remove(outside);
        let inside = thread.push(scope("inside"));
        assert_eq!(session(&thread).as_deref(), Some("inside"));
        thread.remove(inside);
        thread.outside.set(0);
        assert_eq!(session(&thread), None);
        assert_eq!(thread.push(scope("next")), 0);
    }

    #[test]
    fn a_request_is_small_as_it_is_moved_with_each_poll() {
        assert!(mem::size_of::<Option<Request>>() <= 48, "{}", mem::size_of::<Option<Request>>());
    }
}
