//! The layer that refuses requests without a session.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{Either, Full};
use pin_project_lite::pin_project;
use qorrelate_core::{MissingSessionId, Problem, SessionId};
use tower_layer::Layer;
use tower_service::Service;

/// Refuses requests that are handled in no session: 400, with a problem document (RFC 9457) that
/// says what was wrong and never shows what was sent.
///
/// Put it inside of [`SessionIdLayer`](crate::SessionIdLayer), which finds the session, and inside
/// of the CORS layer: a browser's preflight carries no session. Routes that should stay open are
/// left out with the framework's own routing, such as axum's `route_layer` or `merge`.
///
/// A gRPC client cannot read a problem document: a request with the content type `application/grpc`
/// is answered with the status `INVALID_ARGUMENT` and the same words (gRPC over HTTP/2,
/// "Responses", Trailers-Only).
///
/// **A session ID is a claim, not an identity.** This is no access control: anyone can make one up.
///
/// # Example
///
/// ```
/// use axum::{Router, routing::{get, post}};
/// use qorrelate_tower::{RequireSessionIdLayer, SessionIdLayer};
///
/// let app: Router = Router::new()
///     .route("/checkout", post(|| async { "paid" }))
///     .layer(RequireSessionIdLayer::new())
///     .route("/health", get(|| async { "ok" })) // added after the layer: stays open
///     .layer(SessionIdLayer::new());
/// ```
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct RequireSessionIdLayer {}

impl RequireSessionIdLayer {
    /// A layer that refuses requests without a session.
    #[must_use]
    pub const fn new() -> Self {
        Self {}
    }
}

impl<S> Layer<S> for RequireSessionIdLayer {
    type Service = RequireSessionId<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RequireSessionId { inner }
    }
}

/// The service that [`RequireSessionIdLayer`] makes.
#[derive(Debug, Clone)]
pub struct RequireSessionId<S> {
    inner: S,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for RequireSessionId<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Body<Data = Bytes>,
{
    type Response = Response<Either<ResBody, Full<Bytes>>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        ResponseFuture {
            kind: match SessionId::require() {
                Ok(_) => Kind::Allowed { future: self.inner.call(request) },
                Err(missing) => Kind::Refused { refusal: Some(refusal(&request, &missing)) },
            },
        }
    }
}

pin_project! {
    /// The future of [`RequireSessionId`].
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        kind: Kind<F>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = KindProjection]
    enum Kind<F> {
        Allowed { #[pin] future: F },
        Refused { refusal: Option<Response<Full<Bytes>>> },
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<Either<B, Full<Bytes>>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().kind.project() {
            KindProjection::Allowed { future } => {
                Poll::Ready(ready!(future.poll(cx)).map(|response| response.map(Either::Left)))
            }
            KindProjection::Refused { refusal } => match refusal.take() {
                Some(response) => Poll::Ready(Ok(response.map(Either::Right))),
                // It was polled again after it was done, which no executor does.
                None => Poll::Pending,
            },
        }
    }
}

fn refusal<B>(request: &Request<B>, missing: &MissingSessionId) -> Response<Full<Bytes>> {
    match request.headers().get(CONTENT_TYPE) {
        Some(value) if value.as_bytes().starts_with(b"application/grpc") => grpc_refusal(missing),
        _ => http_refusal(missing),
    }
}

fn http_refusal(missing: &MissingSessionId) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(missing.problem().into_body()));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(Problem::CONTENT_TYPE));
    response
}

fn grpc_refusal(missing: &MissingSessionId) -> Response<Full<Bytes>> {
    const INVALID_ARGUMENT: HeaderValue = HeaderValue::from_static("3");

    let mut response = Response::new(Full::default());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-status", INVALID_ARGUMENT);
    // gRPC percent-encodes the message; of what it must encode, our words can hold only the `%`.
    if let Ok(message) = HeaderValue::try_from(missing.to_string().replace('%', "%25")) {
        headers.insert("grpc-message", message);
    }
    response
}

const _: () = {
    const fn is_layer<T: Clone + Send + Sync + 'static>() {}
    is_layer::<RequireSessionIdLayer>();
    is_layer::<RequireSessionId<()>>();
    const fn is_future<T: Send + 'static>() {}
    is_future::<ResponseFuture<()>>();
};
