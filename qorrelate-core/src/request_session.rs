//! One request's session, from the search for its ID to the last byte of the response.

use std::fmt;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use crate::current::SessionGuard;
use crate::id::SessionId;
use crate::otel::{self, Before, SessionScope};
use crate::outcome::{SessionIdOutcome, ToldOutcome};
use crate::request::RequestHead;
use crate::settings::Settings;

/// The session of one request, as an adapter carries it: begun when the request comes in, entered
/// while the inner service is called, and driven along with its future by [`run`](Self::run).
///
/// A request without a session ID is carried through it at next to no cost.
///
/// # Example
///
/// ```
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
/// let settings = Settings::new();
/// let request = http::Request::builder().header("x-session-id", "abc").body(())?;
///
/// let mut session = RequestSession::begin(&settings, &Head(&request));
/// let future = {
///     let _entered = session.enter();
///     handler()
/// };
/// assert_eq!(session.run(future).await.unwrap(), "abc");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct RequestSession<N>(Option<Begun<N>>);

/// What is kept of a request, if there is anything to keep.
#[derive(Debug)]
struct Begun<N> {
    /// `None` if the request is in no session.
    active: Option<Active<N>>,
    /// What the session alone does not tell: something was malformed, or generated.
    told: Option<SessionIdOutcome>,
}

#[derive(Debug)]
struct Active<N> {
    scope: SessionScope,
    response_header: Option<Arc<N>>,
    tag: Tag,
}

/// When to look for an open span to tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tag {
    /// When the inner service is called.
    WhenCalled,
    /// When its future is polled: some tracing layers call it outside of their span, and are in it only
    /// while they poll.
    WhenPolled,
    /// No more: one was tagged, or there is none.
    Done,
}

impl<N> RequestSession<N> {
    /// Looks for the session ID of a request, and reports the outcome.
    #[inline]
    pub fn begin<H>(settings: &Settings<N>, head: &H) -> Self
    where
        H: RequestHead<HeaderName = N>,
        N: FromStr,
    {
        let Some(outcome) = settings.outcome_of(head) else {
            return Self(None);
        };
        let (session, told) = outcome.split();
        let active = session.map(|session| Active {
            scope: SessionScope::of(session),
            response_header: settings.header_for_response(),
            tag: Tag::WhenCalled,
        });
        let mut begun = Begun { active, told };
        if settings.reports() {
            begun.report(settings);
        }
        Self(Some(begun))
    }

    /// Makes the session and the outcome current on this thread, until what is returned is dropped, and
    /// tags the span that is open: for calling the inner service.
    #[inline]
    pub fn enter(&mut self) -> impl fmt::Debug + '_ {
        self.0.as_mut().map(Begun::enter)
    }

    /// Runs the inner service's future in the session.
    #[inline]
    pub fn run<F>(self, future: F) -> InRequest<F, N> {
        InRequest { begun: self.0, future: Some(future) }
    }
}

impl<N> Begun<N> {
    #[cold]
    fn report(&mut self, settings: &Settings<N>) {
        let session = self.active.as_ref().and_then(|active| active.scope.session().cloned());
        let outcome = SessionIdOutcome::of(session, || self.told.clone());
        let _guard = self.active.as_mut().map(|active| active.scope.enter());
        settings.report(&outcome);
    }

    #[inline]
    fn enter(&mut self) -> Entered<'_> {
        Entered {
            _session: self.active.as_mut().map(Active::enter),
            _outcome: self.told.is_some().then(|| ToldOutcome::enter(&mut self.told)),
        }
    }
}

impl<N> Active<N> {
    #[inline]
    fn enter(&mut self) -> SessionGuard {
        let (guard, before) = self.scope.enter_and_look();
        if self.tag != Tag::Done {
            self.tag_open_span(before);
        }
        guard
    }

    fn tag_open_span(&mut self, before: Before) {
        // A span that was opened in a session has been tagged by whoever opened it.
        let is_done = before.is_in_session || otel::tag_open_span(&self.scope, before);
        if is_done {
            self.tag = Tag::Done;
        } else if self.tag == Tag::WhenCalled {
            self.tag = Tag::WhenPolled;
        } else {
            self.tag = Tag::Done;
            otel::hint_if_nothing_is_tagged();
        }
    }
}

#[derive(Debug)]
struct Entered<'a> {
    _session: Option<SessionGuard>,
    _outcome: Option<ToldOutcome<'a>>,
}

pin_project! {
    /// The inner service's future, run in the session of its request. See [`RequestSession::run`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct InRequest<F, N> {
        begun: Option<Begun<N>>,
        // `None` once it was dropped, in the session.
        #[pin]
        future: Option<F>,
    }

    impl<F, N> PinnedDrop for InRequest<F, N> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(begun) = this.begun
                && this.future.is_some()
            {
                let _entered = begun.enter();
                this.future.set(None);
            }
        }
    }
}

impl<F, N> InRequest<F, N> {
    /// The header to add to the response, if one was asked for and it does not have it already.
    #[inline]
    pub fn response_header(&self) -> Option<(&N, &SessionId)> {
        let active = self.begun.as_ref()?.active.as_ref()?;
        Some((active.response_header.as_deref()?, &active.scope.session()?.id))
    }

    /// What is left to do once there is a response: to stay current while its body is streamed.
    #[inline]
    pub fn take_scope(self: Pin<&mut Self>) -> Option<SessionScope> {
        Some(self.project().begun.take()?.active?.scope)
    }
}

impl<F: Future, N> Future for InRequest<F, N> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        // `None`: it was polled again after it was done, which no executor does.
        let Some(future) = this.future.as_mut().as_pin_mut() else { return Poll::Pending };
        let Some(begun) = this.begun else { return future.poll(cx) };
        let _entered = begun.enter();
        let output = ready!(future.poll(cx));
        this.future.set(None);
        Poll::Ready(output)
    }
}
