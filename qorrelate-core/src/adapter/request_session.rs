//! One request's session, from the search for its ID to the last byte of the response.

use std::fmt;
use std::mem;
use std::pin::Pin;
use std::str::FromStr;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::settings::Settings;
use crate::current::{Enter, Entered, Frame, Inside, request_has_session};
use crate::id::SessionId;
use crate::inbound::{RequestHead, SessionIdOutcome};
use crate::telemetry::{tag_current_span, versions};

/// The session of one request, as an adapter carries it: begun when the request comes in, entered while
/// the inner service is called, and then kept around its future and the body of its response.
///
/// A request without a session has one of these too: it says that there is none, whatever else may be
/// current on the thread.
///
/// # Example
///
/// ```
/// use qorrelate_core::SessionId;
/// use qorrelate_core::adapter::{RequestHead, RequestSession, Settings};
///
/// # struct Head<'a>(&'a http::Request<()>);
/// # impl RequestHead for Head<'_> {
/// #     type HeaderName = http::HeaderName;
/// #     fn header_values(&self, name: &http::HeaderName) -> impl Iterator<Item = &[u8]> {
/// #         self.0.headers().get_all(name).iter().map(|value| value.as_bytes())
/// #     }
/// #     fn method(&self) -> &str { self.0.method().as_str() }
/// #     fn path(&self) -> &str { self.0.uri().path() }
/// #     fn query(&self) -> Option<&str> { self.0.uri().query() }
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
/// let mut session = RequestSession::begin(&settings, &Head(&request), None);
/// let future = {
///     let _entered = session.enter();
///     handler()
/// };
/// assert_eq!(session.around(future).await.unwrap(), "abc");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
pub struct RequestSession {
    /// `None` if an outer layer of the same request has said already which session it is.
    frame: Option<Frame>,
    inserts_extension: bool,
    tag: Tag,
    opentelemetry: versions::Settings,
}

/// Whether the span that is current is still to be tagged.
#[derive(Debug, Clone, Copy, Default)]
enum Tag {
    #[default]
    Done,
    InFirstPoll {
        is_inside: bool,
    },
}

impl RequestSession {
    /// Looks for the session ID of a request, and reports the outcome. `extension` is the outcome that
    /// an outer layer put into the request's extensions, if any.
    #[inline]
    pub fn begin<H>(
        settings: &Settings<H::HeaderName>,
        head: &H,
        extension: Option<&SessionIdOutcome>,
    ) -> Self
    where
        H: RequestHead,
        H::HeaderName: FromStr,
    {
        let inserts_extension = settings.inserts_extension();
        let outcome = match settings.search(head) {
            Ok(found) => found,
            Err(_) if request_has_session() => {
                return Self { inserts_extension, ..Self::default() };
            }
            Err(not_found) => match extension {
                Some(outer) if outer.session_id().is_some() => outer.clone(),
                _ => settings.without(not_found),
            },
        };
        let tag = match outcome.session_id() {
            Some(_) => Tag::InFirstPoll { is_inside: settings.tags_current_span() },
            None => Tag::Done,
        };
        let is_link_due = is_link_due(&outcome);
        let mut frame = Some(Frame::Request { outcome, is_link_due });
        if settings.reports() {
            report(settings, head, &mut frame);
        }
        Self {
            frame,
            // What an outer layer put there is no longer so.
            inserts_extension: inserts_extension || extension.is_some(),
            tag,
            opentelemetry: settings.opentelemetry(),
        }
    }

    /// What was found. `None` if an outer layer of the same request has said it already.
    #[inline]
    pub const fn outcome(&self) -> Option<&SessionIdOutcome> {
        match &self.frame {
            Some(Frame::Request { outcome, .. }) => Some(outcome),
            _ => None,
        }
    }

    /// What to put into the request's extensions, and its session too, before the inner service is
    /// called: if the user asked for it, or in place of what an outer layer put there.
    #[inline]
    pub fn outcome_to_insert(&self) -> Option<SessionIdOutcome> {
        if !self.inserts_extension {
            return None;
        }
        self.outcome().cloned().or_else(SessionIdOutcome::current)
    }

    /// Makes the session, or that there is none, current on this thread until what is returned is
    /// dropped: for calling the inner service.
    #[inline]
    pub fn enter(&mut self) -> impl fmt::Debug + '_ {
        self.enter_all()
    }

    /// The inner service's future, or the body of its response, in the session.
    #[inline]
    pub const fn around<T>(self, inner: T) -> InRequest<T> {
        InRequest { inside: Inside::new(self, inner) }
    }

    #[inline]
    fn enter_all(&mut self) -> EnteredRequest<'_> {
        let opentelemetry = if self.opentelemetry.attaches() {
            self.attach()
        } else {
            versions::Attached::default()
        };
        EnteredRequest { _opentelemetry: opentelemetry, _frame: Entered::enter(&mut self.frame) }
    }

    #[cold]
    fn attach(&self) -> versions::Attached {
        match &self.frame {
            Some(frame) => self.opentelemetry.attach(frame.session()),
            None => versions::Attached::default(),
        }
    }

    #[cold]
    fn tag(&mut self, is_inside: bool) {
        self.tag = Tag::Done;
        let Some(session) = self.frame.as_ref().and_then(Frame::session) else { return };
        if session.labels().is_none() {
            tag_spans(session, is_inside, self.opentelemetry);
        } else {
            // The frame knows whether the link is due.
            let session = session.clone();
            let _entered = Entered::enter(&mut self.frame);
            tag_spans(&session, is_inside, self.opentelemetry);
        }
    }
}

fn tag_spans(session: &SessionId, is_inside: bool, opentelemetry: versions::Settings) {
    tag_current_span(session, is_inside);
    opentelemetry.tag_active_spans(session);
}

/// Not if an outer layer of the same request has seen to it.
#[inline]
fn is_link_due(outcome: &SessionIdOutcome) -> bool {
    let session = outcome.session_id();
    session.is_some_and(|session| {
        session.labels().is_some_and(|labels| labels.replay_link.is_some())
            && SessionIdOutcome::current().is_none_or(|outer| outer.session_id() != Some(session))
    })
}

#[cold]
fn report<H>(settings: &Settings<H::HeaderName>, head: &H, frame: &mut Option<Frame>)
where
    H: RequestHead,
{
    if let Some(Frame::Request { outcome, .. }) = frame {
        let outcome = outcome.clone();
        let _entered = Entered::enter(frame);
        settings.report(&outcome, head);
    }
}

#[derive(Debug)]
pub(crate) struct EnteredRequest<'a> {
    _opentelemetry: versions::Attached,
    _frame: Entered<'a>,
}

impl Enter for RequestSession {
    type Entered<'a> = EnteredRequest<'a>;

    #[inline]
    fn enter(&mut self) -> EnteredRequest<'_> {
        if let Tag::InFirstPoll { is_inside } = self.tag {
            self.tag(is_inside);
        }
        self.enter_all()
    }

    fn frame(&mut self) -> &mut Option<Frame> {
        &mut self.frame
    }
}

pin_project! {
    /// The inner service's future, or the body of its response, in the session of its request: on every
    /// poll, and while it is dropped. See [`RequestSession::around`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct InRequest<T> {
        #[pin]
        inside: Inside<RequestSession, T>,
    }
}

impl<T> InRequest<T> {
    /// What is in the session, until it is done.
    #[inline]
    pub const fn get(&self) -> Option<&T> {
        self.inside.get()
    }

    /// The session of the request.
    #[inline]
    pub fn session_id(&self) -> Option<&SessionId> {
        self.inside.outside.frame.as_ref()?.session()
    }

    /// The session, for what is left to do once the future is done: the body of the response.
    #[inline]
    pub fn take_session(self: Pin<&mut Self>) -> RequestSession {
        mem::take(self.project().inside.outside())
    }

    /// What is in the session, until it is done, and the session.
    pub fn into_parts(self) -> (Option<T>, RequestSession) {
        self.inside.into_parts()
    }

    /// Polls what is in the session, in it. `poll` also says whether that is done: then it is dropped at
    /// once, in the session too.
    ///
    /// `None` if it was done before.
    #[inline]
    pub fn poll_in_session<R>(
        self: Pin<&mut Self>,
        poll: impl FnOnce(Pin<&mut T>) -> (R, bool),
    ) -> Option<R> {
        self.project().inside.poll_inside(poll)
    }
}

impl<F: Future> Future for InRequest<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().inside.poll(cx)
    }
}
