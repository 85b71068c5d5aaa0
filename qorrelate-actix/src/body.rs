//! Response bodies: what a body does while it is streamed is done in the session.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use bytes::Bytes;
use pin_project_lite::pin_project;
use qorrelate_core::adapter::{InRequest, RequestSession};

pin_project! {
    /// A response body that is polled, and dropped, in the session of its request: server-sent
    /// events and chunked downloads.
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

impl<B: MessageBody> MessageBody for SessionBody<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.get().map_or(BodySize::Sized(0), MessageBody::size)
    }

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.project().body.poll_in_session(
            |body| body.map_or(Poll::Ready(None), |body| body.poll_next(cx)),
            |chunk, _| matches!(chunk, Poll::Ready(None)),
        )
    }

    /// A body that is there as a whole, such as that of an error, can be taken by those who log it.
    fn try_into_bytes(self) -> Result<Bytes, Self> {
        let (body, session) = self.body.into_parts();
        match body.map(MessageBody::try_into_bytes) {
            Some(Ok(bytes)) => Ok(bytes),
            Some(Err(body)) => Err(Self::new(body, session)),
            None => Ok(Bytes::new()),
        }
    }
}
