//! The current session: reading it, and making one current.

use std::fmt;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::id::SessionId;
use crate::otel::{self, Attached, SessionScope};

impl SessionId {
    /// The session that the current code works for: in a handler and in what it calls, that of the
    /// request.
    ///
    /// It is read from the current OpenTelemetry context of the thread. A task that is spawned, or a
    /// thread that is started, is in no session until it is put into one with
    /// [`scope`](Self::scope), [`enter`](Self::enter) or [`in_scope`](Self::in_scope).
    ///
    /// ```
    /// # use qorrelate_core::SessionId;
    /// assert_eq!(SessionId::current(), None);
    ///
    /// let id: SessionId = "abc".parse()?;
    /// id.in_scope(|| assert_eq!(SessionId::current(), Some(id.clone())));
    /// # Ok::<(), qorrelate_core::ParseSessionIdError>(())
    /// ```
    pub fn current() -> Option<Self> {
        otel::current()
    }

    /// Runs a future with this as the current session: on every poll, and while it is dropped.
    ///
    /// Only the session is carried, not the span. To keep the span too, instrument the future as
    /// ever: the two work in either order.
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
        InSession::new(future, Some(SessionScope::new(self.clone())))
    }

    /// Makes this the current session of the thread until the guard is dropped.
    ///
    /// For synchronous code. Holding the guard over an `.await` would make it current for whatever
    /// else the thread runs; the compiler refuses that in futures that must be `Send`, and
    /// [`scope`](Self::scope) is what such code needs.
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
        SessionScope::new(self.clone()).enter()
    }

    /// Runs a closure with this as the current session: what to call inside of `spawn_blocking`,
    /// `std::thread::spawn` and thread pools.
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
    /// `None` where the session was current already.
    _attached: Option<Attached>,
}

impl SessionGuard {
    pub(crate) const fn new(attached: Option<Attached>) -> Self {
        Self { _attached: attached }
    }
}

impl fmt::Debug for SessionGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionGuard").finish_non_exhaustive()
    }
}

pin_project! {
    /// A future, or whatever else is polled, in a session: on every poll, and while it is dropped. See
    /// [`SessionId::scope`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct InSession<T> {
        // `None`: in none of its own.
        scope: Option<SessionScope>,
        // `None` once it was done, and dropped in the session.
        #[pin]
        inner: Option<T>,
    }

    impl<T> PinnedDrop for InSession<T> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            // What does nothing when it is dropped need not be dropped in the session.
            if mem::needs_drop::<T>() && this.inner.is_some() {
                let _guard = this.scope.as_mut().map(SessionScope::enter);
                this.inner.set(None);
            }
        }
    }
}

impl<T> InSession<T> {
    /// For adapters: what is polled by another trait than `Future`, such as a response body.
    #[inline]
    pub const fn new(inner: T, scope: Option<SessionScope>) -> Self {
        Self { scope, inner: Some(inner) }
    }

    /// What is in the session, until it is done.
    #[inline]
    pub const fn get(&self) -> Option<&T> {
        self.inner.as_ref()
    }

    /// Polls what is in the session, in it. `poll` also says whether that is done: then it is dropped
    /// at once, in the session too, and the session is not made current once more for that.
    ///
    /// `None` if it was done before.
    #[inline]
    pub fn poll_in_session<R>(
        self: Pin<&mut Self>,
        poll: impl FnOnce(Pin<&mut T>) -> (R, bool),
    ) -> Option<R> {
        let mut this = self.project();
        let inner = this.inner.as_mut().as_pin_mut()?;
        let _guard = this.scope.as_mut().map(SessionScope::enter);
        let (polled, is_done) = poll(inner);
        if is_done {
            this.inner.set(None);
        }
        Some(polled)
    }
}

impl<F: Future> Future for InSession<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = self.poll_in_session(|future| {
            let polled = future.poll(cx);
            let is_done = polled.is_ready();
            (polled, is_done)
        });
        // Nothing polls a future that is done.
        polled.unwrap_or(Poll::Pending)
    }
}
