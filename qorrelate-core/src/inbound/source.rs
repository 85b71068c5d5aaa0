//! Where a session ID is looked for in a request.

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::invalid_setting::{InvalidSetting, InvalidSettingReason};
use super::preset::Preset;
use super::request::{RequestHead, RequestView};
use super::{ATTRIBUTE, baggage, cookie, query};
use crate::id::labels::{Labels, PLACEHOLDER, ReplayLink};
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
///     Source::posthog(), // a recorder, by name
///     Source::header("X-Session-ID"),
///     Source::query("session_id"), // WebSocket, EventSource, sendBeacon, <img>
/// ];
/// assert_eq!(sources[1].to_string(), "header x-session-id");
/// ```
#[derive(Clone)]
pub struct Source(Arc<Place>);

#[derive(Clone)]
struct Place {
    kind: Kind,
    labels: Option<Arc<Labels>>,
    is_read_at_public_edge: bool,
}

#[derive(Clone)]
enum Kind {
    Header(Box<str>),
    Baggage(Box<str>),
    Cookie(Box<str>),
    Query(Box<str>),
    Function(Arc<Function>),
    Preset(Preset),
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
    /// Double quotes around the value are removed, and it is percent-decoded, because the common
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

    /// A function of your own, for an ID that is part of a longer value. What it returns is checked
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
        Self::new(Kind::Function(Arc::new(function)))
    }

    pub(super) fn preset(preset: Preset) -> Self {
        Self::new(Kind::Preset(preset))
    }

    fn new(kind: Kind) -> Self {
        // A member of baggage that is named by its key may be meant for an internal hop; a recorder's is
        // sent by a browser.
        let is_read_at_public_edge = match &kind {
            Kind::Header(_) => true,
            Kind::Preset(preset) => !preset.is_cookie(),
            _ => false,
        };
        Self(Arc::new(Place { kind, labels: None, is_read_at_public_edge }))
    }

    /// Also reads this source at the [public edge](crate::adapter::Settings::public_edge). Cookies, query
    /// parameters, functions and baggage members of your own need it. Headers are read there anyway, and so are
    /// presets for recorders that send a header or baggage.
    ///
    /// ```
    /// # use qorrelate_core as qorrelate_tower;
    /// use qorrelate_tower::Source; // or qorrelate_actix
    ///
    /// // For `layer.sources(sources)?.public_edge()`.
    /// let sources = [Source::posthog(), Source::query("session_id").read_at_public_edge()];
    /// # let _ = sources;
    /// ```
    #[must_use]
    pub fn read_at_public_edge(self) -> Self {
        self.change(|place| place.is_read_at_public_edge = true)
    }

    /// Also puts the ID under this attribute, next to `session.id`: the one that a vendor's own backend looks
    /// for. Every span and log record that gets `session.id` gets it too; lines of `fmt` show `session.id`
    /// alone. Call it again to add another.
    ///
    /// ```
    /// # use qorrelate_core as qorrelate_tower;
    /// use qorrelate_tower::Source; // or qorrelate_actix
    ///
    /// let source = Source::highlight().attribute("highlight.session_id");
    /// # let _ = source;
    /// ```
    #[must_use]
    pub fn attribute(self, name: &str) -> Self {
        self.label(|labels| labels.attributes.push(name.into()))
    }

    /// Puts the link to the session's replay on the request's span, as `session.replay.url`. `{id}` in the
    /// template becomes the ID, percent-encoded. The rest, including the host, is always the template's, never
    /// the request's.
    ///
    /// The request's span is the one that [`tag_current_span`](crate::adapter::Settings::tag_current_span) tags,
    /// else the first that starts in the request. Other spans don't get the link.
    ///
    /// ```
    /// # use qorrelate_core as qorrelate_tower;
    /// use qorrelate_tower::Source; // or qorrelate_actix
    ///
    /// let source = Source::posthog().replay_url("https://eu.posthog.com/project/1/replay/{id}");
    /// # let _ = source;
    /// ```
    #[must_use]
    pub fn replay_url(self, template: &str) -> Self {
        let keeps_slash =
            matches!(&self.0.kind, Kind::Preset(preset) if preset.keeps_slash_in_links);
        self.label(|labels| {
            let attribute = match labels.replay_link.take() {
                Some(link) => link.attribute,
                None => REPLAY_URL_ATTRIBUTE.into(),
            };
            labels.replay_link =
                Some(ReplayLink { attribute, template: template.into(), keeps_slash });
        })
    }

    /// Names the attribute of the link, instead of `session.replay.url`. Call it after
    /// [`replay_url`](Self::replay_url).
    ///
    /// ```
    /// # use qorrelate_core as qorrelate_tower;
    /// use qorrelate_tower::Source; // or qorrelate_actix
    ///
    /// let source = Source::posthog()
    ///     .replay_url("https://eu.posthog.com/project/1/replay/{id}")
    ///     .replay_url_attribute("replay");
    /// # let _ = source;
    /// ```
    #[must_use]
    pub fn replay_url_attribute(self, name: &str) -> Self {
        self.label(|labels| {
            if let Some(link) = &mut labels.replay_link {
                link.attribute = name.into();
            }
        })
    }

    /// What `Access-Control-Allow-Headers` must list for a browser to send this across origins: the header, and
    /// what the recorder adds besides. If one is missing, the browser blocks the page's whole request.
    ///
    /// ```
    /// # use qorrelate_core::Source;
    /// let source = Source::highlight();
    /// let headers: Vec<&str> = source.request_headers().collect();
    /// assert_eq!(headers, ["x-highlight-request", "traceparent"]);
    /// ```
    pub fn request_headers(&self) -> impl Iterator<Item = &str> {
        let (own, preset) = match &self.0.kind {
            Kind::Header(name) => (Some(&**name), None),
            Kind::Baggage(_) => (Some(baggage::HEADER), None),
            Kind::Preset(preset) => (None, Some(preset)),
            Kind::Cookie(_) | Kind::Query(_) | Kind::Function(_) => (None, None),
        };
        own.into_iter().chain(preset.into_iter().flat_map(Preset::request_headers))
    }

    fn change(mut self, change: impl FnOnce(&mut Place)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    pub(super) fn label(self, label: impl FnOnce(&mut Labels)) -> Self {
        self.change(|place| label(Arc::make_mut(place.labels.get_or_insert_default())))
    }

    pub(crate) fn is_read_at_public_edge(&self) -> bool {
        self.0.is_read_at_public_edge
    }

    pub(crate) fn labels(&self) -> Option<&Arc<Labels>> {
        self.0.labels.as_ref()
    }

    /// The kind and the name, which is empty for a function.
    pub(crate) fn parts(&self) -> (&'static str, &str) {
        match &self.0.kind {
            Kind::Header(name) => ("header", name),
            Kind::Baggage(key) => ("baggage", key),
            Kind::Cookie(name) => ("cookie", name),
            Kind::Query(name) => ("query", name),
            Kind::Function(_) => ("function", ""),
            Kind::Preset(preset) => ("preset", preset.name),
        }
    }
}

/// The attribute of a link to a replay. OpenTelemetry has none for it yet.
const REPLAY_URL_ATTRIBUTE: &str = "session.replay.url";

impl Labels {
    fn check(&self) -> Result<(), InvalidSetting> {
        let link = self.replay_link.as_ref();
        let mut names = self.attributes.iter().chain(link.map(|link| &link.attribute));
        let is_invalid = |name: &&Arc<str>| {
            name.is_empty()
                || &***name == ATTRIBUTE
                || name.contains(|c: char| c.is_whitespace() || c.is_control())
        };
        if let Some(name) = names.find(is_invalid) {
            let reason = InvalidSettingReason::NotAnAttribute;
            return Err(InvalidSetting::new("attribute", name, reason));
        }
        match link {
            Some(link) if !is_replay_url(&link.template) => {
                let reason = InvalidSettingReason::NotAReplayUrl;
                Err(InvalidSetting::new("replay URL", &link.template, reason))
            }
            _ => Ok(()),
        }
    }
}

/// The ID, which comes from outside, must not choose the host.
fn is_replay_url(template: &str) -> bool {
    let rest = template.strip_prefix("https://").or_else(|| template.strip_prefix("http://"));
    rest.and_then(|rest| rest.split_once('/')).is_some_and(|(host, path)| {
        !host.is_empty() && !host.contains('{') && path.contains(PLACEHOLDER)
    })
}

/// Functions are equal if they are the same one, shared.
impl PartialEq for Source {
    fn eq(&self, other: &Self) -> bool {
        let is_same = match (&self.0.kind, &other.0.kind) {
            (Kind::Header(a), Kind::Header(b))
            | (Kind::Baggage(a), Kind::Baggage(b))
            | (Kind::Cookie(a), Kind::Cookie(b))
            | (Kind::Query(a), Kind::Query(b)) => a == b,
            (Kind::Function(a), Kind::Function(b)) => Arc::ptr_eq(a, b),
            (Kind::Preset(a), Kind::Preset(b)) => a == b,
            _ => false,
        };
        is_same
            && self.0.labels == other.0.labels
            && self.0.is_read_at_public_edge == other.0.is_read_at_public_edge
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
    /// The header to read, for the sources that are in one. A preset may be in several.
    headers: Vec<N>,
    /// Which of them hold a credential.
    secret_headers: Vec<N>,
}

impl<N: FromStr> ResolvedSource<N> {
    pub(crate) fn new(source: Source) -> Result<Self, InvalidSetting> {
        // The names of headers (RFC 9110), cookies (RFC 6265) and baggage members (W3C Baggage) are
        // all tokens, so the framework's own check of a header name serves for the three.
        let (kind, name) = source.parts();
        let invalid = |reason| InvalidSetting::new(kind, name, reason);
        let token =
            |name: &str| name.parse::<N>().map_err(|_| invalid(InvalidSettingReason::NotAToken));
        if let Some(labels) = source.labels() {
            labels.check()?;
        }
        let mut secret_headers = Vec::new();
        let headers = match &source.0.kind {
            Kind::Header(name) if SECRET_HEADERS.contains(&&**name) => {
                return Err(invalid(InvalidSettingReason::Secret));
            }
            Kind::Header(name) => vec![token(name)?],
            Kind::Baggage(key) => {
                token(key)?;
                vec![token(baggage::HEADER)?]
            }
            Kind::Cookie(name) => {
                token(name)?;
                vec![token(cookie::HEADER)?]
            }
            Kind::Query(name) => {
                token(name)?;
                Vec::new()
            }
            Kind::Function(_) => Vec::new(),
            Kind::Preset(preset) => {
                for (header, is_secret) in preset.headers() {
                    if is_secret {
                        secret_headers.push(token(header)?);
                    }
                }
                for name in preset.tokens() {
                    token(name)?;
                }
                preset.headers().map(|(header, _)| token(header)).collect::<Result<_, _>>()?
            }
        };
        Ok(Self { source, headers, secret_headers })
    }

    /// What this source says of a request: nothing, an ID, or why there is none.
    #[inline]
    pub(crate) fn read<H: RequestHead<HeaderName = N>>(
        &self,
        head: &H,
        rules: &SessionIdRules,
    ) -> Option<Result<SessionId, ParseSessionIdError>> {
        match (&self.source.0.kind, &*self.headers) {
            (Kind::Header(_), [header]) => only_value(head.header_values(header), rules),
            (Kind::Baggage(key), [header]) => {
                only_value(baggage::values(head.header_values(header), key), rules)
            }
            (Kind::Cookie(name), [header]) => {
                only_value(cookie::values(head.header_values(header), name), rules)
            }
            (Kind::Query(name), _) => {
                only_value(query::values(RequestHead::query(head)?, name), rules)
            }
            (Kind::Function(function), _) => {
                function(head).map(|value| rules.parse(value.as_bytes()))
            }
            (Kind::Preset(preset), headers) => preset.read(head, headers, rules),
            // The sources that are in a header have its name.
            (Kind::Header(_) | Kind::Baggage(_) | Kind::Cookie(_), _) => None,
        }
    }

    pub(crate) fn secret_headers(&self) -> &[N] {
        &self.secret_headers
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
