//! What a layer does for a request, in whatever is open now.

use std::task::{Context, Poll, Waker};

use qorrelate_core::adapter::{RequestSession, Settings};

use crate::head::Head;

/// Handles a request: the work is done in the one poll of the handler.
pub(crate) fn handle(settings: &Settings<http::HeaderName>, head: Head, work: impl FnOnce()) {
    let mut session = RequestSession::begin(settings, &head, None);
    let future = session.call((), |()| async { work() });
    let mut future = Box::pin(session.around(future));
    assert!(matches!(
        future.as_mut().poll(&mut Context::from_waker(Waker::noop())),
        Poll::Ready(())
    ));
}
