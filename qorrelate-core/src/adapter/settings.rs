//! What a user sets on a layer or a middleware.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::session_cookie::{CookieToSet, SessionCookie};
use crate::id::{ParseSessionIdError, SessionId, SessionIdRules};
use crate::inbound::{
    Finding, InvalidSetting, InvalidSettingReason, Policy, RequestHead, RequestView,
    ResolvedSource, Search, SessionIdOutcome, Source, baggage,
};
use crate::telemetry::{expect_to_label_open_spans, versions};

/// Everything that a user sets on a layer or a middleware.
///
/// Adapters hold one behind the builder methods of `settings_methods!`, and start every request with
/// [`RequestSession::begin`](super::RequestSession::begin). `N` is the framework's type for the name of a
/// header.
///
/// # Example
///
/// ```
/// use qorrelate_core::Source;
/// use qorrelate_core::adapter::Settings;
///
/// let settings = Settings::<http::HeaderName>::new()
///     .sources([Source::header("X-Session-ID"), Source::baggage()])?;
/// # let _ = settings;
/// # Ok::<(), qorrelate_core::InvalidSetting>(())
/// ```
#[derive(Clone)]
pub struct Settings<N> {
    search: Search<N>,
    on_missing: Policy,
    on_malformed: Policy,
    on_outcome: Option<Arc<Hook>>,
    keep_marked: Option<ResolvedSource<N>>,
    response_header: Option<N>,
    kept_header: Option<N>,
    cookie: Option<SessionCookie>,
    is_public_edge: bool,
    baggage_header: Option<N>,
    inserts_extension: bool,
    tags_current_span: bool,
    opentelemetry: versions::Settings,
}

type Hook = dyn Fn(&SessionIdOutcome, &dyn RequestView) + Send + Sync;

/// Why a request has no session ID.
pub(super) type NotFound = Option<(Source, ParseSessionIdError)>;

impl<N: FromStr + Clone> Settings<N> {
    /// The header `X-Session-ID` as the only source, every well-formed ID accepted, nothing
    /// generated, nothing sent back.
    pub fn new() -> Self {
        Self {
            search: Search::new(),
            on_missing: Policy::Ignore,
            on_malformed: Policy::Ignore,
            on_outcome: None,
            keep_marked: None,
            response_header: None,
            kept_header: None,
            cookie: None,
            is_public_edge: false,
            baggage_header: baggage::HEADER.parse().ok(),
            inserts_extension: false,
            tags_current_span: false,
            opentelemetry: versions::Settings::default(),
        }
    }

    /// See the method of that name in `settings_methods!`, as for all below.
    ///
    /// # Errors
    ///
    /// [`InvalidSetting`] if there are none, if a name cannot be that of such a source, or if the header
    /// holds credentials.
    pub fn sources(
        mut self,
        sources: impl IntoIterator<Item = Source>,
    ) -> Result<Self, InvalidSetting> {
        self.search = self.search.sources(sources)?;
        if self.search.has_labels() {
            expect_to_label_open_spans();
        }
        Ok(self)
    }

    #[allow(missing_docs, reason = "see settings_methods!")]
    pub fn response_header(mut self, name: &str) -> Result<Self, InvalidSetting> {
        self.response_header = Some(header(name)?);
        Ok(self)
    }

    #[allow(missing_docs, reason = "see settings_methods!")]
    pub fn kept_header(mut self, name: &str) -> Result<Self, InvalidSetting> {
        self.kept_header = Some(header(name)?);
        Ok(self)
    }

    #[allow(missing_docs, reason = "see settings_methods!")]
    pub fn keep_marked(mut self, mark: Source) -> Result<Self, InvalidSetting> {
        self.keep_marked = Some(ResolvedSource::new(mark)?);
        Ok(self)
    }

    #[allow(missing_docs, reason = "see settings_methods!")]
    pub fn request_headers(&self) -> Vec<N>
    where
        N: PartialEq,
    {
        self.search.request_headers()
    }

    /// Looks for the ID. What was malformed is told if none is found.
    #[inline]
    pub(super) fn search<H>(&self, head: &H) -> Result<SessionIdOutcome, NotFound>
    where
        H: RequestHead<HeaderName = N>,
    {
        match self
            .search
            .run(head, |source| !self.is_public_edge || source.is_read_at_public_edge())
        {
            Finding::Found(id, source) => {
                if let Some(mark) = &self.keep_marked {
                    self.keep_if_marked(&id, mark, head);
                }
                Ok(SessionIdOutcome::Found { id, source })
            }
            Finding::Nothing => Err(None),
            Finding::Malformed(source, error) => Err(Some((source, error))),
        }
    }

    /// At the public edge nobody is trusted to say so.
    #[cold]
    fn keep_if_marked<H>(&self, id: &SessionId, mark: &ResolvedSource<N>, head: &H)
    where
        H: RequestHead<HeaderName = N>,
    {
        if !self.is_public_edge && matches!(mark.read(head, &SessionIdRules::new()), Some(Ok(_))) {
            id.keep();
        }
    }
}

#[allow(missing_docs, reason = "see settings_methods!")]
impl<N> Settings<N> {
    #[must_use]
    pub fn rules(mut self, rules: SessionIdRules) -> Self {
        self.search.rules = rules;
        self
    }

    #[must_use]
    pub fn on_missing(mut self, policy: Policy) -> Self {
        self.on_missing = policy;
        self
    }

    #[must_use]
    pub fn on_malformed(mut self, policy: Policy) -> Self {
        self.on_malformed = policy;
        self
    }

    #[must_use]
    pub fn on_outcome(
        mut self,
        hook: impl Fn(&SessionIdOutcome, &dyn RequestView) + Send + Sync + 'static,
    ) -> Self {
        self.on_outcome = Some(Arc::new(hook));
        self
    }

    #[allow(clippy::missing_errors_doc, reason = "see settings_methods!")]
    pub fn set_cookie(mut self, cookie: SessionCookie) -> Result<Self, InvalidSetting> {
        self.cookie = Some(cookie.checked()?);
        Ok(self)
    }

    #[must_use]
    pub fn public_edge(mut self) -> Self {
        self.is_public_edge = true;
        self
    }

    #[must_use]
    pub fn insert_extension(mut self, insert: bool) -> Self {
        self.inserts_extension = insert;
        self
    }

    #[must_use]
    pub fn tag_current_span(mut self, tag: bool) -> Self {
        self.tags_current_span = tag;
        if tag {
            expect_to_label_open_spans();
        }
        self
    }

    #[cfg(feature = "opentelemetry_0_32")]
    #[must_use]
    pub fn opentelemetry_0_32_context(mut self, attach: bool) -> Self {
        self.opentelemetry.opentelemetry_0_32.context = attach;
        self
    }

    #[cfg(feature = "opentelemetry_0_33")]
    #[must_use]
    pub fn opentelemetry_0_33_context(mut self, attach: bool) -> Self {
        self.opentelemetry.opentelemetry_0_33.context = attach;
        self
    }

    #[cfg(feature = "opentelemetry_0_32")]
    #[must_use]
    pub fn tag_opentelemetry_0_32_span(mut self, tag: bool) -> Self {
        self.opentelemetry.opentelemetry_0_32.tag_active_span = tag;
        self
    }

    #[cfg(feature = "opentelemetry_0_33")]
    #[must_use]
    pub fn tag_opentelemetry_0_33_span(mut self, tag: bool) -> Self {
        self.opentelemetry.opentelemetry_0_33.tag_active_span = tag;
        self
    }

    /// The headers to mark as sensitive before the inner service is called: they hold a credential besides
    /// the session ID, which no log or error report further in should show.
    #[inline]
    pub fn sensitive_headers(&self) -> &[N] {
        &self.search.secret_headers
    }

    /// The header to take out of a request before the inner service is called, if one is not trusted.
    #[inline]
    pub fn header_not_trusted(&self) -> Option<&N> {
        self.baggage_header.as_ref().filter(|_| self.is_public_edge)
    }

    /// The header of the response that the ID is sent back in, if any.
    #[inline]
    pub const fn header_for_response(&self) -> Option<&N> {
        self.response_header.as_ref()
    }

    /// The header that tells that the session is kept, if it is. Its value is `1`.
    pub fn header_for_kept(&self, outcome: &SessionIdOutcome) -> Option<&N> {
        let header = self.kept_header.as_ref()?;
        outcome.session_id()?.is_kept().then_some(header)
    }

    /// The cookie for the response, if it is a page: for a request whose session was generated, if the
    /// user asked for it.
    pub fn cookie_to_set(&self, outcome: &SessionIdOutcome) -> Option<CookieToSet> {
        let cookie = self.cookie.as_ref()?;
        match outcome {
            SessionIdOutcome::Found { .. } => None,
            SessionIdOutcome::Missing { generated }
            | SessionIdOutcome::Malformed { generated, .. } => {
                generated.as_ref().map(|id| cookie.to_set(id))
            }
        }
    }

    /// Whether there is anything to put on a response: a header or a cookie.
    #[inline]
    pub const fn changes_response(&self) -> bool {
        self.response_header.is_some() || self.kept_header.is_some() || self.cookie.is_some()
    }

    #[inline]
    pub(super) const fn inserts_extension(&self) -> bool {
        self.inserts_extension
    }

    #[inline]
    pub(super) const fn tags_current_span(&self) -> bool {
        self.tags_current_span
    }

    #[inline]
    pub(super) const fn opentelemetry(&self) -> versions::Settings {
        self.opentelemetry
    }

    /// The outcome for a request in which no ID was found.
    #[inline]
    pub(super) fn without(&self, not_found: NotFound) -> SessionIdOutcome {
        match not_found {
            None => SessionIdOutcome::Missing { generated: self.on_missing.apply() },
            Some((source, error)) => {
                SessionIdOutcome::Malformed { source, error, generated: self.on_malformed.apply() }
            }
        }
    }

    /// Whether anybody wants to know the outcome of each request.
    #[inline]
    pub(super) fn reports(&self) -> bool {
        self.on_outcome.is_some() || tracing::enabled!(target: "qorrelate", tracing::Level::DEBUG)
    }

    pub(super) fn report<H: RequestHead>(&self, outcome: &SessionIdOutcome, head: &H) {
        outcome.log();
        if let Some(hook) = &self.on_outcome {
            hook(outcome, head);
        }
    }
}

fn header<N: FromStr>(name: &str) -> Result<N, InvalidSetting> {
    let invalid = |_| InvalidSetting::new("header", name, InvalidSettingReason::NotAToken);
    name.parse().map_err(invalid)
}

impl<N: FromStr + Clone> Default for Settings<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<N: fmt::Debug> fmt::Debug for Settings<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("search", &self.search)
            .field("on_missing", &self.on_missing)
            .field("on_malformed", &self.on_malformed)
            .field("on_outcome", &self.on_outcome.is_some())
            .field("keep_marked", &self.keep_marked)
            .field("response_header", &self.response_header)
            .field("kept_header", &self.kept_header)
            .field("cookie", &self.cookie)
            .field("is_public_edge", &self.is_public_edge)
            .field("inserts_extension", &self.inserts_extension)
            .field("tags_current_span", &self.tags_current_span)
            .field("opentelemetry", &self.opentelemetry)
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
        #[doc = concat!("[`InvalidSetting`](", $path, "::InvalidSetting) if there are no sources, if a name is not valid for its source, or if the header holds credentials.")]
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

        /// What `Access-Control-Allow-Headers` must list for browsers to send the session ID across
        /// origins: the sources' headers, and what their recorders add besides.
        ///
        /// ```
        #[doc = concat!("use ", $path, "::{", $name, ", Source};")]
        ///
        #[doc = concat!("let layer = ", $name, "::new().sources([Source::highlight()])?;")]
        /// assert_eq!(layer.request_headers(), ["x-highlight-request", "traceparent"]);
        #[doc = concat!("# Ok::<(), ", $path, "::InvalidSetting>(())")]
        /// ```
        pub fn request_headers(&self) -> Vec<HeaderName> {
            self.settings.request_headers()
        }

        /// Accepts only the well-formed IDs that these rules accept.
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

        /// What to do if no source has anything. By default the request is handled without a session.
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
        /// it is ignored and the request is handled without a session.
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

        /// Calls this once per request, with what was found and the head of the request. It runs in the
        /// session, if there is one. Keep it short: the request waits for it. A second call replaces the first.
        ///
        /// ```
        #[doc = concat!("use ", $path, "::{", $name, ", SessionIdOutcome};")]
        /// use std::sync::atomic::{AtomicUsize, Ordering};
        ///
        /// static MALFORMED: AtomicUsize = AtomicUsize::new(0);
        ///
        #[doc = concat!("let layer = ", $name, "::new().on_outcome(|outcome, _request| {")]
        ///     if let SessionIdOutcome::Malformed { .. } = outcome {
        ///         MALFORMED.fetch_add(1, Ordering::Relaxed);
        ///     }
        /// });
        /// # let _ = layer;
        /// ```
        #[must_use]
        pub fn on_outcome(
            self,
            hook: impl Fn(&$crate::SessionIdOutcome, &dyn $crate::RequestView)
            + Send
            + Sync
            + 'static,
        ) -> Self {
            self.set(|settings| settings.on_outcome(hook))
        }

        /// Sends the ID of the request's session back in this header of the response. A response
        /// that has the header already keeps it. For a browser to read it across origins, the API
        /// must name it in `Access-Control-Expose-Headers`.
        ///
        /// **A response that a shared cache may store must not carry it**, or the cache hands one
        /// user's session ID to the next. Send `Cache-Control: private` or `no-store` with it (RFC 9111,
        /// section 5.2.2), or don't set this.
        ///
        /// tower-http's `PropagateHeaderLayer` and `PropagateRequestIdLayer` copy a header to the response, as
        /// this does. *Propagate* means the other way here: to the services that are called.
        ///
        /// # Errors
        ///
        #[doc = concat!("[`InvalidSetting`](", $path, "::InvalidSetting) if it is not a valid header name.")]
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

        /// Tells the page that this process keeps the session: this header of the response is `1` if
        /// [`SessionId::is_kept`](crate::SessionId::is_kept) says so when the response starts, because the
        /// session met an error or somebody asked for it. A recorder that samples can then start to record,
        /// or send what it has.
        ///
        /// An error becomes known when its span ends. The span of the request itself ends after its response
        /// has started, so a session that fails there for the first time is told with the next response.
        ///
        /// For a page to read it across origins, the API must name it in `Access-Control-Expose-Headers`. A
        /// response that has the header already keeps it. What is said of caches at
        /// [`response_header`](Self::response_header) holds here too.
        ///
        /// # Errors
        ///
        #[doc = concat!("[`InvalidSetting`](", $path, "::InvalidSetting) if it is not a valid header name.")]
        ///
        /// # Example
        ///
        /// ```
        #[doc = concat!("use ", $path, "::", $name, ";")]
        ///
        #[doc = concat!("let layer = ", $name, "::new().kept_header(\"X-Session-Kept\")?;")]
        /// # let _ = layer;
        #[doc = concat!("# Ok::<(), ", $path, "::InvalidSetting>(())")]
        /// ```
        pub fn kept_header(self, name: &str) -> Result<Self, $crate::InvalidSetting> {
            self.try_set(|settings| settings.kept_header(name))
        }

        /// Takes a session that was generated ([`on_missing`](Self::on_missing),
        /// [`on_malformed`](Self::on_malformed)) to the browser: a response that is HTML also sets this
        /// cookie, beside those that it sets itself. From then on navigations, images, forms and pages
        /// that are rendered here belong to the session, and the script for browsers takes the ID over
        /// if it is told of the cookie (`data-cookie="qsid"`).
        ///
        /// Read the cookie too, or each request gets a new session: with `Source::cookie`, and
        /// `read_at_public_edge` where
        /// [`public_edge`](Self::public_edge) is set. A response that is not HTML, or sets a cookie of
        /// that name itself, is left as it is. So is the answer to a request that came with an ID: the
        /// server does not renew the cookie, the script does while the page is used. Without it a
        /// session ends when the cookie is too old.
        ///
        /// **A page that a shared cache may store must not set it**, or the cache hands one user's
        /// session ID to all others: `Set-Cookie` does not keep a cache from storing a response (RFC
        /// 9111, section 7.3). Send `Cache-Control: private` or `no-store` with pages, or don't set this.
        /// Ask your users first where the law wants that for cookies.
        ///
        /// # Errors
        ///
        #[doc = concat!("[`InvalidSetting`](", $path, "::InvalidSetting) if it is not a valid name for a cookie.")]
        ///
        /// # Example
        ///
        /// ```
        #[doc = concat!("use ", $path, "::{", $name, ", Policy, SessionCookie, SessionId, Source};")]
        ///
        /// fn new_id() -> SessionId {
        ///     // or SessionId::new_v7, with the feature `uuid`
        /// #   "made-up".parse().unwrap()
        /// }
        ///
        #[doc = concat!("let layer = ", $name, "::new()")]
        ///     .sources([
        ///         Source::header("X-Session-ID"),
        ///         Source::cookie("qsid").read_at_public_edge(),
        ///     ])?
        ///     .on_missing(Policy::Generate(new_id))
        ///     .on_malformed(Policy::Generate(new_id))
        ///     .set_cookie(SessionCookie::new("qsid"))?
        ///     .public_edge();
        /// # let _ = layer;
        #[doc = concat!("# Ok::<(), ", $path, "::InvalidSetting>(())")]
        /// ```
        pub fn set_cookie(
            self,
            cookie: $crate::SessionCookie,
        ) -> Result<Self, $crate::InvalidSetting> {
            self.try_set(|settings| settings.set_cookie(cookie))
        }

        /// For a service that browsers and other clients call directly. The `baggage` header is removed from
        /// each request before inner layers see it: clients can't add to the baggage that this service
        /// forwards, and the services behind it can trust the baggage they get.
        ///
        /// These sources are read: headers, presets for recorders that send a header or baggage, and whatever
        /// says
        #[doc = concat!("[`read_at_public_edge`](", $path, "::Source::read_at_public_edge).")]
        ///
        /// Without this, as is right on an internal hop, all sources are read, and baggage stays. **Either
        /// way, the session ID is a claim, not an identity:** it comes from the client.
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

        /// Keeps the session of a request that has this mark, whatever its value: all that this process does
        /// for it in the next 30 minutes is sampled, and what a tail processor holds of it is exported. See
        /// [`SessionId::keep`](crate::SessionId::keep).
        ///
        /// For internal hops: the service in front marks its calls (`mark_kept` of the client layers) when the
        /// session met an error there, or when somebody asked for it. **With
        /// [`public_edge`](Self::public_edge) no mark is read**: a client could make the service export all
        /// it does.
        ///
        /// # Errors
        ///
        #[doc = concat!("[`InvalidSetting`](", $path, "::InvalidSetting) if the name is not valid for its source.")]
        ///
        /// # Example
        ///
        /// ```
        #[doc = concat!("use ", $path, "::{", $name, ", Source};")]
        ///
        #[doc = concat!("let layer = ", $name, "::new().keep_marked(Source::header(\"X-Session-Keep\"))?;")]
        /// # let _ = layer;
        #[doc = concat!("# Ok::<(), ", $path, "::InvalidSetting>(())")]
        /// ```
        pub fn keep_marked(self, mark: $crate::Source) -> Result<Self, $crate::InvalidSetting> {
            self.try_set(|settings| settings.keep_marked(mark))
        }

        /// Puts the outcome, and the [`SessionId`](crate::SessionId) if there is one, into the request's
        /// extensions. It is off by default, because it costs allocations.
        ///
        /// For requests that are handled in another task, as behind tower's `Buffer`: the extensions travel
        /// with the request. The layer that requires a session, the extractors, the client layers and
        /// `SessionMakeSpan` read them.
        ///
        /// ```
        #[doc = concat!("use ", $path, "::", $name, ";")]
        ///
        #[doc = concat!("let layer = ", $name, "::new().insert_extension(true);")]
        /// # let _ = layer;
        /// ```
        #[must_use]
        pub fn insert_extension(self, insert: bool) -> Self {
            self.set(|settings| settings.insert_extension(insert))
        }

        /// Says that this is *inside* the tracing layer: the `tracing` span that is current when the inner
        /// service is polled is the request's, and gets the session. It is off by default, because an open
        /// span may be a connection's, and serve many sessions.
        ///
        /// A span that declares the field `session.id` and has no value for it yet is tagged without this
        /// too. Either way, [`carry_session`](crate::carry_session) must be in the subscriber, to tell whose
        /// span it is.
        ///
        /// ```
        #[doc = concat!("use ", $path, "::", $name, ";")]
        ///
        #[doc = concat!("let layer = ", $name, "::new().tag_current_span(true);")]
        /// # let _ = layer;
        /// ```
        #[must_use]
        pub fn tag_current_span(self, tag: bool) -> Self {
            self.set(|settings| settings.tag_current_span(tag))
        }

        $crate::settings_methods!(
            @opentelemetry $path, $name, "opentelemetry_0_32",
            opentelemetry_0_32_context, "opentelemetry_0_32_context",
            tag_opentelemetry_0_32_span, "tag_opentelemetry_0_32_span"
        );
        $crate::settings_methods!(
            @opentelemetry $path, $name, "opentelemetry_0_33",
            opentelemetry_0_33_context, "opentelemetry_0_33_context",
            tag_opentelemetry_0_33_span, "tag_opentelemetry_0_33_span"
        );

        fn set(
            self,
            change: impl FnOnce($crate::adapter::Settings<HeaderName>) -> $crate::adapter::Settings<HeaderName>,
        ) -> Self {
            let settings = change(std::sync::Arc::unwrap_or_clone(self.settings));
            Self { settings: std::sync::Arc::new(settings) }
        }

        fn try_set(
            self,
            change: impl FnOnce(
                $crate::adapter::Settings<HeaderName>,
            ) -> Result<$crate::adapter::Settings<HeaderName>, $crate::InvalidSetting>,
        ) -> Result<Self, $crate::InvalidSetting> {
            let settings = change(std::sync::Arc::unwrap_or_clone(self.settings))?;
            Ok(Self { settings: std::sync::Arc::new(settings) })
        }
    };
    (
        @opentelemetry $path:literal, $name:literal, $module:literal,
        $context:ident, $context_name:literal, $span:ident, $span_name:literal
    ) => {
        #[doc = concat!("Puts the session into the current context of `", $module, "`: for code that uses")]
        /// OpenTelemetry without `tracing`, such as tasks spawned with `.with_current_context()`. It is
        /// off by default, because it costs three allocations whenever the inner service is called and
        /// on every poll: the context is made anew from what is current. Both are needed: some layers take
        /// the context that is current when they are called, and make it current again on each poll.
        ///
        /// ```
        #[doc = concat!("use ", $path, "::", $name, ";")]
        ///
        #[doc = concat!("let layer = ", $name, "::new().", $context_name, "(true);")]
        /// # let _ = layer;
        /// ```
        #[cfg(feature = $module)]
        #[must_use]
        pub fn $context(self, attach: bool) -> Self {
            self.set(|settings| settings.$context(attach))
        }

        #[doc = concat!("Says that this is *inside* a layer that uses `", $module, "` without `tracing`:")]
        /// the OpenTelemetry span that is active when the inner service is polled is the request's, and
        /// gets the session. It is off by default, because the active span may be a connection's.
        ///
        /// ```
        #[doc = concat!("use ", $path, "::", $name, ";")]
        ///
        #[doc = concat!("let layer = ", $name, "::new().", $span_name, "(true);")]
        /// # let _ = layer;
        /// ```
        #[cfg(feature = $module)]
        #[must_use]
        pub fn $span(self, tag: bool) -> Self {
            self.set(|settings| settings.$span(tag))
        }
    };
}
