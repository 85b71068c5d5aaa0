//! The middleware for servers: takes the session ID from each request and handles the request in it.

use std::future::{Ready, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use pin_project_lite::pin_project;
use qorrelate_core::{InRequest, RequestSession, SessionId, Settings};

use crate::body::SessionBody;
use crate::head::Head;

/// Takes the session ID from each request, and handles the request in that session.
///
/// The session is current ([`SessionId::current`]) while the inner service is called, while its
/// future is polled, and while the body of its response is streamed. The span that is open is tagged
/// with `session.id`. A request without a valid ID goes on in no session.
///
/// By default the ID comes from the header `X-Session-ID`. Put the middleware outermost, which in
/// actix-web is the last `wrap`; the [crate documentation](crate) says what each order gives.
///
/// # Example
///
/// ```
/// use actix_web::{App, web};
/// use qorrelate_actix::{SessionId, SessionIdMiddleware};
///
/// async fn hello(session: Option<SessionId>) -> String {
///     match session {
///         Some(id) => format!("hello, session {id}"),
///         None => "hello".to_owned(),
///     }
/// }
///
/// let app = App::new().route("/", web::get().to(hello)).wrap(SessionIdMiddleware::new());
/// # let _ = app;
/// ```
#[derive(Debug, Clone, Default)]
pub struct SessionIdMiddleware {
    settings: Arc<Settings<HeaderName>>,
}

impl SessionIdMiddleware {
    /// A middleware that reads the header `X-Session-ID`, generates nothing and sends nothing back.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    qorrelate_core::settings_methods!("qorrelate_actix", "SessionIdMiddleware");
}

impl<S, B> Transform<S, ServiceRequest> for SessionIdMiddleware
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    type Response = ServiceResponse<SessionBody<B>>;
    type Error = Error;
    type Transform = SessionIdService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, Self::InitError>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        ready(Ok(SessionIdService { inner, settings: Arc::clone(&self.settings) }))
    }
}

/// The service that [`SessionIdMiddleware`] makes.
#[derive(Debug, Clone)]
pub struct SessionIdService<S> {
    inner: S,
    settings: Arc<Settings<HeaderName>>,
}

impl<S, B> Service<ServiceRequest> for SessionIdService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    type Response = ServiceResponse<SessionBody<B>>;
    type Error = Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&self, mut request: ServiceRequest) -> Self::Future {
        let mut session = RequestSession::begin(&self.settings, &Head(&request));
        if let Some(name) = self.settings.header_not_trusted() {
            request.headers_mut().remove(name);
        }
        let future = {
            let _entered = session.enter();
            self.inner.call(request)
        };
        ResponseFuture { future: session.run(future) }
    }
}

pin_project! {
    /// The future of [`SessionIdService`].
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        future: InRequest<F, HeaderName>,
    }
}

impl<F, B> Future for ResponseFuture<F>
where
    F: Future<Output = Result<ServiceResponse<B>, Error>>,
{
    type Output = Result<ServiceResponse<SessionBody<B>>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut future = self.project().future;
        let mut result = ready!(future.as_mut().poll(cx));
        if let Some((name, id)) = future.response_header() {
            match &mut result {
                Ok(response) => echo(response.headers_mut(), name, id),
                // actix-web makes the response of an error later, outside of every middleware.
                Err(error) => {
                    let (name, id) = (name.clone(), id.clone());
                    error.add_response_mapper(move |mut response| {
                        echo(response.headers_mut(), &name, &id);
                        response
                    });
                }
            }
        }
        Poll::Ready(result.map(|response| {
            response.map_body(|_, body| SessionBody::new(body, future.take_scope()))
        }))
    }
}

fn echo(headers: &mut HeaderMap, name: &HeaderName, id: &SessionId) {
    if !headers.contains_key(name)
        && let Ok(value) = HeaderValue::from_str(id.as_str())
    {
        headers.insert(name.clone(), value);
    }
}

const _: () = {
    const fn is_middleware<T: Clone + Send + Sync + 'static>() {}
    is_middleware::<SessionIdMiddleware>();
    is_middleware::<SessionIdService<()>>();
};
