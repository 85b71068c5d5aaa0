//! The layer that rejects requests without a session.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use qorrelate_core::MissingSessionId;
use qorrelate_core::adapter::{Problem, require_session};
use tower_layer::Layer;
use tower_service::Service;

use crate::inner::inner_methods;

/// Rejects requests without a session: 400, with a problem document (RFC 9457) that says what was wrong
/// and never shows what was sent.
///
/// Put it inside [`SessionIdLayer`](crate::SessionIdLayer), which finds the session, and inside the CORS
/// layer: a browser's preflight carries no session. If no `SessionIdLayer` ran for the request, the
/// answer is 500, and an `ERROR` event says what to do. Leave out the routes that should stay open with
/// the framework's own routing, such as axum's `route_layer` or `merge`.
///
/// A gRPC client cannot read a problem document: a request with the content type `application/grpc`
/// is answered with the status `INVALID_ARGUMENT` (`INTERNAL` if no layer ran) and the same words (gRPC over HTTP/2,
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
    /// A layer that rejects requests without a session.
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

impl<S> RequireSessionId<S> {
    inner_methods!();
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for RequireSessionId<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
{
    type Response = Response<RequireSessionIdBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        ResponseFuture {
            kind: match require_session(request.extensions().get()) {
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
        Refused { refusal: Option<Response<Bytes>> },
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<RequireSessionIdBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().kind.project() {
            KindProjection::Allowed { future } => Poll::Ready(
                ready!(future.poll(cx)).map(|response| response.map(RequireSessionIdBody::inner)),
            ),
            KindProjection::Refused { refusal } => match refusal.take() {
                Some(response) => Poll::Ready(Ok(response.map(RequireSessionIdBody::refusal))),
                // It was polled again after it was done, which no executor does.
                None => Poll::Pending,
            },
        }
    }
}

pin_project! {
    /// A response body of the inner service, or the problem document.
    #[derive(Debug)]
    pub struct RequireSessionIdBody<B> {
        #[pin]
        kind: BodyKind<B>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = BodyKindProjection]
    enum BodyKind<B> {
        Inner { #[pin] body: B },
        Refusal { bytes: Option<Bytes> },
    }
}

impl<B> RequireSessionIdBody<B> {
    const fn inner(body: B) -> Self {
        Self { kind: BodyKind::Inner { body } }
    }

    const fn refusal(bytes: Bytes) -> Self {
        Self { kind: BodyKind::Refusal { bytes: Some(bytes) } }
    }
}

impl<B: Body<Data = Bytes>> Body for RequireSessionIdBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project().kind.project() {
            BodyKindProjection::Inner { body } => body.poll_frame(cx),
            BodyKindProjection::Refusal { bytes } => {
                Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            BodyKind::Inner { body } => body.is_end_stream(),
            BodyKind::Refusal { bytes } => bytes.as_ref().is_none_or(Bytes::is_empty),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            BodyKind::Inner { body } => body.size_hint(),
            BodyKind::Refusal { bytes } => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64)
            }
        }
    }
}

impl<B: Default> Default for RequireSessionIdBody<B> {
    fn default() -> Self {
        Self::inner(B::default())
    }
}

fn refusal<B>(request: &Request<B>, missing: &MissingSessionId) -> Response<Bytes> {
    match request.headers().get(CONTENT_TYPE) {
        Some(value) if value.as_bytes().starts_with(b"application/grpc") => grpc_refusal(missing),
        _ => http_refusal(missing),
    }
}

fn http_refusal(missing: &MissingSessionId) -> Response<Bytes> {
    let problem = missing.problem();
    let status = StatusCode::from_u16(problem.status());
    let mut response = Response::new(problem.into_body().into());
    *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(Problem::CONTENT_TYPE));
    response
}

fn grpc_refusal(missing: &MissingSessionId) -> Response<Bytes> {
    const INVALID_ARGUMENT: HeaderValue = HeaderValue::from_static("3");
    const INTERNAL: HeaderValue = HeaderValue::from_static("13");

    // Said in the log too if no layer ran.
    let status = if missing.problem().status() < 500 { INVALID_ARGUMENT } else { INTERNAL };
    let mut response = Response::new(Bytes::new());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-status", status);
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
