//! How core sees a request: through what an adapter tells it.

use std::borrow::Cow;

use super::{baggage, cookie};

/// The head of a request, as an adapter shows it to core.
///
/// Adapters implement it for a reference to their framework's request. `HeaderName` is the framework's
/// own type, so that names are parsed once, at start.
///
/// # Example
///
/// ```
/// use qorrelate_core::adapter::RequestHead;
///
/// struct Head<'a>(&'a http::Request<()>);
///
/// impl RequestHead for Head<'_> {
///     type HeaderName = http::HeaderName;
///
///     fn header_values(&self, name: &http::HeaderName) -> impl Iterator<Item = &[u8]> {
///         self.0.headers().get_all(name).iter().map(|value| value.as_bytes())
///     }
///
///     fn method(&self) -> &str {
///         self.0.method().as_str()
///     }
///
///     fn path(&self) -> &str {
///         self.0.uri().path()
///     }
///
///     fn query(&self) -> Option<&str> {
///         self.0.uri().query()
///     }
/// }
/// ```
pub trait RequestHead {
    /// The framework's type for the name of a header.
    type HeaderName: std::str::FromStr + Clone;

    /// The values of all header lines of that name, in the order received.
    fn header_values(&self, name: &Self::HeaderName) -> impl Iterator<Item = &[u8]>;

    /// The method, such as `GET`.
    fn method(&self) -> &str;

    /// The path of the request's target, still percent-encoded.
    fn path(&self) -> &str;

    /// The query of the request's target, without the `?` and still percent-encoded.
    fn query(&self) -> Option<&str>;
}

/// What your own code sees of a request: a [`Source::function`](crate::Source::function), or the hook
/// `on_outcome` of a layer or middleware. It is the same under every framework.
///
/// Only adapters make one, so methods can be added to it.
///
/// # Example
///
/// ```
/// # use qorrelate_core as qorrelate_tower;
/// use qorrelate_tower::{RequestView, Source}; // or qorrelate_actix
///
/// // A recorder of your own sends `X-Recorder: <session>/<page>`.
/// let source = Source::function(|request: &dyn RequestView| {
///     let value = request.header("x-recorder")?;
///     let (session, _page) = std::str::from_utf8(value).ok()?.split_once('/')?;
///     Some(session.to_owned())
/// });
/// # let _ = source;
/// ```
pub trait RequestView: sealed::Sealed {
    /// The value of the first header line of that name, in any case. `None` if it is missing, or if the
    /// name is not a header name.
    fn header(&self, name: &str) -> Option<&[u8]>;

    /// The decoded value of the first cookie of that name, on whichever `cookie` line it is: HTTP/2 may send
    /// several.
    fn cookie(&self, name: &str) -> Option<Cow<'_, [u8]>>;

    /// The decoded value of the first member of that key in the `baggage` header (W3C Baggage).
    fn baggage(&self, key: &str) -> Option<Cow<'_, [u8]>>;

    /// The method, such as `GET`.
    fn method(&self) -> &str;

    /// The path of the request's target, still percent-encoded.
    fn path(&self) -> &str;

    /// The query of the request's target, without the `?` and still percent-encoded.
    fn query(&self) -> Option<&str>;
}

mod sealed {
    pub trait Sealed {}

    impl<H: super::RequestHead> Sealed for H {}
}

impl<H: RequestHead> RequestView for H {
    fn header(&self, name: &str) -> Option<&[u8]> {
        let name = name.parse().ok()?;
        self.header_values(&name).next()
    }

    fn cookie(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        let header = cookie::HEADER.parse().ok()?;
        cookie::values(self.header_values(&header), name).next()
    }

    fn baggage(&self, key: &str) -> Option<Cow<'_, [u8]>> {
        let header = baggage::HEADER.parse().ok()?;
        baggage::values(self.header_values(&header), key).next()
    }

    fn method(&self) -> &str {
        RequestHead::method(self)
    }

    fn path(&self) -> &str {
        RequestHead::path(self)
    }

    fn query(&self) -> Option<&str> {
        RequestHead::query(self)
    }
}
