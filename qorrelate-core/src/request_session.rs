//! One request's session, from the search for its ID to the last byte of the response.

use std::fmt;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::current::SessionGuard;
use crate::id::SessionId;
use crate::otel::{self, SessionScope};
use crate::outcome::{CurrentOutcome, SessionIdOutcome};
use crate::request::RequestHead;
use crate::settings::Settings;

/// The session of one request, as an adapter carries it: begun when the request comes in, entered
/// while the inner service is called, and driven along with its future by [`run`](Self::run).
///
/// # Example
///
/// ```
/// use std::sync::Arc;
///
/// use qorrelate_core::{RequestHead, RequestSession, SessionId, Settings};
///
/// # struct Head<'a>(&'a http::Request<()>);
/// # impl RequestHead for Head<'_> {
/// #     type HeaderName = http::HeaderName;
/// #     fn header_values(&self, name: &http::HeaderName) -> impl Iterator<Item = &[u8]> {
/// #         self.0.headers().get_all(name).iter().map(|value| value.as_bytes())
/// #     }
/// #     fn query(&self) -> Option<&str> {
/// #         self.0.uri().query()
/// #     }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), http::Error> {
/// async fn handler() -> Option<SessionId> {
///     SessionId::current()
/// }
///
/// let settings = Arc::new(Settings::new());
/// let request = http::Request::builder().header("x-session-id", "abc").body(())?;
///
/// let mut session = RequestSession::begin(settings, &Head(&request));
/// let future = {
///     let _entered = session.enter();
///     handler()
/// };
/// let (id, _session) = session.run(future).await;
/// assert_eq!(id.unwrap(), "abc");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct RequestSession<N> {
    settings: Arc<Settings<N>>,
    outcome: Option<SessionIdOutcome>,
    scope: Option<SessionScope>,
    /// No span was open yet when the request came in.
    untagged: bool,
}

impl<N> RequestSession<N> {
    /// Looks for the session ID of a request, tags the span that is open, and reports the outcome.
    pub fn begin<H>(settings: Arc<Settings<N>>, head: &H) -> Self
    where
        H: RequestHead<HeaderName = N>,
        N: FromStr,
    {
        let outcome = settings.outcome_of(head);
        let mut scope = outcome.session_id().cloned().map(SessionScope::new);
        let untagged = match &scope {
            // A span that was opened in a session has been tagged by whoever opened it.
            Some(scope) if !otel::is_current() => !otel::tag_open_span(scope.session_id()),
            _ => false,
        };
        if settings.reports() {
            let _guard = scope.as_mut().map(SessionScope::enter);
            settings.report(&outcome);
        }
        Self { settings, outcome: Some(outcome), scope, untagged }
    }

    /// Makes the session and the outcome current on this thread, until what is returned is dropped:
    /// for calling the inner service.
    pub fn enter(&mut self) -> impl fmt::Debug + '_ {
        self.entered()
    }

    /// Runs the inner service's future in the session, and gives the session back with its output.
    pub const fn run<F>(self, future: F) -> InRequest<F, N> {
        InRequest { session: Some(self), future: Some(future) }
    }

    /// The header to take out of the request before the inner service is called, if one is not
    /// trusted.
    pub fn header_not_trusted(&self) -> Option<&N> {
        self.settings.header_not_trusted()
    }

    /// The header to add to the response, if one was asked for and it does not have it already.
    pub fn response_header(&self) -> Option<(&N, &SessionId)> {
        let header = self.settings.header_for_response()?;
        Some((header, self.outcome.as_ref()?.session_id()?))
    }

    /// What is left to do once there is a response: to stay current while its body is streamed.
    pub fn into_scope(self) -> Option<SessionScope> {
        self.scope
    }

    fn entered(&mut self) -> Entered<'_> {
        Entered {
            _session: self.scope.as_mut().map(SessionScope::enter),
            _outcome: CurrentOutcome::enter(&mut self.outcome),
        }
    }

    /// Some tracing layers call the inner service outside of their span and are in it only while
    /// they poll, so the first poll looks for an open span once more.
    fn tag_late(&mut self) {
        if std::mem::take(&mut self.untagged)
            && let Some(scope) = &mut self.scope
            && !otel::tag_open_span(scope.session_id())
            && !otel::is_tagged_later()
        {
            let _guard = scope.enter();
            self.settings.hint_at_layer_order();
        }
    }
}

#[derive(Debug)]
struct Entered<'a> {
    _session: Option<SessionGuard>,
    _outcome: CurrentOutcome<'a>,
}

pin_project! {
    /// The inner service's future, run in the session of its request. See [`RequestSession::run`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct InRequest<F, N> {
        // `None` once it was given back.
        session: Option<RequestSession<N>>,
        // `None` once it was dropped, in the session.
        #[pin]
        future: Option<F>,
    }

    impl<F, N> PinnedDrop for InRequest<F, N> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(session) = this.session {
                let _entered = session.entered();
                this.future.set(None);
            }
        }
    }
}

impl<F: Future, N> Future for InRequest<F, N> {
    type Output = (F::Output, RequestSession<N>);

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let output = {
            let (Some(session), Some(future)) =
                (this.session.as_mut(), this.future.as_mut().as_pin_mut())
            else {
                // It was polled again after it was done, which no executor does.
                return Poll::Pending;
            };
            session.tag_late();
            let _entered = session.entered();
            let output = std::task::ready!(future.poll(cx));
            this.future.set(None);
            output
        };
        match this.session.take() {
            Some(session) => Poll::Ready((output, session)),
            None => Poll::Pending,
        }
    }
}
