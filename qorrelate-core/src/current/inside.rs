//! Whatever is polled inside of something: on every poll, and while it is dropped.

use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::stack::{Entered, Frame};

/// What can be entered again and again, on any thread.
pub(crate) trait Enter {
    /// What keeps it entered.
    type Entered<'a>
    where
        Self: 'a;

    fn enter(&mut self) -> Self::Entered<'_>;

    /// What alone is entered while something is dropped: on a thread that is shutting down, nothing but
    /// our own stack can be asked without a panic.
    fn frame(&mut self) -> &mut Option<Frame>;
}

pin_project! {
    /// A future or a body, polled and dropped inside of `E`.
    #[derive(Debug)]
    pub(crate) struct Inside<E: Enter, T> {
        pub(crate) outside: E,
        // `None` once it was done, and dropped inside.
        #[pin]
        inner: Option<T>,
    }

    impl<E: Enter, T> PinnedDrop for Inside<E, T> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            // What does nothing when it is dropped need not be dropped inside.
            if mem::needs_drop::<T>() && this.inner.is_some() {
                let _entered = Entered::enter(this.outside.frame());
                this.inner.set(None);
            }
        }
    }
}

impl<E: Enter, T> Inside<E, T> {
    #[inline]
    pub(crate) const fn new(outside: E, inner: T) -> Self {
        Self { outside, inner: Some(inner) }
    }

    /// What is inside, until it is done.
    #[inline]
    pub(crate) const fn get(&self) -> Option<&T> {
        self.inner.as_ref()
    }

    #[inline]
    pub(crate) fn outside(self: Pin<&mut Self>) -> &mut E {
        self.project().outside
    }

    /// Both, without running anything.
    pub(crate) fn into_parts(mut self) -> (Option<T>, E)
    where
        E: Default,
    {
        (self.inner.take(), mem::take(&mut self.outside))
    }

    /// Polls what is inside. `poll` also says whether that is done: then it is dropped at once, inside
    /// too.
    ///
    /// `None` if it was done before.
    #[inline]
    pub(crate) fn poll_inside<R>(
        self: Pin<&mut Self>,
        poll: impl FnOnce(Pin<&mut T>) -> (R, bool),
    ) -> Option<R> {
        let mut this = self.project();
        let inner = this.inner.as_mut().as_pin_mut()?;
        let _entered = this.outside.enter();
        let (polled, is_done) = poll(inner);
        if is_done {
            this.inner.set(None);
        }
        Some(polled)
    }
}

impl<E: Enter, F: Future> Future for Inside<E, F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = self.poll_inside(|future| {
            let polled = future.poll(cx);
            let is_done = polled.is_ready();
            (polled, is_done)
        });
        // Nothing polls a future that is done.
        polled.unwrap_or(Poll::Pending)
    }
}
