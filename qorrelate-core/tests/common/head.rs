//! A request.

use qorrelate_core::RequestHead;

/// A request with the session ID `abc`.
pub(crate) struct Head;

impl RequestHead for Head {
    type HeaderName = http::HeaderName;

    fn header_values(&self, _: &http::HeaderName) -> impl Iterator<Item = &[u8]> {
        std::iter::once(&b"abc"[..])
    }

    fn query(&self) -> Option<&str> {
        None
    }
}
