//! How core sees an actix-web request.

use actix_web::dev::ServiceRequest;
use actix_web::http::header::HeaderName;
use qorrelate_core::adapter::RequestHead;

pub(crate) struct Head<'a>(pub(crate) &'a ServiceRequest);

impl RequestHead for Head<'_> {
    type HeaderName = HeaderName;

    fn header_values(&self, name: &HeaderName) -> impl Iterator<Item = &[u8]> {
        self.0.headers().get_all(name).map(|value| value.as_bytes())
    }

    fn method(&self) -> &str {
        self.0.method().as_str()
    }

    fn path(&self) -> &str {
        self.0.path()
    }

    fn query(&self) -> Option<&str> {
        self.0.uri().query()
    }
}
