//! Handing the session on to another service: whether, and in what.

use std::str::FromStr;
use std::sync::Arc;

use super::carrier::{Carrier, ResolvedCarrier};
use super::hosts::{Hosts, Target};
use crate::id::SessionId;
use crate::inbound::{DEFAULT_HEADER, InvalidSetting, baggage};
use crate::telemetry::hint::Hint;

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

    /// Makes this the value of the one header line of that name.
    fn set(&mut self, name: &Self::HeaderName, value: &[u8]);

    /// Takes out all header lines of that name.
    fn remove(&mut self, name: &Self::HeaderName);
}

/// Everything that a user sets on a client layer, and what it does to a request.
///
/// Adapters hold one, behind the same builder methods
/// (`propagation_methods!`). `N` is the framework's type for the name
/// of a header.
///
/// # Example
///
/// ```
/// use qorrelate_core::adapter::{Propagation, Target};
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
/// propagation.apply(Some(payments), Some(id.clone()), &mut Headers(&mut headers));
/// assert_eq!(headers["x-session-id"], "abc");
///
/// let mut headers = http::HeaderMap::new();
/// let other = Target::new("https", "example.com", None);
/// propagation.apply(Some(other), Some(id), &mut Headers(&mut headers));
/// assert!(headers.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Propagation<N> {
    hosts: Hosts,
    carriers: Vec<ResolvedCarrier<N>>,
    remove_from_others: bool,
    /// Said once by this and its clones.
    unknown_host: Arc<Hint>,
}

impl<N: FromStr> Propagation<N> {
    /// Sends the header `X-Session-ID` to these hosts.
    pub fn new(hosts: Hosts) -> Self {
        // The default header's name is a token, so there is always one.
        let carriers = ResolvedCarrier::new(&Carrier::header(DEFAULT_HEADER)).into_iter().collect();
        Self { hosts, carriers, remove_from_others: false, unknown_host: Arc::new(Hint::new()) }
    }

    /// Sends the session ID in all of these, instead of in the header `X-Session-ID`.
    ///
    /// # Errors
    ///
    /// [`InvalidSetting::Carrier`] if a name cannot be that of such a carrier.
    pub fn carriers(
        mut self,
        carriers: impl IntoIterator<Item = Carrier>,
    ) -> Result<Self, InvalidSetting> {
        self.carriers = carriers
            .into_iter()
            .map(|carrier| ResolvedCarrier::new(&carrier))
            .collect::<Result<_, _>>()?;
        Ok(self)
    }

    /// Takes the carriers out of requests to all other hosts.
    #[must_use]
    pub fn remove_from_others(mut self) -> Self {
        self.remove_from_others = true;
        self
    }
}

impl<N> Propagation<N> {
    /// Whether a request to that target may carry the session ID. Without a target it may not, to
    /// whatever hosts it is sent.
    pub fn names(&self, target: Option<Target<'_>>) -> bool {
        target.is_some_and(|target| self.hosts.contains(target))
    }

    /// Puts a session ID into a request to a host that is named: the one given, else that of the
    /// current session. In no session the request is left as it is.
    ///
    /// A request to any other host, or to one that is not known, is left as it is too, or has the
    /// carriers taken out of it.
    pub fn apply<H: OutboundHeaders<HeaderName = N>>(
        &self,
        target: Option<Target<'_>>,
        given: Option<SessionId>,
        headers: &mut H,
    ) {
        let id = given.or_else(SessionId::current);
        if id.is_none() && !self.remove_from_others {
            return;
        }
        if self.names(target) {
            if let Some(id) = &id {
                self.set(id, headers);
            }
        } else {
            if self.remove_from_others {
                self.remove(headers);
            }
            if id.is_some() && target.is_none() {
                self.hint_at_unknown_host();
            }
        }
    }

    /// Says once that there was a session, and nobody to be sure to send it to.
    fn hint_at_unknown_host(&self) {
        if self.unknown_host.is_due(tracing::Level::DEBUG) {
            tracing::debug!(
                target: "qorrelate",
                "a session was not handed on: the URI of the request has no host. Give it one; for a \
                 tonic client, make it with `with_origin` in place of `new`"
            );
        }
    }

    fn set<H: OutboundHeaders<HeaderName = N>>(&self, id: &SessionId, headers: &mut H) {
        for ResolvedCarrier { header, baggage_key } in &self.carriers {
            match baggage_key {
                None => headers.set(header, id.as_str().as_bytes()),
                Some(key) => merge(headers, header, key, Some(id)),
            }
        }
    }

    fn remove<H: OutboundHeaders<HeaderName = N>>(&self, headers: &mut H) {
        for ResolvedCarrier { header, baggage_key } in &self.carriers {
            match baggage_key {
                None => headers.remove(header),
                Some(key) => {
                    if baggage::contains(headers.values(header), key) {
                        merge(headers, header, key, None);
                    }
                }
            }
        }
    }
}

fn merge<H: OutboundHeaders>(
    headers: &mut H,
    header: &H::HeaderName,
    key: &str,
    id: Option<&SessionId>,
) {
    match baggage::merged(headers.values(header), key, id.map(SessionId::as_str)) {
        Some(value) => headers.set(header, &value),
        None => headers.remove(header),
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
        /// Hands the session on to these hosts, and to no others: names (`payments.internal`), names
        /// below another (`*.example.com`), addresses (`10.0.0.7`, `[::1]`), each at any port or, as
        /// in `localhost:8080`, at that one.
        #[doc = concat!("[`Hosts`](", $path, "::Hosts) says what exactly is the same host.")]
        ///
        /// # Errors
        ///
        #[doc = concat!("[`InvalidHost`](", $path, "::InvalidHost) if a pattern names no host.")]
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

        /// Hands the session on to whatever host a request goes to, also by a redirect: for a client
        /// that calls nothing but services of your own.
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

        fn to(hosts: $crate::Hosts) -> Self {
            Self { propagation: std::sync::Arc::new($crate::adapter::Propagation::new(hosts)) }
        }

        /// Sends the session ID in all of these, instead of in the header `X-Session-ID`.
        ///
        /// # Errors
        ///
        #[doc = concat!("[`InvalidSetting`](", $path, "::InvalidSetting) if a name cannot be that of such a carrier.")]
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

        /// Takes the session ID out of requests to all other hosts, whoever has put it there: for
        /// services that copy the headers of the requests they get into the ones they send.
        ///
        /// Without this, a request to a host that is not named is left as it is.
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
