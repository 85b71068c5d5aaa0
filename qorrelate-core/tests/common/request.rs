//! What a layer does for a request.

use std::task::{Context, Waker};

use qorrelate_core::{RequestSession, Settings};

use crate::head::Head;

pub(crate) fn handle_request(inner: impl FnOnce()) {
    let mut session = RequestSession::begin(&Settings::new(), &Head);
    {
        let _entered = session.enter();
        inner();
    }
    let mut future = Box::pin(session.run(std::future::ready(())));
    assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
}
