//! The stack of what runs on this thread: the frame on top says whose session it is.
//!
//! Frames may be taken off in any order, as guards may be dropped in any order. The last one that is still
//! there is on top.

use std::cell::RefCell;
use std::fmt;

use crate::id::SessionId;
use crate::inbound::SessionIdOutcome;

thread_local! {
    static STACK: RefCell<Vec<Option<Frame>>> = const { RefCell::new(Vec::new()) };
}

/// What runs on a thread.
#[derive(Debug, Clone)]
pub(crate) enum Frame {
    /// A request. Its outcome says in which session it is, or that it is in none.
    Request(SessionIdOutcome),
    /// Code that was put into a session.
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

impl Frame {
    #[inline]
    pub(crate) const fn session(&self) -> Option<&SessionId> {
        match self {
            Self::Request(outcome) => outcome.session_id(),
            Self::Session(id) => Some(id),
            #[cfg(feature = "tracing-subscriber")]
            Self::Span { session, .. } => session.as_ref(),
        }
    }
}

/// What the stack says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Carried {
    /// It is empty: nothing of ours runs on this thread.
    Nothing,
    /// What runs is in no session.
    NoSession,
    /// What runs is in this session.
    Session(SessionId),
}

/// Nothing is carried on a thread that is shutting down, as below nothing can be put there.
#[inline]
pub(crate) fn carried() -> Carried {
    let carried = STACK.try_with(|stack| match stack.borrow().last() {
        None | Some(None) => Carried::Nothing,
        Some(Some(frame)) => frame.session().cloned().map_or(Carried::NoSession, Carried::Session),
    });
    carried.unwrap_or(Carried::Nothing)
}

/// The outcome of the innermost request.
pub(super) fn request_outcome() -> Option<SessionIdOutcome> {
    let outcome = STACK.try_with(|stack| {
        stack.borrow().iter().rev().flatten().find_map(|frame| match frame {
            Frame::Request(outcome) => Some(outcome.clone()),
            _ => None,
        })
    });
    outcome.ok().flatten()
}

/// Whether this code runs inside of another layer's call, for a request that has a session.
#[inline]
pub(crate) fn request_has_session() -> bool {
    let has_session = STACK.try_with(|stack| {
        stack.borrow().iter().rev().flatten().find_map(|frame| match frame {
            Frame::Request(outcome) => Some(outcome.session_id().is_some()),
            _ => None,
        })
    });
    has_session.is_ok_and(|has_session| has_session == Some(true))
}

/// Where a frame is. `None` on a thread that is shutting down.
type Position = Option<usize>;

/// Moves the frame onto the stack, or leaves it where it is on a thread that is shutting down.
#[inline]
fn push(frame: &mut Option<Frame>) -> Position {
    let position = STACK.try_with(|stack| {
        let mut stack = stack.borrow_mut();
        stack.push(frame.take());
        stack.len() - 1
    });
    position.ok()
}

#[inline]
fn remove(position: usize) -> Option<Frame> {
    let frame = STACK.try_with(|stack| {
        let mut stack = stack.borrow_mut();
        if stack.len() == position + 1 {
            let frame = stack.pop();
            drop_holes(&mut stack);
            frame
        } else {
            stack.get_mut(position).map(Option::take)
        }
    });
    // Not dropped while the stack is borrowed: a source may hold code of the user's.
    frame.ok().flatten().flatten()
}

/// Whatever is on top is there.
#[inline]
fn drop_holes(stack: &mut Vec<Option<Frame>>) {
    while let Some(None) = stack.last() {
        stack.pop();
    }
}

/// A frame on the stack until this is dropped. It is moved there and back, so nothing is cloned.
pub(crate) struct Entered<'a> {
    slot: &'a mut Option<Frame>,
    position: Position,
}

impl<'a> Entered<'a> {
    /// Puts the frame on the stack, if there is one.
    #[inline]
    pub(crate) fn enter(slot: &'a mut Option<Frame>) -> Self {
        let position = if slot.is_some() { push(slot) } else { None };
        Self { slot, position }
    }
}

impl Drop for Entered<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(position) = self.position {
            *self.slot = remove(position);
        }
    }
}

impl fmt::Debug for Entered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entered").finish_non_exhaustive()
    }
}

/// A session on the stack until this is dropped.
#[derive(Debug)]
pub(super) struct EnteredSession(Position);

impl EnteredSession {
    pub(super) fn enter(id: SessionId) -> Self {
        Self(push(&mut Some(Frame::Session(id))))
    }
}

impl Drop for EnteredSession {
    fn drop(&mut self) {
        if let Some(position) = self.0 {
            drop(remove(position));
        }
    }
}

/// Puts a span on the stack.
#[cfg(feature = "tracing-subscriber")]
pub(crate) fn enter_span(entered: EnteredSpan, session: Option<SessionId>) {
    push(&mut Some(Frame::Span { entered, session }));
}

/// Takes off what [`enter_span`] put there last for this span, if anything.
#[cfg(feature = "tracing-subscriber")]
pub(crate) fn exit_span(exited: EnteredSpan) {
    let position = STACK.try_with(|stack| {
        stack.borrow().iter().rposition(
            |frame| matches!(frame, Some(Frame::Span { entered, .. }) if *entered == exited),
        )
    });
    if let Ok(Some(position)) = position {
        drop(remove(position));
    }
}
