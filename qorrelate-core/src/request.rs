//! How core sees a request: through what an adapter tells it.

/// The head of a request, as an adapter shows it to core.
///
/// Adapters implement it for a reference to their framework's request. `HeaderName` is the
/// framework's own type, so that names are looked up as they were resolved once, at start.
///
/// # Example
///
/// ```
/// use qorrelate_core::RequestHead;
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
///     fn query(&self) -> Option<&str> {
///         self.0.uri().query()
///     }
/// }
/// ```
pub trait RequestHead {
    /// The framework's type for the name of a header.
    type HeaderName: std::str::FromStr;

    /// The values of all header lines of that name, in the order received.
    fn header_values(&self, name: &Self::HeaderName) -> impl Iterator<Item = &[u8]>;

    /// The query of the request's target, without the `?` and still percent-encoded.
    fn query(&self) -> Option<&str>;
}

/// What a user's own [`Source::function`](crate::Source::function) sees of a request, under any
/// framework.
///
/// # Example
///
/// ```
/// use qorrelate_core::{RequestView, Source};
///
/// // Highlight sends `X-Highlight-Request: <session>/<request>`.
/// let highlight = Source::function(|request: &dyn RequestView| {
///     let value = request.header("x-highlight-request")?;
///     let (session, _request) = std::str::from_utf8(value).ok()?.split_once('/')?;
///     Some(session.to_owned())
/// });
/// # let _ = highlight;
/// ```
pub trait RequestView {
    /// The value of the first header line of that name, in any case. `None` without one, and for a
    /// name that no header can have.
    fn header(&self, name: &str) -> Option<&[u8]>;

    /// The query of the request's target, without the `?` and still percent-encoded.
    fn query(&self) -> Option<&str>;
}

impl<H: RequestHead> RequestView for H {
    fn header(&self, name: &str) -> Option<&[u8]> {
        let name = name.parse().ok()?;
        self.header_values(&name).next()
    }

    fn query(&self) -> Option<&str> {
        RequestHead::query(self)
    }
}
