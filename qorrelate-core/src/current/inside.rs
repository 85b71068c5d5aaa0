//! Whatever is polled inside of something: on every poll, and while it is dropped.

use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

/// What other code can run inside of, again and again, on any thread.
pub(crate) trait Outside {
    type Running<'a>: Running
    where
        Self: 'a;

    /// The same, on our own record of the thread alone.
    type OnThread<'a>: Running
    where
        Self: 'a;

    fn start(&mut self) -> Self::Running<'_>;

    /// For when something is dropped: on a thread that is shutting down, nothing but our own record can be
    /// asked without a panic.
    fn start_on_thread(&mut self) -> Self::OnThread<'_>;
}

/// What is inside of something until it is stopped. When this is dropped, it is too, as in a panic.
pub(crate) trait Running {
    fn stop(&mut self);
}

pin_project! {
    /// A future or a body, polled and dropped inside of `O`.
    #[derive(Debug)]
    pub(crate) struct Inside<O: Outside, T> {
        pub(crate) outside: O,
        // `None` once it was done, and dropped inside.
        #[pin]
        inner: Option<T>,
    }

    impl<O: Outside, T> PinnedDrop for Inside<O, T> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            // What does nothing when it is dropped need not be dropped inside.
            if mem::needs_drop::<T>() && this.inner.is_some() {
                let mut running = this.outside.start_on_thread();
                this.inner.set(None);
                running.stop();
            }
        }
    }
}

impl<O: Outside, T> Inside<O, T> {
    #[inline]
    pub(crate) const fn new(outside: O, inner: T) -> Self {
        Self { outside, inner: Some(inner) }
    }

    /// What is inside, until it is done.
    #[inline]
    pub(crate) const fn get(&self) -> Option<&T> {
        self.inner.as_ref()
    }

    #[inline]
    pub(crate) fn outside(self: Pin<&mut Self>) -> &mut O {
        self.project().outside
    }

    /// Both, without running anything.
    pub(crate) fn into_parts(mut self) -> (Option<T>, O)
    where
        O: Default,
    {
        (self.inner.take(), mem::take(&mut self.outside))
    }

    /// Polls what is inside, which is `None` if it was done before. Once `is_done`, it is dropped, inside too.
    #[inline]
    pub(crate) fn poll_inside<R>(
        self: Pin<&mut Self>,
        poll: impl FnOnce(Option<Pin<&mut T>>) -> R,
        is_done: impl FnOnce(&R, &T) -> bool,
    ) -> R {
        let this = self.project();
        let mut inner = this.inner;
        let mut running = this.outside.start();
        let polled = poll(inner.as_mut().as_pin_mut());
        if let Some(inside) = inner.as_ref().as_pin_ref()
            && is_done(&polled, &inside)
        {
            inner.set(None);
        }
        running.stop();
        polled
    }
}

impl<O: Outside, F: Future> Future for Inside<O, F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_inside(
            // Nothing polls a future that is done.
            |future| future.map_or(Poll::Pending, |future| future.poll(cx)),
            |polled, _| polled.is_ready(),
        )
    }
}
