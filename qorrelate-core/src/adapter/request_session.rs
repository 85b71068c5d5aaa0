//! One request's session, from the search for its ID to the last byte of the response.

use std::mem;
use std::pin::Pin;
use std::str::FromStr;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tracing::dispatcher;

use super::settings::Settings;
use crate::current::{Inside, Outside, Request, Running, RunningRequest, request_has_session};
use crate::id::SessionId;
use crate::inbound::{RequestHead, SessionIdOutcome};
use crate::telemetry::{tag_current_span, versions};

/// The session of one request, as an adapter carries it: begun when the request comes in, current while
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
/// let future = session.call(request, |_request| handler());
/// assert_eq!(session.around(future).await.unwrap(), "abc");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
pub struct RequestSession {
    /// `None` if an outer layer of the same request has said already which session it is.
    request: Option<Request>,
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
            Some(_) if settings.opentelemetry().tags() || dispatcher::has_been_set() => {
                Tag::InFirstPoll { is_inside: settings.tags_current_span() }
            }
            // There is no span, and asking for it would cost more than asking this.
            _ => Tag::Done,
        };
        let is_link_due = is_link_due(&outcome);
        let mut request = Some(Request { outcome, is_link_due });
        if settings.reports() {
            report(settings, head, &mut request);
        }
        Self {
            request,
            // What an outer layer put there is no longer so.
            inserts_extension: inserts_extension || extension.is_some(),
            tag,
            opentelemetry: settings.opentelemetry(),
        }
    }

    /// What was found. `None` if an outer layer of the same request has said it already.
    #[inline]
    pub const fn outcome(&self) -> Option<&SessionIdOutcome> {
        match &self.request {
            Some(request) => Some(&request.outcome),
            None => None,
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

    /// Calls the inner service with the session, or none, current on this thread.
    #[inline]
    pub fn call<R, T>(&mut self, request: R, inner: impl FnOnce(R) -> T) -> T {
        let mut running = self.start_everywhere();
        let output = inner(request);
        running.stop();
        output
    }

    /// The inner service's future, or the body of its response, in the session.
    #[inline]
    pub const fn around<T>(self, inner: T) -> InRequest<T> {
        InRequest { inside: Inside::new(self, inner) }
    }

    #[inline]
    fn session_id(&self) -> Option<&SessionId> {
        self.request.as_ref()?.outcome.session_id()
    }

    #[inline(always)]
    fn start_everywhere(&mut self) -> RunningEverywhere<'_> {
        let attached = self.opentelemetry.attaches().then(|| self.attach());
        RunningEverywhere { _opentelemetry: attached, request: self.start_on_thread() }
    }

    #[cold]
    fn attach(&self) -> versions::Attached {
        match &self.request {
            Some(request) => self.opentelemetry.attach(request.outcome.session_id()),
            None => versions::Attached::default(),
        }
    }

    #[cold]
    fn tag(&mut self, is_inside: bool) {
        self.tag = Tag::Done;
        let Some(session) = self.session_id() else { return };
        if session.labels().is_none() {
            tag_spans(session, is_inside, self.opentelemetry);
        } else {
            // Whether the link is due is known on the thread.
            let (session, opentelemetry) = (session.clone(), self.opentelemetry);
            let _running = self.start_on_thread();
            tag_spans(&session, is_inside, opentelemetry);
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
fn report<H>(settings: &Settings<H::HeaderName>, head: &H, request: &mut Option<Request>)
where
    H: RequestHead,
{
    if let Some(Request { outcome, .. }) = request {
        let outcome = outcome.clone();
        let _running = RunningRequest::start(request);
        settings.report(&outcome, head);
    }
}

/// A request that runs, also as OpenTelemetry's contexts say, if they were asked for.
#[derive(Debug)]
pub(crate) struct RunningEverywhere<'a> {
    _opentelemetry: Option<versions::Attached>,
    request: RunningRequest<'a>,
}

impl Running for RunningEverywhere<'_> {
    #[inline(always)]
    fn stop(&mut self) {
        self.request.stop();
    }
}

impl Outside for RequestSession {
    type Running<'a> = RunningEverywhere<'a>;
    type OnThread<'a> = RunningRequest<'a>;

    #[inline(always)]
    fn start(&mut self) -> RunningEverywhere<'_> {
        if let Tag::InFirstPoll { is_inside } = self.tag {
            self.tag(is_inside);
        }
        self.start_everywhere()
    }

    #[inline(always)]
    fn start_on_thread(&mut self) -> RunningRequest<'_> {
        RunningRequest::start(&mut self.request)
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

    /// What was found in the request: see [`RequestSession::outcome`].
    #[inline]
    pub const fn outcome(&self) -> Option<&SessionIdOutcome> {
        self.inside.outside.outcome()
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

    /// Polls what is in the session, in it. It is `None` if it was done before. Once `is_done`, it is dropped,
    /// in the session too.
    #[inline]
    pub fn poll_in_session<R>(
        self: Pin<&mut Self>,
        poll: impl FnOnce(Option<Pin<&mut T>>) -> R,
        is_done: impl FnOnce(&R, &T) -> bool,
    ) -> R {
        self.project().inside.poll_inside(poll, is_done)
    }
}

impl<F: Future> Future for InRequest<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().inside.poll(cx)
    }
}
