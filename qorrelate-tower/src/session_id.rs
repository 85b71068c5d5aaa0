//! The layer for servers: takes the session ID from each request and handles the request in it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use pin_project_lite::pin_project;
use qorrelate_core::{InRequest, RequestSession, SessionId, Settings};
use tower_layer::Layer;
use tower_service::Service;

use crate::body::SessionBody;
use crate::head::Head;

/// Takes the session ID from each request, and handles the request in that session.
///
/// The session is current ([`SessionId::current`](crate::SessionId::current)) while the inner
/// service is called, while its future is polled, and while the body of its response is streamed.
/// The span that is open is tagged with `session.id`. A request without a valid ID goes on in no
/// session.
///
/// By default the ID comes from the header `X-Session-ID`. Put the layer outermost; the
/// [crate documentation](crate) says what each order gives.
///
/// # Example
///
/// ```
/// # #[cfg(feature = "axum")]
/// # {
/// use axum::{Router, routing::get};
/// use qorrelate_tower::{SessionId, SessionIdLayer};
///
/// async fn hello(session: Option<SessionId>) -> String {
///     match session {
///         Some(id) => format!("hello, session {id}"),
///         None => "hello".to_owned(),
///     }
/// }
///
/// let app: Router = Router::new().route("/", get(hello)).layer(SessionIdLayer::new());
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct SessionIdLayer {
    settings: Arc<Settings<HeaderName>>,
}

impl SessionIdLayer {
    /// A layer that reads the header `X-Session-ID`, generates nothing and sends nothing back.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    qorrelate_core::settings_methods!("qorrelate_tower", "SessionIdLayer");
}

impl<S> Layer<S> for SessionIdLayer {
    type Service = SessionIdService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        SessionIdService { inner, settings: Arc::clone(&self.settings) }
    }
}

/// The service that [`SessionIdLayer`] makes.
#[derive(Debug, Clone)]
pub struct SessionIdService<S> {
    inner: S,
    settings: Arc<Settings<HeaderName>>,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for SessionIdService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
{
    type Response = Response<SessionBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
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

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<SessionBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut future = self.project().future;
        let result = ready!(future.as_mut().poll(cx));
        Poll::Ready(result.map(|mut response| {
            if let Some((name, id)) = future.response_header() {
                echo(response.headers_mut(), name, id);
            }
            response.map(|body| SessionBody::new(body, future.take_scope()))
        }))
    }
}

fn echo(headers: &mut HeaderMap, name: &HeaderName, id: &SessionId) {
    if !headers.contains_key(name)
        && let Ok(value) = HeaderValue::from_str(id.as_str())
    {
        headers.insert(name, value);
    }
}

const _: () = {
    const fn is_layer<T: Clone + Send + Sync + 'static>() {}
    is_layer::<SessionIdLayer>();
    is_layer::<SessionIdService<()>>();
    const fn is_future<T: Send + 'static>() {}
    is_future::<ResponseFuture<()>>();
    is_future::<SessionBody<()>>();
};
