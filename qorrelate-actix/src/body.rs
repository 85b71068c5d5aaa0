//! Response bodies: what a body does while it is streamed is done in the session.

use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use bytes::Bytes;
use pin_project_lite::pin_project;
use qorrelate_core::SessionScope;

pin_project! {
    /// A response body that is polled, and dropped, in the session of its request: server-sent
    /// events and chunked downloads.
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

impl<B: MessageBody> MessageBody for SessionBody<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.as_ref().map_or(BodySize::None, MessageBody::size)
    }

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.project();
        let _guard = this.scope.as_mut().map(SessionScope::enter);
        match this.body.as_pin_mut() {
            Some(body) => body.poll_next(cx),
            None => Poll::Ready(None),
        }
    }
}
