//! The middleware for awc clients: forwards the session to the services that are called.

use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_http::RequestHeadType;
use actix_web::dev::{RequestHead, Service};
use actix_web::http::Uri;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use awc::ConnectRequest;
use awc::middleware::Transform;
use qorrelate_core::adapter::{Given, OutboundHeaders, Propagation, Target};

/// Puts the ID of the current session into the requests of an awc client to the hosts on a list, and
/// into no others. That includes requests that open a WebSocket.
///
/// By default the ID is sent in the header `X-Session-ID`. If the header is there already, such as one
/// copied from the request being handled, it is replaced. Without a session, a request is left as it is.
/// The session is the one that is current when `send` is called.
///
/// # Redirects
///
/// awc follows redirects outside its middleware, so each request that is sent is checked against the list. A redirected request is made while the future that `send` returns is polled: **await
/// that future in the session**, as a handler does, and a request that is redirected to a listed host has
/// the session, whoever redirected it. If only `send` is called in the session, and the future is awaited
/// elsewhere, the redirected requests are sent without it.
///
/// A header that you set by hand is not checked: awc sends it wherever a redirect leads, unless
/// [`remove_from_others`](Self::remove_from_others) is set. Don't wrap awc's own `middleware::Redirect`
/// *before* this one: that would put it inside.
///
/// # Example
///
/// ```
/// use qorrelate_actix::PropagateSessionIdMiddleware;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let client = awc::Client::builder()
///     .wrap(PropagateSessionIdMiddleware::to_hosts(["payments.internal"])?)
///     .finish();
/// # let _ = client;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct PropagateSessionIdMiddleware {
    propagation: Arc<Propagation<HeaderName>>,
}

impl PropagateSessionIdMiddleware {
    qorrelate_core::propagation_methods!("qorrelate_actix", "PropagateSessionIdMiddleware");
}

impl<S: Service<ConnectRequest>> Transform<S, ConnectRequest> for PropagateSessionIdMiddleware {
    type Transform = PropagateSessionIdService<S>;

    fn new_transform(self, inner: S) -> Self::Transform {
        PropagateSessionIdService { inner, propagation: self.propagation }
    }
}

/// The service that [`PropagateSessionIdMiddleware`] makes.
#[derive(Debug, Clone)]
pub struct PropagateSessionIdService<S> {
    inner: S,
    propagation: Arc<Propagation<HeaderName>>,
}

impl<S: Service<ConnectRequest>> Service<ConnectRequest> for PropagateSessionIdService<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&self, request: ConnectRequest) -> Self::Future {
        self.inner.call(match request {
            ConnectRequest::Client(head, body, address) => {
                let mut head = owned(head);
                self.put_into(&mut head);
                ConnectRequest::Client(RequestHeadType::Owned(head), body, address)
            }
            ConnectRequest::Tunnel(mut head, address) => {
                self.put_into(&mut head);
                ConnectRequest::Tunnel(head, address)
            }
        })
    }
}

impl<S> PropagateSessionIdService<S> {
    fn put_into(&self, head: &mut RequestHead) {
        let uri = head.uri.clone();
        self.propagation.apply(target(&uri), Given::default(), &mut Headers(&mut head.headers));
    }
}

/// The head of a request that is sent more than once is shared. Each time has headers of its own, which
/// replace those of the same name.
fn owned(head: RequestHeadType) -> RequestHead {
    match head {
        RequestHeadType::Owned(head) => head,
        RequestHeadType::Rc(head, extra) => {
            let mut head = Rc::unwrap_or_clone(head);
            let extra = extra.unwrap_or_default();
            for name in extra.keys() {
                head.headers.remove(name);
            }
            for (name, value) in extra {
                head.headers.append(name, value);
            }
            head
        }
    }
}

fn target(uri: &Uri) -> Option<Target<'_>> {
    Some(Target::new(uri.scheme_str().unwrap_or_default(), uri.host()?, uri.port_u16()))
}

/// How core sees actix's headers.
struct Headers<'a>(&'a mut HeaderMap);

impl OutboundHeaders for Headers<'_> {
    type HeaderName = HeaderName;

    fn values(&self, name: &HeaderName) -> impl Iterator<Item = &[u8]> {
        self.0.get_all(name).map(HeaderValue::as_bytes)
    }

    fn set(&mut self, name: &HeaderName, value: &[u8]) {
        // What core makes of header lines is a header line.
        if let Ok(value) = HeaderValue::from_bytes(value) {
            self.0.insert(name.clone(), value);
        }
    }

    fn remove(&mut self, name: &HeaderName) {
        self.0.remove(name);
    }
}
