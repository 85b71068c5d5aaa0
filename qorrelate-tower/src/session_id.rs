//! The layer for servers: takes the session ID from each request and handles the request in it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::header::{self, Entry};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Request, Response};
use pin_project_lite::pin_project;
use qorrelate_core::SessionIdOutcome;
use qorrelate_core::adapter::{InRequest, RequestSession, Settings};
use tower_layer::Layer;
use tower_service::Service;

use crate::body::SessionBody;
use crate::head::Head;
use crate::inner::inner_methods;

/// Takes the session ID from each request, and handles the request in that session.
///
/// The session is current ([`SessionId::current`](crate::SessionId::current)) while the inner service
/// is called, while its future is polled, and while the body of its response is streamed. A request
/// without a valid ID is handled without a session, whatever else may be current on the thread.
///
/// If layers are nested, the outer one's session stays when the inner one finds none.
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

impl<S> SessionIdService<S> {
    inner_methods!();
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
        let extension = request.extensions().get();
        let mut session = RequestSession::begin(&self.settings, &Head(&request), extension);
        if let Some(name) = self.settings.header_not_trusted() {
            request.headers_mut().remove(name);
        }
        for name in self.settings.sensitive_headers() {
            mark_sensitive(request.headers_mut(), name);
        }
        if let Some(outcome) = session.outcome_to_insert() {
            insert(request.extensions_mut(), outcome);
        }
        let future = session.call(request, |request| self.inner.call(request));
        ResponseFuture {
            future: session.around(future),
            settings: self.settings.changes_response().then(|| Arc::clone(&self.settings)),
        }
    }
}

fn mark_sensitive(headers: &mut HeaderMap, name: &HeaderName) {
    if let Entry::Occupied(mut values) = headers.entry(name) {
        values.iter_mut().for_each(|value| value.set_sensitive(true));
    }
}

/// The ID by itself too: what takes an `Extension<SessionId>` need not know of outcomes.
fn insert(extensions: &mut Extensions, outcome: SessionIdOutcome) {
    if let Some(id) = outcome.session_id() {
        extensions.insert(id.clone());
    }
    extensions.insert(outcome);
}

pin_project! {
    /// The future of [`SessionIdService`].
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        future: InRequest<F>,
        // If there is something to do for the response.
        settings: Option<Arc<Settings<HeaderName>>>,
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<SessionBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let result = ready!(this.future.as_mut().poll(cx));
        Poll::Ready(result.map(|mut response| {
            if let (Some(settings), Some(outcome)) = (this.settings, this.future.outcome()) {
                change_response(settings, outcome, response.headers_mut());
            }
            response.map(|body| SessionBody::new(body, this.future.take_session()))
        }))
    }
}

const KEPT: HeaderValue = HeaderValue::from_static("1");

#[cold]
fn change_response(
    settings: &Settings<HeaderName>,
    outcome: &SessionIdOutcome,
    headers: &mut HeaderMap,
) {
    if let (Some(name), Some(id)) = (settings.header_for_response(), outcome.session_id()) {
        headers.entry(name).or_insert_with(|| id.into());
    }
    if let Some(name) = settings.header_for_kept(outcome) {
        headers.entry(name).or_insert(KEPT);
    }
    let Some(cookie) = settings.cookie_to_set(outcome) else { return };
    let content_type = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    let set_cookies = headers.get_all(header::SET_COOKIE).iter().map(HeaderValue::as_bytes);
    if let Some(line) = cookie.line_for(content_type, set_cookies)
        && let Ok(line) = HeaderValue::from_str(line)
    {
        headers.append(header::SET_COOKIE, line);
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
