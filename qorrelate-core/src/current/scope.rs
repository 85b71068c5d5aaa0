//! Making a session current: for a future, for a closure, for a block.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::inside::{Inside, Outside};
use super::thread::{EnteredSession, RunningScope, Scope};
use crate::id::SessionId;

impl SessionId {
    /// Runs a future with this as the current session: on every poll, and while it is dropped.
    ///
    /// Only the session is carried, not the span. To keep the span too, instrument the future as usual:
    /// the two work in either order.
    ///
    /// ```
    /// # use qorrelate_core::SessionId;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let id: SessionId = "abc".parse()?;
    /// let task = tokio::spawn(id.scope(async { SessionId::current() }));
    /// assert_eq!(task.await?.unwrap(), "abc");
    /// # Ok(())
    /// # }
    /// ```
    pub fn scope<F>(&self, future: F) -> InSession<F> {
        InSession::new(Some(self.clone()), future)
    }

    /// Makes this the current session of the thread until the guard is dropped.
    ///
    /// For synchronous code. A guard held over an `.await` would make the session current for whatever
    /// else the thread runs. The compiler refuses that in futures that must be `Send`; use
    /// [`scope`](Self::scope) there.
    ///
    /// ```
    /// # use qorrelate_core::SessionId;
    /// let id: SessionId = "abc".parse()?;
    /// let guard = id.enter();
    /// assert_eq!(SessionId::current(), Some(id));
    /// drop(guard);
    /// assert_eq!(SessionId::current(), None);
    /// # Ok::<(), qorrelate_core::ParseSessionIdError>(())
    /// ```
    ///
    /// ```compile_fail
    /// # use qorrelate_core::SessionId;
    /// fn spawn(_: impl Future + Send) {}
    ///
    /// let id: SessionId = "abc".parse().unwrap();
    /// spawn(async move {
    ///     let _guard = id.enter(); // not `Send`
    ///     std::future::ready(()).await;
    /// });
    /// ```
    pub fn enter(&self) -> SessionGuard {
        SessionGuard { _entered: EnteredSession::enter(self.clone()), _not_send: PhantomData }
    }

    /// Runs a closure with this as the current session, on this thread.
    ///
    /// ```
    /// # use qorrelate_core::SessionId;
    /// let id: SessionId = "abc".parse()?;
    /// let thread = std::thread::spawn(move || id.in_scope(SessionId::current));
    /// assert_eq!(thread.join().unwrap().unwrap(), "abc");
    /// # Ok::<(), qorrelate_core::ParseSessionIdError>(())
    /// ```
    pub fn in_scope<T>(&self, work: impl FnOnce() -> T) -> T {
        let _guard = self.enter();
        work()
    }
}

/// Keeps a session current on this thread until it is dropped. See [`SessionId::enter`].
#[must_use = "the session is current only as long as the guard lives"]
pub struct SessionGuard {
    _entered: EnteredSession,
    _not_send: PhantomData<*const ()>,
}

impl fmt::Debug for SessionGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionGuard").finish_non_exhaustive()
    }
}

/// Carries the current session into a task, as `tracing`'s `in_current_span` carries the span.
///
/// # Example
///
/// ```
/// # use qorrelate_core as qorrelate_tower;
/// use qorrelate_tower::{InCurrentSession, SessionId}; // or qorrelate_actix
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let id: SessionId = "abc".parse()?;
/// let _guard = id.enter(); // as in a handler
///
/// let task = tokio::spawn(async { SessionId::current() }.in_current_session());
/// assert_eq!(task.await?.unwrap(), "abc");
/// # Ok(())
/// # }
/// ```
pub trait InCurrentSession: Future + Sized {
    /// Runs the future in the session that is current now: on every poll, and while it is dropped. If no
    /// session is current, the future runs as it is.
    fn in_current_session(self) -> InSession<Self> {
        InSession::new(SessionId::current(), self)
    }
}

impl<F: Future> InCurrentSession for F {}

/// Carries the current session to another thread: for `spawn_blocking`, `std::thread::spawn` and
/// thread pools. If no session is current, the closure runs as it is.
///
/// The twin of [`InCurrentSession::in_current_session`] for closures.
///
/// # Example
///
/// ```
/// # use qorrelate_core as qorrelate_tower;
/// use qorrelate_tower::{SessionId, in_current_session}; // or qorrelate_actix
///
/// let id: SessionId = "abc".parse()?;
/// let _guard = id.enter(); // as in a handler
///
/// let thread = std::thread::spawn(in_current_session(SessionId::current));
/// assert_eq!(thread.join().unwrap().unwrap(), "abc");
/// # Ok::<(), qorrelate_core::ParseSessionIdError>(())
/// ```
pub fn in_current_session<T, F: FnOnce() -> T>(work: F) -> impl FnOnce() -> T + use<T, F> {
    let session = SessionId::current();
    move || match session {
        Some(id) => id.in_scope(work),
        None => work(),
    }
}

pin_project! {
    /// A future that runs in a session: on every poll, and while it is dropped. See
    /// [`SessionId::scope`] and [`InCurrentSession`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct InSession<F> {
        #[pin]
        inside: Inside<Option<Scope>, F>,
    }
}

impl<F> InSession<F> {
    fn new(session: Option<SessionId>, future: F) -> Self {
        Self { inside: Inside::new(session.map(Scope::Session), future) }
    }
}

impl Outside for Option<Scope> {
    type Running<'a> = RunningScope<'a>;
    type OnThread<'a> = RunningScope<'a>;

    fn start(&mut self) -> RunningScope<'_> {
        RunningScope::start(self)
    }

    fn start_on_thread(&mut self) -> RunningScope<'_> {
        RunningScope::start(self)
    }
}

impl<F: Future> Future for InSession<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().inside.poll(cx)
    }
}
