//! The middleware for servers: takes the session ID from each request and handles the request in it.

use std::future::{Ready, ready};
use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use actix_web::body::MessageBody;
use actix_web::dev::{Extensions, Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::{Error, HttpMessage};
use pin_project_lite::pin_project;
#[cfg(doc)]
use qorrelate_core::SessionId;
use qorrelate_core::SessionIdOutcome;
use qorrelate_core::adapter::{CookieToSet, InRequest, RequestSession, Settings};

use crate::body::SessionBody;
use crate::head::Head;

/// Takes the session ID from each request, and handles the request in that session.
///
/// The session is current ([`SessionId::current`]) while the inner service is called, while its future
/// is polled, and while the body of its response is streamed. A request without a valid ID is handled
/// without a session, whatever else may be current on the thread.
///
/// If middleware is nested, the outer one's session stays when the inner one finds none.
///
/// By default the ID comes from the header `X-Session-ID`. Put the middleware outermost, which in
/// actix-web is the last `wrap`; the [crate documentation](crate) says what each order gives.
///
/// # Errors of inner middleware
///
/// If inner *middleware* returns an `Err`, actix-web makes the response after all middleware is done, so what
/// `error_response()` logs has no session. A handler's `Err` is a response by then, and has one.
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
        let mut session = {
            let extensions = request.extensions();
            RequestSession::begin(&self.settings, &Head(&request), extensions.get())
        };
        if let Some(name) = self.settings.header_not_trusted() {
            change_header(&mut request, name, "take out", |headers| {
                headers.remove(name);
            });
        }
        for name in self.settings.sensitive_headers() {
            change_header(&mut request, name, "mark as sensitive", |headers| {
                headers.retain(|other, value| {
                    if other == name {
                        value.set_sensitive(true);
                    }
                    true
                });
            });
        }
        if let Some(outcome) = session.outcome_to_insert() {
            insert(&mut request.extensions_mut(), outcome);
        }
        let future = session.call(request, |request| self.inner.call(request));
        ResponseFuture {
            future: session.around(future),
            settings: self.settings.changes_response().then(|| Arc::clone(&self.settings)),
        }
    }
}

/// actix-web panics where an outer middleware keeps a clone of the request, and has no way to ask before: then
/// the request goes on with the header as it is, and an `ERROR` event says so.
fn change_header(
    request: &mut ServiceRequest,
    name: &HeaderName,
    what: &str,
    change: impl FnOnce(&mut HeaderMap),
) {
    if !request.headers().contains_key(name) {
        return;
    }
    let changed = panic::catch_unwind(AssertUnwindSafe(|| change(request.headers_mut())));
    if changed.is_err() {
        tracing::error!(
            target: "qorrelate",
            "can't {what} `{name}` in a request that an outer middleware has cloned: wrap \
             SessionIdMiddleware last, so that it is outermost"
        );
    }
}

/// The ID by itself too: what takes a `ReqData<SessionId>` need not know of outcomes.
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

impl<F, B> Future for ResponseFuture<F>
where
    F: Future<Output = Result<ServiceResponse<B>, Error>>,
{
    type Output = Result<ServiceResponse<SessionBody<B>>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let mut result = ready!(this.future.as_mut().poll(cx));
        if let (Some(settings), Some(outcome)) = (this.settings, this.future.outcome()) {
            change_response(settings, outcome, &mut result);
        }
        Poll::Ready(result.map(|response| {
            response.map_body(|_, body| SessionBody::new(body, this.future.take_session()))
        }))
    }
}

#[cold]
fn change_response<B>(
    settings: &Settings<HeaderName>,
    outcome: &SessionIdOutcome,
    result: &mut Result<ServiceResponse<B>, Error>,
) {
    let header = settings.header_for_response().cloned().zip(outcome.session_id().cloned());
    let kept = settings.header_for_kept(outcome).cloned();
    let cookie = settings.cookie_to_set(outcome);
    let change = move |headers: &mut HeaderMap| {
        if let Some((name, id)) = &header {
            insert_if_missing(headers, name, id.into());
        }
        if let Some(name) = &kept {
            insert_if_missing(headers, name, HeaderValue::from_static("1"));
        }
        if let Some(cookie) = &cookie {
            set_cookie(headers, cookie);
        }
    };
    match result {
        Ok(response) => change(response.headers_mut()),
        // actix-web makes the response of an error later, outside of every middleware.
        Err(error) => error.add_response_mapper(move |mut response| {
            change(response.headers_mut());
            response
        }),
    }
}

fn insert_if_missing(headers: &mut HeaderMap, name: &HeaderName, value: HeaderValue) {
    if !headers.contains_key(name) {
        headers.insert(name.clone(), value);
    }
}

fn set_cookie(headers: &mut HeaderMap, cookie: &CookieToSet) {
    let content_type = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    let set_cookies = headers.get_all(header::SET_COOKIE).map(HeaderValue::as_bytes);
    if let Some(line) = cookie.line_for(content_type, set_cookies)
        && let Ok(line) = HeaderValue::from_str(line)
    {
        headers.append(header::SET_COOKIE, line);
    }
}

const _: () = {
    const fn is_middleware<T: Clone + Send + Sync + 'static>() {}
    is_middleware::<SessionIdMiddleware>();
    is_middleware::<SessionIdService<()>>();
};
