//! Response bodies: what a body does while it is streamed is done in the session.

use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use qorrelate_core::adapter::{InRequest, RequestSession};

pin_project! {
    /// A response body that is polled, and dropped, in the session of its request: server-sent
    /// events, chunked downloads, gRPC streams.
    #[derive(Debug)]
    pub struct SessionBody<B> {
        #[pin]
        body: InRequest<B>,
    }
}

impl<B> SessionBody<B> {
    #[inline]
    pub(crate) const fn new(body: B, session: RequestSession) -> Self {
        Self { body: session.around(body) }
    }
}

impl<B: Body> Body for SessionBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        self.project().body.poll_in_session(
            |body| body.map_or(Poll::Ready(None), |body| body.poll_frame(cx)),
            |frame, body| match frame {
                Poll::Pending => false,
                Poll::Ready(Some(_)) => body.is_end_stream(),
                Poll::Ready(None) => true,
            },
        )
    }

    fn is_end_stream(&self) -> bool {
        self.body.get().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.get().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl<B: Default> Default for SessionBody<B> {
    fn default() -> Self {
        Self::new(B::default(), RequestSession::default())
    }
}
