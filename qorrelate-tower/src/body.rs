//! Response bodies: what a body does while it is streamed is done in the session.

use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use qorrelate_core::SessionScope;

pin_project! {
    /// A response body that is polled, and dropped, in the session of its request: server-sent
    /// events, chunked downloads, gRPC streams.
    #[derive(Debug)]
    pub struct SessionBody<B> {
        scope: Option<SessionScope>,
        // `None` once it was dropped, in the session, by `drop`.
        #[pin]
        body: Option<B>,
    }

    impl<B> PinnedDrop for SessionBody<B> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            // What does nothing when it is dropped need not be dropped in the session.
            if mem::needs_drop::<B>() && this.body.is_some() {
                let _guard = this.scope.as_mut().map(SessionScope::enter);
                this.body.set(None);
            }
        }
    }
}

impl<B> SessionBody<B> {
    pub(crate) const fn new(body: B, scope: Option<SessionScope>) -> Self {
        Self { scope, body: Some(body) }
    }
}

impl<B: Body> Body for SessionBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.project();
        let _guard = this.scope.as_mut().map(SessionScope::enter);
        match this.body.as_pin_mut() {
            Some(body) => body.poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}

impl<B: Default> Default for SessionBody<B> {
    fn default() -> Self {
        Self::new(B::default(), None)
    }
}
