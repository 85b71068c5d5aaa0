//! The middleware that tells the browser which trace its request became.

use std::future::{Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::http::header::{HeaderName, HeaderValue};
use pin_project_lite::pin_project;

const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// Appends a `Server-Timing` header with the trace of the request to each response, so that a
/// browser recorder can link the request to its trace.
///
/// It is given the function that reads the active span: `server_timing` of the OpenTelemetry version
/// that makes the spans.
///
/// Put it inside the tracing middleware: outside it there is no span left when the response comes
/// back, and nothing is added. The OpenTelemetry span must be active, as tracing-opentelemetry makes it
/// by default.
///
/// A page of another origin may read it only if the API sends `Timing-Allow-Origin`, and
/// `Access-Control-Expose-Headers: Server-Timing` for `fetch`.
///
/// # Example
///
/// ```
/// # #[cfg(feature = "opentelemetry_0_33")]
/// # {
/// use actix_web::{App, web};
/// use qorrelate_actix::opentelemetry_0_33::server_timing;
/// use qorrelate_actix::{ServerTimingMiddleware, SessionIdMiddleware};
/// use tracing_actix_web::TracingLogger;
///
/// let app = App::new()
///     .route("/", web::get().to(|| async { "hello" }))
///     .wrap(ServerTimingMiddleware::new(server_timing))
///     .wrap(TracingLogger::default())
///     .wrap(SessionIdMiddleware::new());
/// # let _ = app;
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct ServerTimingMiddleware {
    value: fn() -> Option<String>,
}

impl ServerTimingMiddleware {
    /// A middleware that appends `Server-Timing` with this value, if there is one.
    #[must_use]
    pub const fn new(value: fn() -> Option<String>) -> Self {
        Self { value }
    }
}

impl<S, B> Transform<S, ServiceRequest> for ServerTimingMiddleware
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    type Response = ServiceResponse<B>;
    type Error = Error;
    type Transform = ServerTimingService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, Self::InitError>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        ready(Ok(ServerTimingService { inner, value: self.value }))
    }
}

/// The service that [`ServerTimingMiddleware`] makes.
#[derive(Debug, Clone)]
pub struct ServerTimingService<S> {
    inner: S,
    value: fn() -> Option<String>,
}

impl<S, B> Service<ServiceRequest> for ServerTimingService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    type Response = ServiceResponse<B>;
    type Error = Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        ResponseFuture { future: self.inner.call(request), value: self.value }
    }
}

pin_project! {
    /// The future of [`ServerTimingService`].
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        future: F,
        value: fn() -> Option<String>,
    }
}

impl<F, B> Future for ResponseFuture<F>
where
    F: Future<Output = Result<ServiceResponse<B>, Error>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut result = ready!(this.future.poll(cx));
        // The span is active during the poll, whichever way the tracing middleware works.
        if let Some(value) = (this.value)()
            && let Ok(value) = HeaderValue::try_from(value)
        {
            match &mut result {
                Ok(response) => response.headers_mut().append(SERVER_TIMING, value),
                // actix-web makes the response of an error later, outside of every middleware.
                Err(error) => error.add_response_mapper(move |mut response| {
                    response.headers_mut().append(SERVER_TIMING, value.clone());
                    response
                }),
            }
        }
        Poll::Ready(result)
    }
}

const _: () = {
    const fn is_middleware<T: Clone + Send + Sync + 'static>() {}
    is_middleware::<ServerTimingMiddleware>();
    is_middleware::<ServerTimingService<()>>();
};
