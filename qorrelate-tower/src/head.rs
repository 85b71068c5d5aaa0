//! How core sees an `http::Request`.

use http::{HeaderName, Request};
use qorrelate_core::adapter::RequestHead;

pub(crate) struct Head<'a, B>(pub(crate) &'a Request<B>);

impl<B> RequestHead for Head<'_, B> {
    type HeaderName = HeaderName;

    fn header_values(&self, name: &HeaderName) -> impl Iterator<Item = &[u8]> {
        self.0.headers().get_all(name).iter().map(|value| value.as_bytes())
    }

    fn method(&self) -> &str {
        self.0.method().as_str()
    }

    fn path(&self) -> &str {
        self.0.uri().path()
    }

    fn query(&self) -> Option<&str> {
        self.0.uri().query()
    }
}
