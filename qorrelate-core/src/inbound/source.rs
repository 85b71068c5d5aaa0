//! Where a session ID is looked for in a request.

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::invalid_setting::{InvalidSetting, InvalidSettingReason};
use super::request::{RequestHead, RequestView};
use super::{ATTRIBUTE, baggage, cookie, query};
use crate::id::{BrokenRule, MAX_LEN, ParseSessionIdError, SessionId, SessionIdRules};

/// The header that is read when nothing else is configured: `x-session-id`.
pub const DEFAULT_HEADER: &str = "x-session-id";

/// One place in a request where a session ID is looked for.
///
/// Sources are tried in the order given; the first that holds an accepted ID wins. A source that
/// holds a malformed ID is passed over, and reported if no other source has a good one. When one
/// source gives two different values, they are malformed; the same value twice is fine.
///
/// Names are checked when the sources are set on a layer or middleware. `Authorization`,
/// `Proxy-Authorization`, `Cookie` and `Set-Cookie` are refused as headers: a secret must not become an
/// exported attribute. [`cookie`](Self::cookie) reads a single cookie.
///
/// A browser sends a custom header across origins only if the API allows it
/// (`Access-Control-Allow-Headers`); the adapters' docs show the CORS set-up.
///
/// Clones share one allocation.
///
/// # Example
///
/// ```
/// # use qorrelate_core as qorrelate_tower;
/// use qorrelate_tower::Source; // or qorrelate_actix
///
/// let sources = [
///     Source::header("X-Session-ID"),
///     Source::baggage(),
///     Source::query("session_id"), // WebSocket, EventSource, sendBeacon, <img>
/// ];
/// assert_eq!(sources[0].to_string(), "header x-session-id");
/// ```
#[derive(Clone)]
pub struct Source(Arc<Kind>);

enum Kind {
    Header(Box<str>),
    Baggage(Box<str>),
    Cookie(Box<str>),
    Query(Box<str>),
    Function(Box<Function>),
}

type Function = dyn Fn(&dyn RequestView) -> Option<String> + Send + Sync;

impl Source {
    /// The header of that name, in any case.
    ///
    /// ```
    /// # use qorrelate_core::Source;
    /// assert_eq!(Source::header("X-POSTHOG-SESSION-ID").to_string(), "header x-posthog-session-id");
    /// ```
    pub fn header(name: &str) -> Self {
        Self::new(Kind::Header(name.to_ascii_lowercase().into()))
    }

    /// The member `session.id` of the `baggage` header (W3C Baggage).
    ///
    /// ```
    /// # use qorrelate_core::Source;
    /// assert_eq!(Source::baggage().to_string(), "baggage session.id");
    /// ```
    pub fn baggage() -> Self {
        Self::baggage_member(ATTRIBUTE)
    }

    /// The member of that key of the `baggage` header (W3C Baggage). Keys are case-sensitive.
    ///
    /// All `baggage` lines are read as one list, up to 64 members and 8192 bytes, which is what W3C
    /// Baggage asks every platform to pass on; what lies beyond is not read. Values are
    /// percent-decoded; properties after `;` are left out.
    ///
    /// ```
    /// # use qorrelate_core::Source;
    /// assert_eq!(
    ///     Source::baggage_member("sentry-replay_id").to_string(),
    ///     "baggage sentry-replay_id",
    /// );
    /// ```
    pub fn baggage_member(key: &str) -> Self {
        Self::new(Kind::Baggage(key.into()))
    }

    /// The cookie of that name (RFC 6265). Names are case-sensitive.
    ///
    /// A value in double quotes is taken out of them, and is percent-decoded, as the common
    /// front-end libraries encode it.
    ///
    /// ```
    /// # use qorrelate_core::Source;
    /// assert_eq!(Source::cookie("sid").to_string(), "cookie sid");
    /// ```
    pub fn cookie(name: &str) -> Self {
        Self::new(Kind::Cookie(name.into()))
    }

    /// The parameter of that name in the query, as a form or `URLSearchParams` encodes it (WHATWG
    /// URL, `application/x-www-form-urlencoded`). Names are case-sensitive.
    ///
    /// For what a browser sends without letting a script set headers: `WebSocket`, `EventSource`,
    /// `sendBeacon` and `<img>`.
    ///
    /// ```
    /// # use qorrelate_core::Source;
    /// assert_eq!(Source::query("session_id").to_string(), "query session_id");
    /// ```
    pub fn query(name: &str) -> Self {
        Self::new(Kind::Query(name.into()))
    }

    /// A function of your own, for a carrier that needs taking apart. What it returns is checked
    /// like any other value; `None` means that there was nothing.
    ///
    /// ```
    /// # use qorrelate_core::{RequestView, Source};
    /// let source = Source::function(|request: &dyn RequestView| {
    ///     let value = std::str::from_utf8(request.header("x-client")?).ok()?;
    ///     Some(value.split_once("session=")?.1.to_owned())
    /// });
    /// assert_eq!(source.to_string(), "function");
    /// ```
    pub fn function(
        function: impl Fn(&dyn RequestView) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        Self::new(Kind::Function(Box::new(function)))
    }

    fn new(kind: Kind) -> Self {
        Self(Arc::new(kind))
    }

    pub(crate) fn is_header(&self) -> bool {
        matches!(*self.0, Kind::Header(_))
    }

    /// The kind and the name, which is empty for a function.
    pub(crate) fn parts(&self) -> (&'static str, &str) {
        match &*self.0 {
            Kind::Header(name) => ("header", name),
            Kind::Baggage(key) => ("baggage", key),
            Kind::Cookie(name) => ("cookie", name),
            Kind::Query(name) => ("query", name),
            Kind::Function(_) => ("function", ""),
        }
    }
}

/// Functions are equal if they are the same one, shared.
impl PartialEq for Source {
    fn eq(&self, other: &Self) -> bool {
        match (&*self.0, &*other.0) {
            (Kind::Header(a), Kind::Header(b))
            | (Kind::Baggage(a), Kind::Baggage(b))
            | (Kind::Cookie(a), Kind::Cookie(b))
            | (Kind::Query(a), Kind::Query(b)) => a == b,
            (Kind::Function(_), Kind::Function(_)) => Arc::ptr_eq(&self.0, &other.0),
            _ => false,
        }
    }
}

impl Eq for Source {}

/// Shows the kind and the name, which are the service's own words, never the request's.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parts() {
            (kind, "") => f.write_str(kind),
            (kind, name) => write!(f, "{kind} {name}"),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({self})")
    }
}

/// Headers that hold credentials (RFC 9110, sections 11.6.2 and 11.7.2; RFC 6265).
pub(crate) const SECRET_HEADERS: [&str; 4] =
    ["authorization", "proxy-authorization", "cookie", "set-cookie"];

/// A source whose name was found good, with the names of headers in the framework's own type.
#[derive(Debug, Clone)]
pub(crate) struct ResolvedSource<N> {
    source: Source,
    /// The header to read, for the sources that are in one.
    header: Option<N>,
}

impl<N: FromStr> ResolvedSource<N> {
    pub(crate) fn new(source: Source) -> Result<Self, InvalidSetting> {
        // The names of headers (RFC 9110), cookies (RFC 6265) and baggage members (W3C Baggage) are
        // all tokens, so the framework's own check of a header name serves for the three.
        let (kind, name) = source.parts();
        let invalid = |reason| InvalidSetting::new(kind, name, reason);
        let token =
            |name: &str| name.parse::<N>().map_err(|_| invalid(InvalidSettingReason::NotAToken));
        let header = match &*source.0 {
            Kind::Header(name) if SECRET_HEADERS.contains(&&**name) => {
                return Err(invalid(InvalidSettingReason::Secret));
            }
            Kind::Header(name) => Some(token(name)?),
            Kind::Baggage(key) => {
                token(key)?;
                Some(token(baggage::HEADER)?)
            }
            Kind::Cookie(name) => {
                token(name)?;
                Some(token("cookie")?)
            }
            Kind::Query(name) => {
                token(name)?;
                None
            }
            Kind::Function(_) => None,
        };
        Ok(Self { source, header })
    }

    /// What this source says of a request: nothing, an ID, or why there is none.
    pub(crate) fn read<H: RequestHead<HeaderName = N>>(
        &self,
        head: &H,
        rules: &SessionIdRules,
    ) -> Option<Result<SessionId, ParseSessionIdError>> {
        match (&*self.source.0, &self.header) {
            (Kind::Header(_), Some(header)) => only_value(head.header_values(header), rules),
            (Kind::Baggage(key), Some(header)) => {
                only_value(baggage::values(head.header_values(header), key), rules)
            }
            (Kind::Cookie(name), Some(header)) => {
                only_value(cookie::values(head.header_values(header), name), rules)
            }
            (Kind::Query(name), _) => {
                only_value(query::values(RequestHead::query(head)?, name), rules)
            }
            (Kind::Function(function), _) => {
                function(head).map(|value| rules.parse(value.as_bytes()))
            }
            // The sources that are in a header have its name.
            (Kind::Header(_) | Kind::Baggage(_) | Kind::Cookie(_), None) => None,
        }
    }

    pub(crate) fn source(&self) -> &Source {
        &self.source
    }
}

/// The ID that all values agree on.
fn only_value<V: AsRef<[u8]>>(
    mut values: impl Iterator<Item = V>,
    rules: &SessionIdRules,
) -> Option<Result<SessionId, ParseSessionIdError>> {
    let first = values.next()?;
    let first = first.as_ref();
    // A value that cannot be an ID is not worth comparing, however long it is.
    if first.len() <= MAX_LEN && values.any(|other| other.as_ref() != first) {
        return Some(Err(ParseSessionIdError::new(BrokenRule::Conflicting, first.len())));
    }
    Some(rules.parse(first))
}
