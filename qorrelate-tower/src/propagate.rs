//! The layer for clients: forwards the session to the services that are called.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri};
use qorrelate_core::adapter::{Given, OutboundHeaders, Propagation, Target};
use tower_layer::Layer;
use tower_service::Service;

use crate::inner::inner_methods;

/// Puts the ID of the current session into requests to the hosts on a list, and into no others.
///
/// It works on any client that is a `Service<http::Request<B>>`: hyper-util's, tonic's channels. By
/// default the ID is sent in the header `X-Session-ID`. If the header is there already, such as one
/// copied from the request being handled, it is replaced. Without a session, a request is left as it
/// is.
///
/// The session is the one that is current when the service is *called*. To send another one, put it into
/// the request: `request.extensions_mut().insert(session_id)`.
///
/// # Where to put it
///
/// Put it innermost, next to the client: below any layer that follows redirects, retries or picks a
/// host. Then each request that is sent is checked against the list by itself. Above tower-http's
/// `FollowRedirect` it would put the header on the first request only, and the redirected copies would
/// carry the header to any host.
///
/// A layer that follows redirects makes the next call while its future is polled. So await that future
/// in the session, as a handler does: if only the first call is made in the session and the future is
/// awaited elsewhere, the redirected requests are sent without it.
///
/// # Which host
///
/// The host is the one in the request's URI. (The `Host` header tells the server its name, not where the
/// request goes.) If the URI has none, nothing is sent, unless the layer is told with
/// [`origin`](Self::origin). tonic clients need that: their requests have a path only, and the channel
/// knows the host.
///
/// # Example
///
/// ```
/// use http::{Request, Response};
/// use qorrelate_tower::{PropagateSessionIdLayer, SessionId};
/// use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // For hyper: hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http()
/// let client = service_fn(|request: Request<()>| async move {
///     Ok::<_, std::convert::Infallible>(Response::new(request.headers().contains_key("x-session-id")))
/// });
/// let mut client = ServiceBuilder::new()
///     .layer(PropagateSessionIdLayer::to_hosts(["payments.internal"])?)
///     .service(client);
///
/// let id: SessionId = "abc".parse()?;
/// for (url, is_sent) in [("http://payments.internal:8080/", true), ("http://example.com/", false)] {
///     let request = Request::get(url).body(())?;
///     let future = id.in_scope(|| client.call(request)); // as in a handler
///     assert_eq!(*future.await?.body(), is_sent);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct PropagateSessionIdLayer {
    propagation: Arc<Propagation<HeaderName>>,
}

impl PropagateSessionIdLayer {
    qorrelate_core::propagation_methods!("qorrelate_tower", "PropagateSessionIdLayer");

    #[cfg(feature = "reqwest")]
    pub(crate) fn into_propagation(self) -> Arc<Propagation<HeaderName>> {
        self.propagation
    }
}

impl<S> Layer<S> for PropagateSessionIdLayer {
    type Service = PropagateSessionId<S>;

    fn layer(&self, inner: S) -> Self::Service {
        PropagateSessionId { inner, propagation: Arc::clone(&self.propagation) }
    }
}

/// The service that [`PropagateSessionIdLayer`] makes.
#[derive(Debug, Clone)]
pub struct PropagateSessionId<S> {
    inner: S,
    propagation: Arc<Propagation<HeaderName>>,
}

impl<S> PropagateSessionId<S> {
    inner_methods!();
}

impl<S, B> Service<Request<B>> for PropagateSessionId<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let given = Given::new(request.extensions().get(), request.extensions().get());
        let uri = request.uri().clone();
        self.propagation.apply(target(&uri), given, &mut Headers(request.headers_mut()));
        self.inner.call(request)
    }
}

fn target(uri: &Uri) -> Option<Target<'_>> {
    Some(Target::new(uri.scheme_str().unwrap_or_default(), uri.host()?, uri.port_u16()))
}

/// How core sees the headers of an `http::Request`.
pub(crate) struct Headers<'a>(pub(crate) &'a mut HeaderMap);

impl OutboundHeaders for Headers<'_> {
    type HeaderName = HeaderName;

    fn values(&self, name: &HeaderName) -> impl Iterator<Item = &[u8]> {
        self.0.get_all(name).iter().map(HeaderValue::as_bytes)
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

const _: () = {
    const fn is_layer<T: Clone + Send + Sync + 'static>() {}
    is_layer::<PropagateSessionIdLayer>();
    is_layer::<PropagateSessionId<()>>();
};

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::convert::Infallible;
    use std::future::{Ready, ready};

    use opentelemetry_0_33::baggage::BaggageExt;
    use opentelemetry_0_33::propagation::{Injector, TextMapPropagator};
    use opentelemetry_sdk_0_33::propagation::BaggagePropagator;
    use qorrelate_core::{Carrier, Hosts, InvalidHostReason, InvalidSettingReason, SessionId};

    use super::*;

    /// Answers the headers that it is sent.
    #[derive(Clone)]
    struct Echo;

    impl Service<Request<()>> for Echo {
        type Response = HeaderMap;
        type Error = Infallible;
        type Future = Ready<Result<HeaderMap, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: Request<()>) -> Self::Future {
            ready(Ok(request.into_parts().0.headers))
        }
    }

    fn layer() -> PropagateSessionIdLayer {
        PropagateSessionIdLayer::to_hosts(["named.example", "[::1]:8080"]).unwrap()
    }

    fn id(id: &str) -> SessionId {
        id.parse().unwrap()
    }

    fn sent(layer: &PropagateSessionIdLayer, request: http::request::Builder) -> HeaderMap {
        layer.layer(Echo).call(request.body(()).unwrap()).into_inner().unwrap()
    }

    fn values<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
        headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
    }

    fn session(headers: &HeaderMap) -> Vec<&str> {
        values(headers, "x-session-id")
    }

    #[test]
    fn only_requests_to_hosts_that_are_named_carry_the_session() {
        let _guard = id("abc").enter();
        for (uri, expected) in [
            ("http://named.example/", &["abc"][..]),
            ("https://NAMED.example.:8443/", &["abc"]),
            ("http://[::1]:8080/", &["abc"]),
            ("http://[::1]:8081/", &[]),
            ("http://other.example/", &[]),
            ("http://named.example:80@other.example/", &[]),
            ("http://other.example@named.example/", &["abc"]),
        ] {
            assert_eq!(session(&sent(&layer(), Request::get(uri))), expected, "{uri}");
        }
    }

    #[test]
    fn what_is_to_be_removed_from_others_is_removed_without_a_session_too() {
        let copied = |uri| Request::get(uri).header("x-session-id", "stale");
        let layer = layer().remove_from_others();
        assert_eq!(session(&sent(&layer, copied("http://other.example/"))), &[""; 0]);
        assert_eq!(session(&sent(&layer, copied("http://named.example/"))), ["stale"]);
    }

    #[test]
    fn without_a_host_in_the_uri_nothing_is_sent_to_anyone() {
        let _guard = id("abc").enter();
        for layer in [layer(), PropagateSessionIdLayer::to_any_host()] {
            let request = Request::get("/path").header("host", "named.example");
            assert_eq!(session(&sent(&layer, request)), &[""; 0]);
        }
    }

    #[test]
    fn without_a_host_in_the_uri_the_request_goes_to_the_origin_if_it_is_set() {
        let _guard = id("abc").enter();
        let path = || Request::get("/grpc.health.v1.Health/Check").header("x-session-id", "stale");
        for (origin, expected) in [
            ("http://named.example:50051", &["abc"][..]),
            ("http://[::1]:8080", &["abc"]),
            ("http://[::1]:8081", &[]),
            ("http://other.example", &[]),
        ] {
            let layer = layer().remove_from_others().origin(origin).unwrap();
            assert_eq!(session(&sent(&layer, path())), expected, "{origin}");
        }
        // A host in the URI comes first.
        let layer = layer().origin("http://named.example").unwrap();
        assert_eq!(session(&sent(&layer, Request::get("http://other.example/"))), &[""; 0]);

        let error = layer.origin("named.example:50051").unwrap_err();
        assert_eq!(error.reason(), InvalidHostReason::NotAnOrigin);
    }

    #[test]
    fn a_list_of_hosts_is_shared() {
        let _guard = id("abc").enter();
        let hosts = Hosts::named(["named.example"]).unwrap();
        for layer in
            [PropagateSessionIdLayer::to(hosts.clone()), PropagateSessionIdLayer::to(hosts)]
        {
            assert_eq!(session(&sent(&layer, Request::get("http://named.example/"))), ["abc"]);
            assert_eq!(session(&sent(&layer, Request::get("http://other.example/"))), &[""; 0]);
        }
    }

    #[test]
    fn the_inner_service_can_be_reached() {
        let mut service = layer().layer(1);
        *service.get_mut() += 1;
        assert_eq!((*service.get_ref(), service.into_inner()), (2, 2));
    }

    #[test]
    fn any_host_is_any_host() {
        let _guard = id("abc").enter();
        let request = Request::get("http://other.example/");
        assert_eq!(session(&sent(&PropagateSessionIdLayer::to_any_host(), request)), ["abc"]);
    }

    #[test]
    fn what_an_earlier_hop_sent_is_replaced() {
        let _guard = id("abc").enter();
        let request = Request::get("http://named.example/")
            .header("X-Session-ID", "old")
            .header("x-session-id", "older");
        assert_eq!(session(&sent(&layer(), request)), ["abc"]);
    }

    #[test]
    fn in_no_session_the_request_is_left_as_it_is() {
        assert_eq!(session(&sent(&layer(), Request::get("http://named.example/"))), &[""; 0]);
        let request = Request::get("http://named.example/").header("x-session-id", "theirs");
        assert_eq!(session(&sent(&layer(), request)), ["theirs"]);
    }

    #[test]
    fn a_session_given_with_the_request_comes_first() {
        let _guard = id("abc").enter();
        let request = Request::get("http://named.example/").extension(id("given"));
        assert_eq!(session(&sent(&layer(), request)), ["given"]);
        let request = Request::get("http://other.example/").extension(id("given"));
        assert_eq!(session(&sent(&layer(), request)), &[""; 0]);
    }

    /// What a session layer puts into the extensions of a request.
    fn extensions(request: http::request::Builder) -> http::Extensions {
        let (send, received) = std::sync::mpsc::channel();
        let inner = tower::service_fn(move |request: Request<()>| {
            send.send(request.extensions().clone()).unwrap();
            ready(Ok::<_, Infallible>(http::Response::new(())))
        });
        let mut service = crate::SessionIdLayer::new().insert_extension(true).layer(inner);
        drop(service.call(request.body(()).unwrap()));
        received.try_recv().unwrap()
    }

    /// As behind a `Buffer`, where the thread may work for another request.
    #[test]
    fn an_outcome_in_the_extensions_says_whose_request_it_is() {
        let _guard = id("another").enter();
        let sent = |extensions: http::Extensions| {
            let mut request = Request::get("http://named.example/").body(()).unwrap();
            *request.extensions_mut() = extensions;
            layer().layer(Echo).call(request).into_inner().unwrap()
        };
        assert_eq!(session(&sent(extensions(Request::get("/")))), &[""; 0], "no session");
        let with_header = || extensions(Request::get("/").header("x-session-id", "its-own"));
        assert_eq!(session(&sent(with_header())), ["its-own"]);
        let mut given = with_header();
        given.insert(id("given"));
        assert_eq!(session(&sent(given)), ["given"]);
        assert_eq!(session(&sent(http::Extensions::new())), ["another"]);
    }

    #[test]
    fn a_stale_header_to_another_host_goes_only_if_asked_to() {
        let _guard = id("abc").enter();
        let request = || {
            Request::get("http://other.example/")
                .header("x-session-id", "old")
                .header("baggage", "a=1,session.id=old")
                .header("baggage", "b=2")
        };
        let left = sent(&layer(), request());
        assert_eq!(session(&left), ["old"]);

        let removed = sent(&layer().remove_from_others(), request());
        assert_eq!(session(&removed), &[""; 0]);
        assert_eq!(values(&removed, "baggage"), ["a=1,session.id=old", "b=2"]);

        let carriers = [Carrier::header("x-session-id"), Carrier::baggage()];
        let layer = layer().carriers(carriers).unwrap().remove_from_others();
        let removed = sent(&layer, request());
        assert_eq!(session(&removed), &[""; 0]);
        assert_eq!(values(&removed, "baggage"), ["a=1,b=2"]);
        let plain = sent(&layer, Request::get("http://other.example/").header("baggage", "a=1"));
        assert_eq!(values(&plain, "baggage"), ["a=1"]);
        let long = format!("{}session.id=old", "a=1,".repeat(100));
        let long = sent(&layer, Request::get("http://other.example/").header("baggage", long));
        assert_eq!(values(&long, "baggage"), [vec!["a=1"; 100].join(",")]);
    }

    #[test]
    fn baggage_is_merged() {
        let _guard = id("abc").enter();
        let layer = layer().carriers([Carrier::baggage()]).unwrap();
        let request = Request::get("http://named.example/")
            .header("baggage", "a=1;p , session.id=old")
            .header("baggage", HeaderValue::from_bytes(b"b=\xff").unwrap());
        let sent = sent(&layer, request);
        assert_eq!(sent.get_all("baggage").iter().count(), 1);
        assert_eq!(sent["baggage"].as_bytes(), b"a=1;p ,b=\xff,session.id=abc");
        assert_eq!(session(&sent), &[""; 0]);
    }

    #[test]
    fn full_baggage_is_left_as_it_is_but_for_a_stale_session() {
        let _guard = id("abc").enter();
        let layer = layer().carriers([Carrier::baggage()]).unwrap();
        let full = vec!["a=1"; 63].join(" ,");
        let request = || Request::get("http://named.example/").header("baggage", &full);
        let as_it_was = sent(&layer, request().header("baggage", " b=2;p ,"));
        assert_eq!(values(&as_it_was, "baggage"), [&*full, " b=2;p ,"]);
        let without = sent(&layer, request().header("baggage", "b=2,session.id=old"));
        assert_eq!(values(&without, "baggage"), [format!("{full},b=2")]);
    }

    /// The SDK writes all members of the context's baggage, a session from an earlier hop among them.
    #[test]
    fn a_request_that_passes_through_the_sdks_propagator_too_comes_out_right() {
        let mut inbound = HashMap::<String, String>::new();
        Injector::set(&mut inbound, "baggage", "tenant=a;p=1,session.id=old,b=2".to_owned());
        let propagator = BaggagePropagator::new();
        let cx = propagator.extract(&inbound);
        let mut written = HashMap::<String, String>::new();
        propagator.inject_context(&cx, &mut written);
        let others = |line: &str| {
            let members = line.split(',').filter(|member| !member.starts_with("session.id="));
            members.map(str::to_owned).collect::<Vec<_>>()
        };

        let _guard = id("abc").enter();
        let layer = layer().carriers([Carrier::baggage()]).unwrap();
        let request = Request::get("http://named.example/").header("baggage", &written["baggage"]);
        let sent = sent(&layer, request);
        let [line] = values(&sent, "baggage")[..] else { panic!("one line: {sent:?}") };
        assert_eq!(others(line), others(&written["baggage"]));
        assert_eq!(line.matches("session.id=").count(), 1);

        let mut received = HashMap::<String, String>::new();
        Injector::set(&mut received, "baggage", line.to_owned());
        let cx = propagator.extract(&received);
        for (key, value) in [("session.id", "abc"), ("tenant", "a"), ("b", "2")] {
            assert_eq!(cx.baggage().get(key).unwrap().as_str(), value);
        }
    }

    #[test]
    fn invalid_carriers_are_refused_when_they_are_set() {
        for (carrier, name, reason) in [
            (Carrier::header("x session"), "x session", InvalidSettingReason::NotAToken),
            (Carrier::baggage_member("a,b"), "a,b", InvalidSettingReason::NotAToken),
            (Carrier::header("Authorization"), "authorization", InvalidSettingReason::Secret),
            (Carrier::header("Cookie"), "cookie", InvalidSettingReason::Secret),
        ] {
            let error = layer().carriers([Carrier::baggage(), carrier]).unwrap_err();
            assert_eq!((error.name(), error.reason()), (name, reason));
        }
        let error = layer().carriers([]).unwrap_err();
        assert_eq!(error.reason(), InvalidSettingReason::Empty);
        assert_eq!(error.to_string(), "the list of carriers is empty");
    }
}
