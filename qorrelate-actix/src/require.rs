//! The middleware that rejects requests without a session.

use std::future::{Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::{Error, HttpMessage, ResponseError};
use pin_project_lite::pin_project;
use qorrelate_core::adapter::require_session;

/// Rejects requests without a session: 400, with a problem document (RFC 9457) that says what was wrong
/// and never shows what was sent.
///
/// Put it inside [`SessionIdMiddleware`](crate::SessionIdMiddleware), which finds the session, and inside
/// the CORS middleware: a browser's preflight carries no session. If no `SessionIdMiddleware` ran for the
/// request, the answer is 500, and an `ERROR` event says what to do. To leave out the routes that should
/// stay open, wrap a scope or a resource, not the app.
///
/// **A session ID is a claim, not an identity.** This is no access control: anyone can make one up.
///
/// # Example
///
/// ```
/// use actix_web::{App, web};
/// use qorrelate_actix::{RequireSessionIdMiddleware, SessionIdMiddleware};
///
/// let app = App::new()
///     .service(
///         web::resource("/checkout")
///             .wrap(RequireSessionIdMiddleware::new())
///             .route(web::post().to(|| async { "paid" })),
///     )
///     .route("/health", web::get().to(|| async { "ok" })) // stays open
///     .wrap(SessionIdMiddleware::new());
/// # let _ = app;
/// ```
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct RequireSessionIdMiddleware {}

impl RequireSessionIdMiddleware {
    /// A middleware that rejects requests without a session.
    #[must_use]
    pub const fn new() -> Self {
        Self {}
    }
}

impl<S, B> Transform<S, ServiceRequest> for RequireSessionIdMiddleware
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Transform = RequireSessionIdService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, Self::InitError>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        ready(Ok(RequireSessionIdService { inner }))
    }
}

/// The service that [`RequireSessionIdMiddleware`] makes.
#[derive(Debug, Clone)]
pub struct RequireSessionIdService<S> {
    inner: S,
}

impl<S, B> Service<ServiceRequest> for RequireSessionIdService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let required = require_session(request.extensions().get());
        ResponseFuture {
            kind: match required {
                Ok(_) => Kind::Allowed { future: self.inner.call(request) },
                Err(missing) => {
                    let response = request.into_response(missing.error_response());
                    Kind::Refused { response: Some(response) }
                }
            },
        }
    }
}

pin_project! {
    /// The future of [`RequireSessionIdService`].
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
        Refused { response: Option<ServiceResponse> },
    }
}

impl<F, B> Future for ResponseFuture<F>
where
    F: Future<Output = Result<ServiceResponse<B>, Error>>,
    B: MessageBody,
{
    type Output = Result<ServiceResponse<EitherBody<B>>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().kind.project() {
            KindProjection::Allowed { future } => {
                Poll::Ready(ready!(future.poll(cx)).map(ServiceResponse::map_into_left_body))
            }
            KindProjection::Refused { response } => match response.take() {
                Some(response) => Poll::Ready(Ok(response.map_into_right_body())),
                // It was polled again after it was done, which no executor does.
                None => Poll::Pending,
            },
        }
    }
}

const _: () = {
    const fn is_middleware<T: Clone + Send + Sync + 'static>() {}
    is_middleware::<RequireSessionIdMiddleware>();
    is_middleware::<RequireSessionIdService<()>>();
};
