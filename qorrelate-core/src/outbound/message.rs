//! The session in the headers of a message.

use std::sync::LazyLock;

use crate::id::SessionId;
use crate::inbound::token::Token;
use crate::inbound::{DEFAULT_HEADER, Finding, RequestHead, Search, SessionIdOutcome};

/// Puts the current session into the headers of a message, as `x-session-id`: for queues, and for anything
/// else with headers. Without a current session, `set` is not called.
///
/// Whoever reads the queue sees it.
///
/// If a library calls OpenTelemetry's global propagator already, register `SessionPropagator` instead.
///
/// # Example
///
/// A channel whose messages have headers, as those of a message broker do:
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::mpsc;
///
/// # use qorrelate_core as qorrelate_tower;
/// use qorrelate_tower::{SessionId, extract_session, inject_session}; // or qorrelate_actix
///
/// struct Message {
///     headers: HashMap<String, String>,
///     body: &'static str,
/// }
///
/// let (queue, messages) = mpsc::channel();
///
/// // The service that sends; in a handler the session is the request's.
/// let id: SessionId = "abc".parse()?;
/// id.in_scope(|| {
///     let mut message = Message { headers: HashMap::new(), body: "send the receipt" };
///     inject_session(|name, value| {
///         message.headers.insert(name.to_owned(), value.to_owned());
///     });
///     queue.send(message)
/// })?;
///
/// // The service that receives.
/// let message = messages.recv()?;
/// let work = || (message.body, SessionId::current());
/// let done = match extract_session(|name| message.headers.get(name)) {
///     Some(id) => id.in_scope(work),
///     None => work(),
/// };
/// assert_eq!(done, ("send the receipt", Some(id)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn inject_session(set: impl FnOnce(&str, &str)) {
    if let Some(id) = SessionId::current() {
        set(DEFAULT_HEADER, id.as_str());
    }
}

/// The session in the headers of a message, as [`inject_session`] puts it there. `get` looks up a header
/// by its name, in lower case.
///
/// A malformed ID counts as none, and a `DEBUG` event says so.
///
/// ```
/// # use std::collections::HashMap;
/// # use qorrelate_core::extract_session;
/// let headers = HashMap::from([("x-session-id", "abc")]);
/// assert_eq!(extract_session(|name| headers.get(name)).unwrap(), "abc");
///
/// let headers = HashMap::from([("x-session-id", "undefined")]);
/// assert_eq!(extract_session(|name| headers.get(name)), None);
/// ```
pub fn extract_session<V: AsRef<[u8]>>(get: impl FnOnce(&str) -> Option<V>) -> Option<SessionId> {
    /// Made once, not for each message.
    static SEARCH: LazyLock<Search<Token>> = LazyLock::new(Search::new);

    let value = get(DEFAULT_HEADER);
    find(&SEARCH, &Message(value.as_ref().map(AsRef::as_ref)))
}

/// What is found in a message; what is malformed is logged.
pub(super) fn find<H>(search: &Search<H::HeaderName>, message: &H) -> Option<SessionId>
where
    H: RequestHead,
{
    match search.run(message, |_| true) {
        Finding::Found(id, _) => Some(id),
        Finding::Nothing => None,
        Finding::Malformed(source, error) => {
            SessionIdOutcome::Malformed { source, error, generated: None }.log();
            None
        }
    }
}

/// How core sees a message with one header.
struct Message<'a>(Option<&'a [u8]>);

impl RequestHead for Message<'_> {
    type HeaderName = Token;

    fn header_values(&self, _: &Token) -> impl Iterator<Item = &[u8]> {
        self.0.into_iter()
    }

    fn method(&self) -> &str {
        ""
    }

    fn path(&self) -> &str {
        ""
    }

    fn query(&self) -> Option<&str> {
        None
    }
}
