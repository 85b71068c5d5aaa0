//! The layer that tells the browser which trace its request became.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{HeaderName, HeaderValue, Request, Response};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::inner::inner_methods;

const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// Appends a `Server-Timing` header with the trace of the request to each response, so that a
/// browser recorder can link the request to its trace.
///
/// It is given the function that reads the active span: `server_timing` of the OpenTelemetry version
/// that makes the spans.
///
/// Put it inside the tracing layer: outside it there is no span left when the response comes back,
/// and nothing is added. The OpenTelemetry span must be active, as tracing-opentelemetry makes it by
/// default.
///
/// A page of another origin may read it only if the API sends `Timing-Allow-Origin`, and
/// `Access-Control-Expose-Headers: Server-Timing` for `fetch`.
///
/// # Example
///
/// ```
/// # #[cfg(all(feature = "tower-http", feature = "opentelemetry_0_33"))]
/// # {
/// use axum::{Router, routing::get};
/// use qorrelate_tower::opentelemetry_0_33::server_timing;
/// use qorrelate_tower::{ServerTimingLayer, SessionIdLayer, SessionMakeSpan};
/// use tower_http::trace::TraceLayer;
///
/// let app: Router = Router::new().route("/", get(|| async { "hello" })).layer((
///     SessionIdLayer::new(),
///     TraceLayer::new_for_http().make_span_with(SessionMakeSpan::new()),
///     ServerTimingLayer::new(server_timing),
/// ));
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct ServerTimingLayer {
    value: fn() -> Option<String>,
}

impl ServerTimingLayer {
    /// A layer that appends `Server-Timing` with this value, if there is one.
    #[must_use]
    pub const fn new(value: fn() -> Option<String>) -> Self {
        Self { value }
    }
}

impl<S> Layer<S> for ServerTimingLayer {
    type Service = ServerTiming<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ServerTiming { inner, value: self.value }
    }
}

/// The service that [`ServerTimingLayer`] makes.
#[derive(Debug, Clone)]
pub struct ServerTiming<S> {
    inner: S,
    value: fn() -> Option<String>,
}

impl<S> ServerTiming<S> {
    inner_methods!();
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for ServerTiming<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        ResponseFuture { future: self.inner.call(request), value: self.value }
    }
}

pin_project! {
    /// The future of [`ServerTiming`].
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        future: F,
        value: fn() -> Option<String>,
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut result = ready!(this.future.poll(cx));
        // The span is active during the poll, whichever way the tracing layer works.
        if let Ok(response) = &mut result
            && let Some(value) = (this.value)()
            && let Ok(value) = HeaderValue::try_from(value)
        {
            response.headers_mut().append(SERVER_TIMING, value);
        }
        Poll::Ready(result)
    }
}

const _: () = {
    const fn is_layer<T: Clone + Send + Sync + 'static>() {}
    is_layer::<ServerTimingLayer>();
    is_layer::<ServerTiming<()>>();
    const fn is_future<T: Send + 'static>() {}
    is_future::<ResponseFuture<()>>();
};
