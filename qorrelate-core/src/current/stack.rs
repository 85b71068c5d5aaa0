//! The stack of what runs on this thread: the frame on top says whose session it is.
//!
//! Frames may be taken off in any order, as guards may be dropped in any order. The last one that is still
//! there is on top.

use std::cell::RefCell;
use std::fmt;
use std::mem;

use crate::id::SessionId;
use crate::inbound::SessionIdOutcome;

thread_local! {
    static STACK: RefCell<Stack> = const { RefCell::new(Stack::new()) };
}

/// Its slots are kept when they are empty, so that a poll makes and drops none.
struct Stack {
    /// Empty from `len` on.
    slots: Vec<Option<Frame>>,
    len: usize,
    /// How many below `len` are empty, because their frame was taken off before those above.
    holes: usize,
}

/// What runs on a thread.
#[derive(Debug, Clone)]
pub(crate) enum Frame {
    /// A request.
    Request {
        /// Says in which session it is, or that it is in none.
        outcome: SessionIdOutcome,
        /// No span has the link to the session's replay yet.
        is_link_due: bool,
    },
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
            Self::Request { outcome, .. } => outcome.session_id(),
            Self::Session(id) => Some(id),
            #[cfg(feature = "tracing-subscriber")]
            Self::Span { session, .. } => session.as_ref(),
        }
    }
}

impl Stack {
    const fn new() -> Self {
        Self { slots: Vec::new(), len: 0, holes: 0 }
    }

    fn frames(&self) -> impl DoubleEndedIterator<Item = &Option<Frame>> + ExactSizeIterator {
        self.slots.iter().take(self.len)
    }

    fn innermost_request(&self) -> Option<&SessionIdOutcome> {
        self.frames().rev().flatten().find_map(|frame| match frame {
            Frame::Request { outcome, .. } => Some(outcome),
            _ => None,
        })
    }

    /// Leaves the slot that the frame was in empty.
    #[inline]
    fn push(&mut self, frame: &mut Option<Frame>) -> usize {
        let position = self.len;
        match self.slots.get_mut(position) {
            Some(slot) => move_frame(frame, slot),
            None => self.grow(frame),
        }
        self.len = position + 1;
        position
    }

    #[cold]
    fn grow(&mut self, frame: &mut Option<Frame>) {
        self.slots.push(frame.take());
    }

    /// Puts the frame of that position into `frame`, which is empty.
    #[inline]
    fn remove(&mut self, position: usize, frame: &mut Option<Frame>) {
        if let Some(slot) = self.slots.get_mut(position) {
            move_frame(slot, frame);
        }
        if self.len == position + 1 {
            self.len = position;
            if self.holes > 0 {
                self.drop_holes();
            }
        } else {
            self.holes += 1;
        }
    }

    /// Whatever is on top is there.
    #[cold]
    fn drop_holes(&mut self) {
        let top = self.frames().rposition(Option::is_some);
        let len = top.map_or(0, |top| top + 1);
        self.holes -= self.len - len;
        self.len = len;
    }
}

/// Moves a frame to where there is none. To look for what would have to be dropped there would cost more
/// than the move.
#[inline]
fn move_frame(from: &mut Option<Frame>, to: &mut Option<Frame>) {
    debug_assert!(to.is_none());
    mem::forget(mem::replace(to, from.take()));
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
    let carried = STACK.try_with(|stack| match stack.borrow().frames().next_back() {
        None | Some(None) => Carried::Nothing,
        Some(Some(frame)) => frame.session().cloned().map_or(Carried::NoSession, Carried::Session),
    });
    carried.unwrap_or(Carried::Nothing)
}

/// The outcome of the innermost request.
pub(super) fn request_outcome() -> Option<SessionIdOutcome> {
    STACK.try_with(|stack| stack.borrow().innermost_request().cloned()).ok().flatten()
}

/// Whether this code runs inside of another layer's call, for a request that has a session.
#[inline]
pub(crate) fn request_has_session() -> bool {
    let has_session = STACK.try_with(|stack| {
        stack.borrow().innermost_request().is_some_and(|outcome| outcome.session_id().is_some())
    });
    has_session.unwrap_or(false)
}

/// Whether the innermost request is in this session, and its replay is still to be linked. From now on it is
/// not.
pub(crate) fn take_due_link(session: &SessionId) -> bool {
    let is_due = STACK.try_with(|stack| {
        let mut stack = stack.borrow_mut();
        let len = stack.len;
        let mut frames = stack.slots.iter_mut().take(len).rev().flatten();
        frames
            .find_map(|frame| match frame {
                Frame::Request { outcome, is_link_due } => {
                    Some(outcome.session_id() == Some(session) && mem::replace(is_link_due, false))
                }
                _ => None,
            })
            .unwrap_or(false)
    });
    is_due.unwrap_or(false)
}

/// Where a frame is. `None` on a thread that is shutting down.
type Position = Option<usize>;

/// Moves the frame onto the stack, or leaves it where it is on a thread that is shutting down.
#[inline]
fn push(frame: &mut Option<Frame>) -> Position {
    STACK.try_with(|stack| stack.borrow_mut().push(frame)).ok()
}

/// Moves the frame of that position to where there is none.
#[inline]
fn remove(position: usize, frame: &mut Option<Frame>) {
    // On a thread that is shutting down, it was dropped with the stack.
    let _ = STACK.try_with(|stack| stack.borrow_mut().remove(position, frame));
}

/// Takes off the frame of that position.
fn drop_frame(position: usize) {
    // Not dropped while the stack is borrowed: a source may hold code of the user's.
    let mut frame = None;
    remove(position, &mut frame);
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
            remove(position, self.slot);
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
            drop_frame(position);
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
        stack.borrow().frames().rposition(
            |frame| matches!(frame, Some(Frame::Span { entered, .. }) if *entered == exited),
        )
    });
    if let Ok(Some(position)) = position {
        drop_frame(position);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(id: &str) -> Option<Frame> {
        Some(Frame::Session(id.parse().unwrap()))
    }

    #[test]
    fn holes_are_forgotten_with_what_stood_above_them() {
        let mut stack = Stack::new();
        let [a, b, c] = ["a", "b", "c"].map(|id| stack.push(&mut frame(id)));
        for position in [b, a] {
            stack.remove(position, &mut None);
        }
        assert_eq!((stack.len, stack.holes), (3, 2));
        stack.remove(c, &mut None);
        assert_eq!((stack.len, stack.holes), (0, 0));
    }
}
