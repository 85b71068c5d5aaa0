//! What a user sets on a layer or a middleware.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::baggage;
use crate::carrier::Carrier;
use crate::id::SessionId;
use crate::outcome::SessionIdOutcome;
use crate::request::RequestHead;
use crate::rules::SessionIdRules;
use crate::source::{DEFAULT_HEADER, ResolvedSource, Source};

/// What to do for a request without a usable session ID.
///
/// # Example
///
/// ```
/// use qorrelate_core::{Policy, SessionId};
///
/// assert_eq!(Policy::default(), Policy::Ignore);
///
/// let generate = Policy::Generate(SessionId::new_v7);
/// # let _ = generate;
/// ```
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub enum Policy {
    /// The request goes on in no session. The default.
    #[default]
    Ignore,
    /// The request goes on in a new session, whose ID this function makes: `SessionId::new_v4`,
    /// `SessionId::new_v7` (feature `uuid`), or your own. No replay belongs to such a session.
    Generate(fn() -> SessionId),
}

impl PartialEq for Policy {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Ignore, Self::Ignore) => true,
            (Self::Generate(a), Self::Generate(b)) => std::ptr::fn_addr_eq(*a, *b),
            _ => false,
        }
    }
}

impl Policy {
    fn apply(self) -> Option<SessionId> {
        match self {
            Self::Ignore => None,
            Self::Generate(new) => Some(new()),
        }
    }
}

/// A setting that cannot work, found when it is made.
///
/// # Example
///
/// ```
/// use qorrelate_core::{Settings, Source};
///
/// let error = Settings::<http::HeaderName>::new()
///     .sources([Source::header("X Session ID")])
///     .unwrap_err();
/// assert_eq!(error.to_string(), "\"x session id\" is no name for a header");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidSetting {
    /// The source's name is not a token (RFC 9110, section 5.6.2), which the names of headers,
    /// cookies and baggage members are, and here those of query parameters too.
    Source(Source),
    /// That is no name for a header in the response.
    ResponseHeader(String),
    /// The carrier's name is not a token (RFC 9110, section 5.6.2), which the names of headers and
    /// baggage members are.
    Carrier(Carrier),
}

impl fmt::Display for InvalidSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(source) => {
                let (kind, name) = source.parts();
                write!(f, "{name:?} is no name for a {kind}")
            }
            Self::ResponseHeader(name) => write!(f, "{name:?} is no name for a header"),
            Self::Carrier(carrier) => {
                let (kind, name) = carrier.parts();
                write!(f, "{name:?} is no name for a {kind}")
            }
        }
    }
}

impl std::error::Error for InvalidSetting {}

/// Everything that a user sets on a layer or a middleware.
///
/// Adapters hold one, behind the same builder methods ([`settings_methods!`](crate::settings_methods)),
/// and start every request with [`RequestSession::begin`](crate::RequestSession::begin). `N` is the
/// framework's type for the name of a header.
///
/// # Example
///
/// ```
/// use qorrelate_core::{Settings, Source};
///
/// let settings = Settings::<http::HeaderName>::new()
///     .sources([Source::header("X-Session-ID"), Source::baggage()])?;
/// # let _ = settings;
/// # Ok::<(), qorrelate_core::InvalidSetting>(())
/// ```
#[derive(Clone)]
pub struct Settings<N> {
    sources: Vec<ResolvedSource<N>>,
    rules: SessionIdRules,
    on_missing: Policy,
    on_malformed: Policy,
    on_outcome: Option<Arc<Hook>>,
    response_header: Option<Arc<N>>,
    is_public_edge: bool,
    baggage_header: Option<N>,
}

type Hook = dyn Fn(&SessionIdOutcome) + Send + Sync;

impl<N: FromStr> Settings<N> {
    /// The header `X-Session-ID` as the only source, every well-formed ID accepted, nothing
    /// generated, nothing sent back.
    pub fn new() -> Self {
        Self {
            // The default header's name is a token, so there is always one.
            sources: ResolvedSource::new(Source::header(DEFAULT_HEADER)).into_iter().collect(),
            rules: SessionIdRules::new(),
            on_missing: Policy::Ignore,
            on_malformed: Policy::Ignore,
            on_outcome: None,
            response_header: None,
            is_public_edge: false,
            baggage_header: baggage::HEADER.parse().ok(),
        }
    }

    /// Looks in these places, in this order, instead of the header `X-Session-ID`.
    ///
    /// # Errors
    ///
    /// [`InvalidSetting::Source`] if a name cannot be that of such a source.
    pub fn sources(
        mut self,
        sources: impl IntoIterator<Item = Source>,
    ) -> Result<Self, InvalidSetting> {
        self.sources = sources.into_iter().map(ResolvedSource::new).collect::<Result<_, _>>()?;
        Ok(self)
    }

    /// Sends the ID of the request's session back in this header of the response, unless the
    /// response has it already.
    ///
    /// # Errors
    ///
    /// [`InvalidSetting::ResponseHeader`] if no header can have that name.
    pub fn response_header(mut self, name: &str) -> Result<Self, InvalidSetting> {
        let header = name.parse().map_err(|_| InvalidSetting::ResponseHeader(name.to_owned()))?;
        self.response_header = Some(Arc::new(header));
        Ok(self)
    }
}

impl<N> Settings<N> {
    /// Accepts only what these rules accept.
    #[must_use]
    pub fn rules(mut self, rules: SessionIdRules) -> Self {
        self.rules = rules;
        self
    }

    /// What to do if no source has anything. By default [`Policy::Ignore`].
    #[must_use]
    pub fn on_missing(mut self, policy: Policy) -> Self {
        self.on_missing = policy;
        self
    }

    /// What to do if no source has an accepted ID but one has something malformed. By default
    /// [`Policy::Ignore`].
    #[must_use]
    pub fn on_malformed(mut self, policy: Policy) -> Self {
        self.on_malformed = policy;
        self
    }

    /// Calls this once per request with what was found, in the session if there is one. A second
    /// call replaces the first.
    #[must_use]
    pub fn on_outcome(mut self, hook: impl Fn(&SessionIdOutcome) + Send + Sync + 'static) -> Self {
        self.on_outcome = Some(Arc::new(hook));
        self
    }

    /// Trusts what comes in no further than it must: of the sources, only headers are read, and the
    /// `baggage` header is taken out of the request. For a service that clients call directly.
    #[must_use]
    pub fn public_edge(mut self) -> Self {
        self.is_public_edge = true;
        self
    }

    /// What is found in a request; `None` if that is nothing, and nobody wants to know.
    #[inline]
    pub(crate) fn outcome_of<H>(&self, head: &H) -> Option<SessionIdOutcome>
    where
        H: RequestHead<HeaderName = N>,
        N: FromStr,
    {
        let mut malformed = None;
        let is_read =
            |source: &&ResolvedSource<N>| !self.is_public_edge || source.source().is_header();
        for source in self.sources.iter().filter(is_read) {
            match source.read(head, &self.rules) {
                None => {}
                Some(Ok(id)) => {
                    return Some(SessionIdOutcome::Found { id, source: source.source().clone() });
                }
                Some(Err(error)) => {
                    malformed.get_or_insert((source.source(), error));
                }
            }
        }
        Some(match malformed {
            // The common case that must cost nothing.
            None if self.on_missing == Policy::Ignore && !self.reports() => return None,
            None => SessionIdOutcome::Missing { generated: self.on_missing.apply() },
            Some((source, error)) => SessionIdOutcome::Malformed {
                source: source.clone(),
                error,
                generated: self.on_malformed.apply(),
            },
        })
    }

    pub(crate) fn report(&self, outcome: &SessionIdOutcome) {
        outcome.report();
        if let Some(hook) = &self.on_outcome {
            hook(outcome);
        }
    }

    #[inline]
    pub(crate) fn reports(&self) -> bool {
        self.on_outcome.is_some() || tracing::enabled!(target: "qorrelate", tracing::Level::DEBUG)
    }

    /// The header to take out of a request before the inner service is called, if one is not trusted.
    #[inline]
    pub fn header_not_trusted(&self) -> Option<&N> {
        self.baggage_header.as_ref().filter(|_| self.is_public_edge)
    }

    #[inline]
    pub(crate) fn header_for_response(&self) -> Option<Arc<N>> {
        self.response_header.clone()
    }
}

impl<N: FromStr> Default for Settings<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<N: fmt::Debug> fmt::Debug for Settings<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("sources", &self.sources)
            .field("rules", &self.rules)
            .field("on_missing", &self.on_missing)
            .field("on_malformed", &self.on_malformed)
            .field("on_outcome", &self.on_outcome.is_some())
            .field("response_header", &self.response_header)
            .field("is_public_edge", &self.is_public_edge)
            .finish_non_exhaustive()
    }
}

/// The builder methods of a layer or middleware, which are the same in every adapter.
///
/// For adapters: it goes into the `impl` block of a type whose one field is `settings:
/// Arc<Settings<HeaderName>>`. The arguments are the crate and the type, for the examples in the
/// docs.
#[doc(hidden)]
#[macro_export]
macro_rules! settings_methods {
    ($path:literal, $name:literal) => {
        /// Looks for the session ID in these places, in this order, instead of the header
        /// `X-Session-ID`.
        ///
        /// # Errors
        ///
        #[doc = concat!("[`InvalidSetting`](", $path, "::InvalidSetting) if a name cannot be that of such a source.")]
        ///
        /// # Example
        ///
        /// ```
        #[doc = concat!("use ", $path, "::{", $name, ", Source};")]
        ///
        #[doc = concat!("let layer = ", $name, "::new()")]
        ///     .sources([Source::header("X-Session-ID"), Source::baggage()])?;
        /// # let _ = layer;
        #[doc = concat!("# Ok::<(), ", $path, "::InvalidSetting>(())")]
        /// ```
        pub fn sources(
            self,
            sources: impl IntoIterator<Item = $crate::Source>,
        ) -> Result<Self, $crate::InvalidSetting> {
            self.try_set(|settings| settings.sources(sources))
        }

        /// Accepts only what these rules accept, of what is well-formed.
        ///
        /// ```
        #[doc = concat!("use ", $path, "::{", $name, ", SessionIdRules};")]
        ///
        #[doc = concat!("let layer = ", $name, "::new()")]
        ///     .rules(SessionIdRules::new().max_len(36));
        /// # let _ = layer;
        /// ```
        #[must_use]
        pub fn rules(self, rules: $crate::SessionIdRules) -> Self {
            self.set(|settings| settings.rules(rules))
        }

        /// What to do if no source has anything. By default the request goes on in no session.
        ///
        /// ```
        #[doc = concat!("use ", $path, "::{", $name, ", Policy, SessionId};")]
        ///
        /// fn new_id() -> SessionId {
        ///     // or SessionId::new_v7, with the feature `uuid`
        /// #   "made-up".parse().unwrap()
        /// }
        ///
        #[doc = concat!("let layer = ", $name, "::new().on_missing(Policy::Generate(new_id));")]
        /// # let _ = layer;
        /// ```
        #[must_use]
        pub fn on_missing(self, policy: $crate::Policy) -> Self {
            self.set(|settings| settings.on_missing(policy))
        }

        /// What to do if no source has an accepted ID but one has something malformed. By default
        /// it is dropped and the request goes on in no session.
        ///
        /// ```
        #[doc = concat!("use ", $path, "::{", $name, ", Policy};")]
        ///
        #[doc = concat!("let layer = ", $name, "::new().on_malformed(Policy::Ignore);")]
        /// # let _ = layer;
        /// ```
        #[must_use]
        pub fn on_malformed(self, policy: $crate::Policy) -> Self {
            self.set(|settings| settings.on_malformed(policy))
        }

        /// Calls this once per request with what was found, in the session if there is one. Keep it
        /// short: the request waits for it.
        ///
        /// ```
        #[doc = concat!("use ", $path, "::{", $name, ", SessionIdOutcome};")]
        /// use std::sync::atomic::{AtomicUsize, Ordering};
        ///
        /// static MALFORMED: AtomicUsize = AtomicUsize::new(0);
        ///
        #[doc = concat!("let layer = ", $name, "::new().on_outcome(|outcome| {")]
        ///     if let SessionIdOutcome::Malformed { .. } = outcome {
        ///         MALFORMED.fetch_add(1, Ordering::Relaxed);
        ///     }
        /// });
        /// # let _ = layer;
        /// ```
        #[must_use]
        pub fn on_outcome(
            self,
            hook: impl Fn(&$crate::SessionIdOutcome) + Send + Sync + 'static,
        ) -> Self {
            self.set(|settings| settings.on_outcome(hook))
        }

        /// Sends the ID of the request's session back in this header of the response. A response
        /// that has the header already keeps it. For a browser to read it across origins, the API
        /// must name it in `Access-Control-Expose-Headers`.
        ///
        /// # Errors
        ///
        #[doc = concat!("[`InvalidSetting`](", $path, "::InvalidSetting) if no header can have that name.")]
        ///
        /// # Example
        ///
        /// ```
        #[doc = concat!("use ", $path, "::", $name, ";")]
        ///
        #[doc = concat!("let layer = ", $name, "::new().response_header(\"X-Session-ID\")?;")]
        /// # let _ = layer;
        #[doc = concat!("# Ok::<(), ", $path, "::InvalidSetting>(())")]
        /// ```
        pub fn response_header(self, name: &str) -> Result<Self, $crate::InvalidSetting> {
            self.try_set(|settings| settings.response_header(name))
        }

        /// For a service that browsers and other clients call directly: of the sources, only headers
        /// are read, and the `baggage` header is taken out of each request before anything further in
        /// sees it. So a client cannot put a session, or anything else, into the baggage that this
        /// service hands on; and a service behind it may trust the baggage that it gets.
        ///
        /// Without this, as is right on an internal hop, all sources that are named are read, and
        /// baggage goes on. **In either case the session ID is a claim, not an identity:** the header
        /// comes from the client too.
        ///
        /// ```
        #[doc = concat!("use ", $path, "::{", $name, ", Source};")]
        ///
        /// # let is_public = true;
        /// // One set-up for all services of a system.
        #[doc = concat!("let mut layer = ", $name, "::new()")]
        ///     .sources([Source::header("X-Session-ID"), Source::baggage()])?;
        /// if is_public {
        ///     layer = layer.public_edge();
        /// }
        #[doc = concat!("# Ok::<(), ", $path, "::InvalidSetting>(())")]
        /// ```
        #[must_use]
        pub fn public_edge(self) -> Self {
            self.set(|settings| settings.public_edge())
        }

        fn set(
            self,
            change: impl FnOnce($crate::Settings<HeaderName>) -> $crate::Settings<HeaderName>,
        ) -> Self {
            let settings = change(std::sync::Arc::unwrap_or_clone(self.settings));
            Self { settings: std::sync::Arc::new(settings) }
        }

        fn try_set(
            self,
            change: impl FnOnce(
                $crate::Settings<HeaderName>,
            ) -> Result<$crate::Settings<HeaderName>, $crate::InvalidSetting>,
        ) -> Result<Self, $crate::InvalidSetting> {
            let settings = change(std::sync::Arc::unwrap_or_clone(self.settings))?;
            Ok(Self { settings: std::sync::Arc::new(settings) })
        }
    };
}
