//! A request as an adapter shows it to core.

use qorrelate_core::adapter::RequestHead;

/// A request with this in its header `X-Session-ID`, if it is not empty.
pub(crate) struct Head(pub(crate) &'static str);

impl RequestHead for Head {
    type HeaderName = http::HeaderName;

    fn header_values(&self, name: &http::HeaderName) -> impl Iterator<Item = &[u8]> {
        let has_it = name == "x-session-id" && !self.0.is_empty();
        has_it.then_some(self.0.as_bytes()).into_iter()
    }

    fn method(&self) -> &str {
        "POST"
    }

    fn path(&self) -> &str {
        "/orders"
    }

    fn query(&self) -> Option<&str> {
        None
    }
}
