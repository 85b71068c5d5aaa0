//! Forwarding the session to another service: whether, and in what.

use std::str::FromStr;

use super::baggage;
use super::carrier::Carrier;
use super::hints::{self, Hints};
use super::hosts::{Hosts, InvalidHost, Origin, Target};
use super::resolved_carrier::ResolvedCarrier;
use crate::id::SessionId;
use crate::inbound::{InvalidSetting, SessionIdOutcome};

/// The headers of a request that is about to be sent, as an adapter shows them to core.
///
/// # Example
///
/// ```
/// use qorrelate_core::adapter::OutboundHeaders;
///
/// struct Headers<'a>(&'a mut http::HeaderMap);
///
/// impl OutboundHeaders for Headers<'_> {
///     type HeaderName = http::HeaderName;
///
///     fn values(&self, name: &http::HeaderName) -> impl Iterator<Item = &[u8]> {
///         self.0.get_all(name).iter().map(|value| value.as_bytes())
///     }
///
///     fn set(&mut self, name: &http::HeaderName, value: &[u8]) {
///         if let Ok(value) = http::HeaderValue::from_bytes(value) {
///             self.0.insert(name.clone(), value);
///         }
///     }
///
///     fn remove(&mut self, name: &http::HeaderName) {
///         self.0.remove(name);
///     }
/// }
/// ```
pub trait OutboundHeaders {
    /// The framework's type for the name of a header.
    type HeaderName: FromStr;

    /// The values of all header lines of that name, in order.
    fn values(&self, name: &Self::HeaderName) -> impl Iterator<Item = &[u8]>;

    /// Makes this the only value of that header.
    fn set(&mut self, name: &Self::HeaderName, value: &[u8]);

    /// Removes all header lines of that name.
    fn remove(&mut self, name: &Self::HeaderName);
}

/// The session that comes with an outgoing request, if any.
///
/// # Example
///
/// ```
/// use qorrelate_core::SessionIdOutcome;
/// use qorrelate_core::adapter::Given;
///
/// # let extensions = http::Extensions::new();
/// let given = Given::new(extensions.get(), extensions.get());
/// ```
#[derive(Debug, Clone, Default)]
pub struct Given(Option<Option<SessionId>>);

impl Given {
    /// What a request's extensions hold: the ID, else the outcome that a session layer has put there. An
    /// outcome without a session is an answer too: then the request has none, whichever is current.
    ///
    /// With neither, and by [`default`](Self::default), the current session counts.
    pub fn new(id: Option<&SessionId>, outcome: Option<&SessionIdOutcome>) -> Self {
        let id = id.map(|id| Some(id.clone()));
        Self(id.or_else(|| outcome.map(|outcome| outcome.session_id().cloned())))
    }
}

/// Everything that a user sets on a client layer, and what it does to a request.
///
/// Adapters hold one, behind the same builder methods (`propagation_methods!`). `N` is the framework's
/// type for the name of a header.
///
/// # Example
///
/// ```
/// use qorrelate_core::adapter::{Given, Propagation, Target};
/// use qorrelate_core::{Hosts, SessionId};
///
/// # use qorrelate_core::adapter::OutboundHeaders;
/// # struct Headers<'a>(&'a mut http::HeaderMap);
/// # impl OutboundHeaders for Headers<'_> {
/// #     type HeaderName = http::HeaderName;
/// #     fn values(&self, name: &http::HeaderName) -> impl Iterator<Item = &[u8]> {
/// #         self.0.get_all(name).iter().map(|value| value.as_bytes())
/// #     }
/// #     fn set(&mut self, name: &http::HeaderName, value: &[u8]) {
/// #         if let Ok(value) = http::HeaderValue::from_bytes(value) {
/// #             self.0.insert(name.clone(), value);
/// #         }
/// #     }
/// #     fn remove(&mut self, name: &http::HeaderName) {
/// #         self.0.remove(name);
/// #     }
/// # }
/// let propagation = Propagation::<http::HeaderName>::new(Hosts::named(["payments.internal"])?);
/// let id: SessionId = "abc".parse()?;
///
/// let mut headers = http::HeaderMap::new();
/// let payments = Target::new("https", "payments.internal", None);
/// let given = Given::new(Some(&id), None);
/// propagation.apply(Some(payments), given.clone(), &mut Headers(&mut headers));
/// assert_eq!(headers["x-session-id"], "abc");
///
/// let mut headers = http::HeaderMap::new();
/// let other = Target::new("https", "example.com", None);
/// propagation.apply(Some(other), given, &mut Headers(&mut headers));
/// assert!(headers.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Propagation<N> {
    hosts: Hosts,
    carriers: Vec<ResolvedCarrier<N>>,
    /// What says that the session is kept.
    mark: Option<ResolvedCarrier<N>>,
    remove_from_others: bool,
    /// Where a request without a host goes.
    origin: Option<Origin>,
    hints: Hints,
}

impl<N: FromStr> Propagation<N> {
    /// Sends the header `X-Session-ID` to these hosts.
    pub fn new(hosts: Hosts) -> Self {
        let carriers = ResolvedCarrier::default_list();
        Self {
            hosts,
            carriers,
            mark: None,
            remove_from_others: false,
            origin: None,
            hints: Hints::default(),
        }
    }

    /// Sends the session ID in all of these, instead of in the header `X-Session-ID`.
    ///
    /// # Errors
    ///
    /// [`InvalidSetting`] if there are none, if a name is not valid, or if the header is for credentials.
    pub fn carriers(
        mut self,
        carriers: impl IntoIterator<Item = Carrier>,
    ) -> Result<Self, InvalidSetting> {
        self.carriers = ResolvedCarrier::list(&carriers.into_iter().collect::<Vec<_>>())?;
        Ok(self)
    }

    /// Marks the requests of sessions that are kept.
    ///
    /// # Errors
    ///
    /// [`InvalidSetting`] if the name is not valid, or if the header is for credentials.
    pub fn mark_kept(mut self, mark: Carrier) -> Result<Self, InvalidSetting> {
        self.mark = Some(ResolvedCarrier::new(&mark)?);
        Ok(self)
    }
}

impl<N> Propagation<N> {
    /// Where requests go whose URI has no host.
    ///
    /// # Errors
    ///
    /// [`InvalidHost`] if it is not a scheme and a host.
    pub fn origin(mut self, origin: &str) -> Result<Self, InvalidHost> {
        self.origin = Some(Origin::parse(origin)?);
        Ok(self)
    }

    /// Takes the carriers out of requests to all other hosts.
    #[must_use]
    pub fn remove_from_others(mut self) -> Self {
        self.remove_from_others = true;
        self
    }

    /// Whether a request to that target may carry the session ID. Without a target, and without an
    /// [`origin`](Self::origin), it may not, whatever the list is.
    pub fn names(&self, target: Option<Target<'_>>) -> bool {
        self.target(target).is_some_and(|target| self.hosts.contains(target))
    }

    fn target<'a>(&'a self, target: Option<Target<'a>>) -> Option<Target<'a>> {
        target.or_else(|| self.origin.as_ref().map(Origin::target))
    }

    /// Puts the session ID into a request to a host on the list: the one given, else that of the current
    /// session. Without a session the request is left as it is.
    ///
    /// A request to any other host, or to one that is not known, is left as it is too, or has the
    /// carriers taken out of it.
    pub fn apply<H: OutboundHeaders<HeaderName = N>>(
        &self,
        target: Option<Target<'_>>,
        Given(given): Given,
        headers: &mut H,
    ) {
        let is_given = given.is_some();
        let id = given.unwrap_or_else(SessionId::current);
        if id.is_none() {
            if !is_given {
                hints::no_session(|| self.names(target));
            }
            if !self.remove_from_others {
                return;
            }
        }
        let target = self.target(target);
        match (target, &id) {
            (Some(target), _) if self.hosts.contains(target) => {
                if let Some(id) = &id {
                    self.set(id, headers);
                }
                return;
            }
            (Some(target), Some(_)) => self.hints.host_is_not_named(target),
            (None, Some(_)) => self.hints.host_is_unknown(),
            (_, None) => {}
        }
        if self.remove_from_others {
            self.remove(headers);
        }
    }

    fn set<H: OutboundHeaders<HeaderName = N>>(&self, id: &SessionId, headers: &mut H) {
        for carrier in &self.carriers {
            set(carrier, id.as_str(), headers);
        }
        match &self.mark {
            Some(mark) if id.is_kept() => set(mark, MARK, headers),
            Some(stale) => remove(stale, headers),
            None => {}
        }
    }

    fn remove<H: OutboundHeaders<HeaderName = N>>(&self, headers: &mut H) {
        for carrier in self.carriers.iter().chain(&self.mark) {
            remove(carrier, headers);
        }
    }
}

/// What a mark says. Whoever reads it asks only whether it is there.
const MARK: &str = "1";

fn set<H: OutboundHeaders>(
    ResolvedCarrier { header, baggage_key }: &ResolvedCarrier<H::HeaderName>,
    value: &str,
    headers: &mut H,
) {
    match baggage_key {
        None => headers.set(header, value.as_bytes()),
        Some(key) => match baggage::with_member(headers.values(header), key, value) {
            Some(line) => headers.set(header, &line),
            // A stale one goes all the same.
            None => remove_member(headers, header, key),
        },
    }
}

fn remove<H: OutboundHeaders>(
    ResolvedCarrier { header, baggage_key }: &ResolvedCarrier<H::HeaderName>,
    headers: &mut H,
) {
    match baggage_key {
        None => headers.remove(header),
        Some(key) => remove_member(headers, header, key),
    }
}

/// Leaves a header without that member just as it is.
fn remove_member<H: OutboundHeaders>(headers: &mut H, header: &H::HeaderName, key: &str) {
    if baggage::contains(headers.values(header), key) {
        match baggage::without_member(headers.values(header), key) {
            Some(line) => headers.set(header, &line),
            None => headers.remove(header),
        }
    }
}

/// The builder methods of a client layer, which are the same in every adapter.
///
/// For adapters: it goes into the `impl` block of a type whose one field is `propagation:
/// Arc<Propagation<HeaderName>>`. The arguments are the crate and the type, for the examples in the
/// docs.
#[doc(hidden)]
#[macro_export]
macro_rules! propagation_methods {
    ($path:literal, $name:literal) => {
        /// Forwards the session only to the hosts on this list: names (`payments.internal`), names below
        /// another (`*.example.com`), addresses (`10.0.0.7`, `[::1]`), each at any port or, as in
        /// `localhost:8080`, at that one.
        #[doc = concat!("[`Hosts`](", $path, "::Hosts) says how hosts are compared.")]
        ///
        /// # Errors
        ///
        #[doc = concat!("[`InvalidHost`](", $path, "::InvalidHost) if a pattern is not valid, or if there are none.")]
        ///
        /// # Example
        ///
        /// ```
        #[doc = concat!("use ", $path, "::", $name, ";")]
        ///
        #[doc = concat!("let client = ", $name, "::to_hosts([\"payments.internal\", \"*.example.com\"])?;")]
        /// # let _ = client;
        #[doc = concat!("# Ok::<(), ", $path, "::InvalidHost>(())")]
        /// ```
        pub fn to_hosts<P: AsRef<str>>(
            patterns: impl IntoIterator<Item = P>,
        ) -> Result<Self, $crate::InvalidHost> {
            Ok(Self::to($crate::Hosts::named(patterns)?))
        }

        /// Forwards the session to whatever host a request goes to, redirects included: for a client that
        /// calls only your own services.
        ///
        /// ```
        #[doc = concat!("use ", $path, "::", $name, ";")]
        ///
        #[doc = concat!("let client = ", $name, "::to_any_host();")]
        /// # let _ = client;
        /// ```
        #[must_use]
        pub fn to_any_host() -> Self {
            Self::to($crate::Hosts::any())
        }

        /// Forwards the session only to these hosts: for a list that several clients share.
        ///
        /// ```
        #[doc = concat!("use ", $path, "::{Hosts, ", $name, "};")]
        ///
        /// let ours = Hosts::named(["*.internal"])?;
        #[doc = concat!("let payments = ", $name, "::to(ours.clone());")]
        #[doc = concat!("let search = ", $name, "::to(ours);")]
        /// # let _ = (payments, search);
        #[doc = concat!("# Ok::<(), ", $path, "::InvalidHost>(())")]
        /// ```
        #[must_use]
        pub fn to(hosts: $crate::Hosts) -> Self {
            Self { propagation: std::sync::Arc::new($crate::adapter::Propagation::new(hosts)) }
        }

        /// Sends the session ID in all of these, instead of in the header `X-Session-ID`.
        ///
        /// # Errors
        ///
        #[doc = concat!("[`InvalidSetting`](", $path, "::InvalidSetting) if there are none, if a name is not valid, or if the header is for credentials.")]
        ///
        /// # Example
        ///
        /// ```
        #[doc = concat!("use ", $path, "::{Carrier, ", $name, "};")]
        ///
        #[doc = concat!("let client = ", $name, "::to_hosts([\"payments.internal\"])?")]
        ///     .carriers([Carrier::header("X-Session-ID"), Carrier::baggage()])?;
        /// # let _ = client;
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// ```
        pub fn carriers(
            self,
            carriers: impl IntoIterator<Item = $crate::Carrier>,
        ) -> Result<Self, $crate::InvalidSetting> {
            let propagation = std::sync::Arc::unwrap_or_clone(self.propagation);
            Ok(Self { propagation: std::sync::Arc::new(propagation.carriers(carriers)?) })
        }

        /// Marks the requests of sessions that are kept
        #[doc = concat!("([`SessionId::is_kept`](", $path, "::SessionId::is_kept)),")]
        /// to the hosts on the list: the service that is called keeps them too, if it is told to
        /// (`keep_marked`). So a session that met an error in one service is whole in those that it calls
        /// from then on.
        ///
        /// # Errors
        ///
        #[doc = concat!("[`InvalidSetting`](", $path, "::InvalidSetting) if the name is not valid, or if the header is for credentials.")]
        ///
        /// # Example
        ///
        /// ```
        #[doc = concat!("use ", $path, "::{Carrier, ", $name, "};")]
        ///
        #[doc = concat!("let client = ", $name, "::to_hosts([\"payments.internal\"])?")]
        ///     .mark_kept(Carrier::header("X-Session-Keep"))?;
        /// # let _ = client;
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// ```
        pub fn mark_kept(self, mark: $crate::Carrier) -> Result<Self, $crate::InvalidSetting> {
            let propagation = std::sync::Arc::unwrap_or_clone(self.propagation);
            Ok(Self { propagation: std::sync::Arc::new(propagation.mark_kept(mark)?) })
        }

        /// Says where requests go whose URI has no host, such as those of a tonic client: the URI of its
        /// channel. The host must be on the list too. Without this, such requests don't get the session.
        ///
        /// # Errors
        ///
        #[doc = concat!("[`InvalidHost`](", $path, "::InvalidHost) if it is not a scheme and a host.")]
        ///
        /// # Example
        ///
        /// ```
        #[doc = concat!("use ", $path, "::", $name, ";")]
        ///
        #[doc = concat!("let client = ", $name, "::to_hosts([\"payments.internal\"])?")]
        ///     .origin("http://payments.internal:50051")?;
        /// # let _ = client;
        #[doc = concat!("# Ok::<(), ", $path, "::InvalidHost>(())")]
        /// ```
        pub fn origin(self, origin: &str) -> Result<Self, $crate::InvalidHost> {
            let propagation = std::sync::Arc::unwrap_or_clone(self.propagation);
            Ok(Self { propagation: std::sync::Arc::new(propagation.origin(origin)?) })
        }

        /// Removes the session ID from requests to all other hosts, whoever put it there: for services
        /// that copy the headers of the requests they get into the ones they send.
        ///
        /// Without this, a request to a host that is not on the list is left as it is.
        ///
        /// ```
        #[doc = concat!("use ", $path, "::", $name, ";")]
        ///
        #[doc = concat!("let client = ", $name, "::to_hosts([\"payments.internal\"])?.remove_from_others();")]
        /// # let _ = client;
        #[doc = concat!("# Ok::<(), ", $path, "::InvalidHost>(())")]
        /// ```
        #[must_use]
        pub fn remove_from_others(self) -> Self {
            let propagation = std::sync::Arc::unwrap_or_clone(self.propagation);
            Self { propagation: std::sync::Arc::new(propagation.remove_from_others()) }
        }
    };
}
