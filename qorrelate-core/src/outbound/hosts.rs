//! Which hosts a session ID may be sent to.

use std::fmt;
use std::net::Ipv6Addr;
use std::sync::Arc;

use url::Host;

/// The hosts that the session ID is sent to. There is no default: list them, or say
/// [`any`](Self::any).
///
/// | pattern | matches requests |
/// | --- | --- |
/// | `payments.internal` | to that host, at any port |
/// | `payments.internal:8443` | to that host at that port; the port may be the scheme's default |
/// | `*.example.com` | to every name below `example.com`, at any depth, but not to `example.com` itself |
/// | `10.0.0.7`, `[::1]`, `[::1]:8080` | to that address |
///
/// Names are compared as the URL standard does it (WHATWG URL, "Host parsing"): case, a trailing dot,
/// and Unicode vs. Punycode (RFC 5890) don't matter. Look-alike names don't match. An IPv4 address is
/// four decimal numbers; a request to another spelling of it, or to what isn't a valid host name, doesn't
/// match. The scheme doesn't matter, except for its default port.
///
/// To use one list for several clients, make it once and clone it: that is cheap.
///
/// # Errors
///
/// [`named`](Self::named) returns an [`InvalidHost`], which holds the pattern and says what is wrong.
///
/// # Example
///
/// ```
/// # use qorrelate_core as qorrelate_tower;
/// use qorrelate_tower::Hosts; // or qorrelate_actix
/// use qorrelate_core::adapter::Target;
///
/// let hosts = Hosts::named(["payments.internal", "*.example.com", "[::1]:8080"])?;
///
/// assert!(hosts.contains(Target::new("http", "payments.internal", Some(8443))));
/// assert!(hosts.contains(Target::new("https", "API.Example.com.", None)));
/// assert!(!hosts.contains(Target::new("https", "evil-example.com", None)));
/// assert!(!hosts.contains(Target::new("http", "[::1]", None))); // port 80
/// # Ok::<(), qorrelate_core::InvalidHost>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hosts(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Any,
    Named(Arc<[Pattern]>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    name: Name,
    /// `None`: any port.
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Name {
    Exactly(Host),
    /// Every name that ends in this, and is longer. It begins with a dot.
    Below(String),
}

/// Where a request goes: the scheme, host and port of its URL.
///
/// # Example
///
/// ```
/// use qorrelate_core::adapter::Target;
///
/// let target = Target::new("http", "localhost", Some(8080));
/// assert_eq!(target.port(), Some(8080));
/// assert_eq!(Target::new("https", "localhost", None).port(), Some(443));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    host: &'a str,
    port: Option<u16>,
}

impl<'a> Target<'a> {
    /// The scheme, the host and the port of a URL, each as written there: an IPv6 address in brackets,
    /// no port if none is given, the host without user information.
    pub fn new(scheme: &str, host: &'a str, port: Option<u16>) -> Self {
        let port = port.or_else(|| default_port(scheme));
        Self { host, port }
    }

    /// The port, or else the scheme's default.
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// The host, as the URL has it.
    pub(super) const fn host(&self) -> &'a str {
        self.host
    }
}

/// RFC 9110, sections 4.2.1 and 4.2.2; RFC 6455, section 3.
fn default_port(scheme: &str) -> Option<u16> {
    let is = |name: &str| scheme.eq_ignore_ascii_case(name);
    if is("http") || is("ws") {
        Some(80)
    } else if is("https") || is("wss") {
        Some(443)
    } else {
        None
    }
}

impl Hosts {
    /// The hosts that match these patterns.
    ///
    /// # Errors
    ///
    /// [`InvalidHost`] for the first pattern that is not valid, or if there are none.
    ///
    /// ```
    /// # use qorrelate_core::Hosts;
    /// let error = Hosts::named(["https://example.com"]).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "\"https://example.com\" is not a valid host pattern: write only the host, without scheme, \
    ///      user or path",
    /// );
    /// ```
    pub fn named<P: AsRef<str>>(
        patterns: impl IntoIterator<Item = P>,
    ) -> Result<Self, InvalidHost> {
        let parse = |pattern: P| {
            let pattern = pattern.as_ref();
            Pattern::parse(pattern).map_err(|reason| InvalidHost::of_pattern(pattern, reason))
        };
        let patterns: Arc<[_]> = patterns.into_iter().map(parse).collect::<Result<_, _>>()?;
        if patterns.is_empty() {
            return Err(InvalidHost::of_pattern("", InvalidHostReason::NoHosts));
        }
        Ok(Self(Kind::Named(patterns)))
    }

    /// Every host. The session ID then goes wherever a request goes, redirects included.
    ///
    /// ```
    /// # use qorrelate_core::{Hosts, adapter::Target};
    /// assert!(Hosts::any().contains(Target::new("https", "example.com", None)));
    /// ```
    pub const fn any() -> Self {
        Self(Kind::Any)
    }

    /// Whether a request to that target may carry the session ID.
    pub fn contains(&self, target: Target<'_>) -> bool {
        match &self.0 {
            Kind::Any => true,
            Kind::Named(patterns) => {
                // A host that is written just as in the list need not be parsed.
                patterns.iter().any(|pattern| pattern.is_written_as(target))
                    || canonical(target.host).is_some_and(|host| {
                        patterns.iter().any(|pattern| pattern.matches(&host, target.port))
                    })
            }
        }
    }
}

impl Pattern {
    fn parse(pattern: &str) -> Result<Self, InvalidHostReason> {
        // An IPv6 address without brackets cannot be a name with a port.
        if let Ok(address) = pattern.parse::<Ipv6Addr>() {
            return Ok(Self { name: Name::Exactly(Host::Ipv6(address)), port: None });
        }
        check_characters(pattern)?;
        let (name, port) = split_port(pattern)?;
        let name = match name.strip_prefix("*.") {
            Some(parent) => match parse_host(parent)? {
                Host::Domain(parent) => Name::Below(format!(".{parent}")),
                Host::Ipv4(_) | Host::Ipv6(_) => return Err(InvalidHostReason::WildcardAddress),
            },
            None => Name::Exactly(parse_host(name)?),
        };
        Ok(Self { name, port })
    }

    fn is_written_as(&self, target: Target<'_>) -> bool {
        self.is_port(target.port)
            && matches!(&self.name, Name::Exactly(Host::Domain(name)) if name == target.host)
    }

    fn is_port(&self, port: Option<u16>) -> bool {
        self.port.is_none() || self.port == port
    }

    fn matches(&self, host: &Host, port: Option<u16>) -> bool {
        self.is_port(port)
            && match (&self.name, host) {
                (Name::Exactly(name), host) => name == host,
                (Name::Below(parent), Host::Domain(name)) => {
                    name.len() > parent.len() && name.ends_with(parent.as_str())
                }
                (Name::Below(_), _) => false,
            }
    }
}

/// What shows at a glance that a pattern is not one host.
fn check_characters(pattern: &str) -> Result<(), InvalidHostReason> {
    if pattern == "*" {
        Err(InvalidHostReason::EveryHost)
    } else if pattern.contains([',', ';']) {
        Err(InvalidHostReason::SeveralHosts)
    } else if pattern.contains(char::is_whitespace) {
        Err(InvalidHostReason::WhiteSpace)
    } else if pattern.contains(['/', '\\', '?', '#', '@']) {
        Err(InvalidHostReason::NotAlone)
    } else {
        Ok(())
    }
}

fn split_port(pattern: &str) -> Result<(&str, Option<u16>), InvalidHostReason> {
    let (name, port) = match pattern.rsplit_once(':') {
        // The colon is one of the address's own.
        Some((_, port)) if port.ends_with(']') => return Ok((pattern, None)),
        Some((name, _)) if is_ipv6(name) && !name.ends_with(']') => {
            return Err(InvalidHostReason::Ipv6);
        }
        Some(parts) => parts,
        None => return Ok((pattern, None)),
    };
    match port.parse() {
        Ok(0) | Err(_) => Err(InvalidHostReason::Port),
        Ok(port) => Ok((name, Some(port))),
    }
}

/// Whether it is meant to be one.
fn is_ipv6(name: &str) -> bool {
    name.starts_with('[') || name.contains(':')
}

fn parse_host(name: &str) -> Result<Host, InvalidHostReason> {
    if name.is_empty() {
        Err(InvalidHostReason::Empty)
    } else if name.contains('*') {
        Err(InvalidHostReason::Wildcard)
    } else if is_ipv6(name) {
        canonical(name).ok_or(InvalidHostReason::Ipv6)
    } else {
        canonical(name).filter(is_written_in_letters).ok_or_else(|| why_not(name))
    }
}

/// Whether it has only what names in use have. The URL standard allows more, such as a `${HOST}` that
/// nobody has expanded.
fn is_written_in_letters(host: &Host) -> bool {
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    match host {
        Host::Domain(name) => name.bytes().all(is_known),
        Host::Ipv4(_) | Host::Ipv6(_) => true,
    }
}

/// What is wrong with a name, or with an IPv4 address.
fn why_not(name: &str) -> InvalidHostReason {
    let without_last_dot = name.strip_suffix('.').unwrap_or(name);
    let mut labels = without_last_dot.split('.');
    if labels.clone().any(str::is_empty) {
        InvalidHostReason::EmptyLabel
    } else if labels.clone().next_back().is_some_and(ends_an_ipv4_address) {
        InvalidHostReason::Ipv4
    } else if labels.any(|label| label.get(..4).is_some_and(|x| x.eq_ignore_ascii_case("xn--"))) {
        InvalidHostReason::Punycode
    } else {
        InvalidHostReason::NotAHost
    }
}

/// Whether a name that ends in this is an IPv4 address or nothing (WHATWG URL, "ends in a number").
fn ends_an_ipv4_address(label: &str) -> bool {
    let is_hex = |digits: &str| digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    label.bytes().all(|digit| digit.is_ascii_digit())
        || label.strip_prefix("0x").or(label.strip_prefix("0X")).is_some_and(is_hex)
}

/// The form in which all spellings of a host are the same; `None` if clients may disagree on what it
/// means.
fn canonical(host: &str) -> Option<Host> {
    // The URL standard decodes this; not every client does.
    if host.contains('%') {
        return None;
    }
    match Host::parse(host).ok()? {
        Host::Domain(mut name) => {
            if name.ends_with('.') {
                name.pop();
            }
            let labels_are_there = name.split('.').all(|label| !label.is_empty());
            labels_are_there.then_some(Host::Domain(name))
        }
        Host::Ipv4(address) => {
            let written = host.strip_suffix('.').unwrap_or(host);
            (address.to_string() == written).then_some(Host::Ipv4(address))
        }
        address @ Host::Ipv6(_) => Some(address),
    }
}

/// Where requests go whose URI does not say so: a scheme, a host and maybe a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    host: String,
    port: Option<u16>,
}

impl Origin {
    pub(super) fn parse(origin: &str) -> Result<Self, InvalidHost> {
        let invalid = |reason| InvalidHost { kind: "origin", pattern: origin.to_owned(), reason };
        let (scheme, authority) =
            origin.split_once("://").ok_or_else(|| invalid(InvalidHostReason::NotAnOrigin))?;
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        // Here a scheme belongs to it, so "without scheme" would be the wrong thing to say.
        let is_more = |reason| match reason {
            InvalidHostReason::NotAlone => InvalidHostReason::NotAnOrigin,
            InvalidHostReason::EveryHost => InvalidHostReason::WildcardOrigin,
            reason => reason,
        };
        let pattern = Pattern::parse(authority).map_err(is_more).map_err(invalid)?;
        match pattern.name {
            Name::Exactly(host) => Ok(Self {
                host: host.to_string(),
                port: pattern.port.or_else(|| default_port(scheme)),
            }),
            Name::Below(_) => Err(invalid(InvalidHostReason::WildcardOrigin)),
        }
    }

    pub(super) fn target(&self) -> Target<'_> {
        Target { host: &self.host, port: self.port }
    }
}

/// A host pattern, or an origin, that is not valid, found when it is set.
///
/// Its `Debug` is its message too, so that `fn main() -> Result<(), Box<dyn Error>>` prints the reason.
///
/// # Example
///
/// ```
/// # use qorrelate_core as qorrelate_tower;
/// use qorrelate_tower::{Hosts, InvalidHostReason}; // or qorrelate_actix
///
/// let error = Hosts::named(["a.example.com,b.example.com"]).unwrap_err();
/// assert_eq!(error.pattern(), "a.example.com,b.example.com");
/// assert_eq!(error.reason(), InvalidHostReason::SeveralHosts);
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvalidHost {
    kind: &'static str,
    pattern: String,
    reason: InvalidHostReason,
}

impl InvalidHost {
    fn of_pattern(pattern: &str, reason: InvalidHostReason) -> Self {
        Self { kind: "host pattern", pattern: pattern.to_owned(), reason }
    }

    /// The pattern or origin, as it was given; empty if there was none.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// What is wrong with it.
    pub const fn reason(&self) -> InvalidHostReason {
        self.reason
    }
}

impl fmt::Display for InvalidHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, pattern, reason } = self;
        match reason {
            InvalidHostReason::NoHosts => write!(f, "{reason}"),
            _ => write!(f, "{pattern:?} is not a valid {kind}: {reason}"),
        }
    }
}

impl fmt::Debug for InvalidHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InvalidHost({self})")
    }
}

impl std::error::Error for InvalidHost {}

/// What is wrong with a host pattern or an origin. See [`InvalidHost`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InvalidHostReason {
    /// The list of hosts is empty.
    NoHosts,
    /// The host is missing.
    Empty,
    /// There is more than one host in it.
    SeveralHosts,
    /// There is white space in it.
    WhiteSpace,
    /// There is a scheme, a user or a path with it.
    NotAlone,
    /// The port is not a number from 1 to 65535.
    Port,
    /// It is `*` alone.
    EveryHost,
    /// There is a `*` anywhere but in a leading `*.` before a name.
    Wildcard,
    /// There is a `*.` before an address.
    WildcardAddress,
    /// There is nothing between two dots, or before the first.
    EmptyLabel,
    /// It ends in a number, as only IPv4 addresses do, and is not one in the usual notation.
    Ipv4,
    /// It is not an IPv6 address, though it is written like one.
    Ipv6,
    /// A label that begins with `xn--` is not valid Punycode.
    Punycode,
    /// There is something else in it that no host name has.
    NotAHost,
    /// It is not an origin: a scheme and a host, without user and path.
    NotAnOrigin,
    /// There is a `*` in an origin.
    WildcardOrigin,
}

impl fmt::Display for InvalidHostReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoHosts => {
                "the list of hosts is empty: the session would never be sent; to send it to every \
                 host, use `to_any_host()`"
            }
            Self::Empty => "the host is missing",
            Self::SeveralHosts => {
                "it holds several hosts: split it at the commas and pass each one by itself"
            }
            Self::WhiteSpace => "there is white space in it: trim it",
            Self::NotAlone => "write only the host, without scheme, user or path",
            Self::Port => "the port is not a number from 1 to 65535",
            Self::EveryHost => "to send the session to every host, use `to_any_host()`",
            Self::Wildcard => {
                "`*` can only stand at the start, before a dot and a name, as in `*.example.com`"
            }
            Self::WildcardAddress => "`*.` works with names only, not with IP addresses",
            Self::EmptyLabel => "a part of the name is empty: look for two dots in a row or a leading dot",
            Self::Ipv4 => {
                "it ends in a number, so it must be a full IPv4 address: four numbers from 0 to 255"
            }
            Self::Ipv6 => {
                "it is not a valid IPv6 address; with a port, write it in brackets, and leave out the \
                 zone"
            }
            Self::Punycode => "a part of it begins with `xn--` but is not valid Punycode",
            Self::NotAHost => "it contains characters that a host name can't have",
            Self::NotAnOrigin => {
                "write scheme and host, without user and path, as in `http://payments.internal:50051`"
            }
            Self::WildcardOrigin => "an origin is one host, without `*`",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The target of a URL as http clients see it.
    fn target(url: &str) -> http::Uri {
        url.parse().unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    fn named(pattern: &str, url: &str) -> bool {
        let uri = target(url);
        let target =
            Target::new(uri.scheme_str().unwrap(), uri.host().unwrap_or_default(), uri.port_u16());
        Hosts::named([pattern]).unwrap().contains(target)
    }

    #[test]
    fn the_table_of_patterns() {
        for (pattern, url, expected) in [
            // A name, at any port.
            ("example.com", "http://example.com/", true),
            ("example.com", "https://example.com/", true),
            ("example.com", "http://example.com:8080/", true),
            ("example.com", "http://api.example.com/", false),
            ("example.com", "http://evil-example.com/", false),
            ("example.com", "http://evilexample.com/", false),
            ("example.com", "http://example.com.evil.com/", false),
            ("example.com", "http://example.co/", false),
            ("example.com", "http://example.com.br/", false),
            ("payments", "http://payments:8080/charge", true),
            ("pay_ments", "http://pay_ments/", true),
            // User information is no host.
            ("example.com", "http://example.com@evil.com/", false),
            ("example.com", "http://example.com:80@evil.com/", false),
            ("example.com:80", "http://example.com:80@evil.com/", false),
            ("example.com", "http://evil.com@example.com/", true),
            ("example.com", "http://evil.com:80@example.com/", true),
            ("example.com", "http://evil.com/example.com", false),
            ("example.com", "http://evil.com/@example.com", false),
            ("example.com", "http://evil.com?@example.com", false),
            ("example.com", "http://evil.com?http://example.com", false),
            // Case and a dot at the end.
            ("example.com", "http://EXAMPLE.com/", true),
            ("EXAMPLE.Com", "http://example.com/", true),
            ("example.com", "http://example.com./", true),
            ("example.com.", "http://example.com/", true),
            ("example.com", "http://example.com../", false),
            ("example.com", "http://.example.com/", false),
            // Ports.
            ("example.com:8080", "http://example.com:8080/", true),
            ("example.com:8080", "http://example.com:8081/", false),
            ("example.com:8080", "http://example.com/", false),
            ("example.com:80", "http://example.com/", true),
            ("example.com:443", "https://example.com/", true),
            ("example.com:80", "https://example.com/", false),
            ("example.com:443", "http://example.com/", false),
            ("example.com:443", "wss://example.com/", true),
            ("example.com:80", "ftp://example.com/", false),
            // Names below.
            ("*.example.com", "http://api.example.com/", true),
            ("*.example.com", "http://a.b.c.example.com:99/", true),
            ("*.example.com", "http://API.EXAMPLE.COM./", true),
            ("*.example.com", "http://example.com/", false),
            ("*.example.com", "http://.example.com/", false),
            ("*.example.com", "http://evil-example.com/", false),
            ("*.example.com", "http://a.example.com.evil.com/", false),
            ("*.example.com", "http://a.example.com@evil.com/", false),
            ("*.example.com:8080", "http://a.example.com:8080/", true),
            ("*.example.com:8080", "http://a.example.com/", false),
            ("*.internal", "http://payments.internal/", true),
            // Addresses.
            ("127.0.0.1", "http://127.0.0.1:3000/", true),
            ("127.0.0.1", "http://127.0.0.2:3000/", false),
            ("127.0.0.1", "http://localhost:3000/", false),
            ("localhost", "http://127.0.0.1:3000/", false),
            ("127.0.0.1", "http://127.0.0.1./", true),
            ("127.0.0.1", "http://127.1/", false),
            ("127.0.0.1", "http://2130706433/", false),
            ("127.0.0.1", "http://0x7f.0.0.1/", false),
            ("127.0.0.1", "http://127.0.0.1.evil.com/", false),
            ("127.0.0.1", "http://[::ffff:127.0.0.1]/", false),
            ("[::1]", "http://[::1]/", true),
            ("[::1]", "http://[::1]:8080/", true),
            ("::1", "http://[::1]:8080/", true),
            ("[::1]", "http://[0:0:0:0:0:0:0:1]/", true),
            ("[::1]", "http://[::2]/", false),
            ("[::1]:8080", "http://[::1]:8080/", true),
            ("[::1]:8080", "http://[::1]:8081/", false),
            ("[::1]:8080", "http://[::1]/", false),
            // Names in other scripts: what looks alike is another.
            ("bücher.example", "http://xn--bcher-kva.example/", true),
            ("BÜCHER.example", "http://XN--BCHER-KVA.example/", true),
            ("xn--bcher-kva.example", "http://xn--bcher-kva.example/", true),
            ("bucher.example", "http://xn--bcher-kva.example/", false),
            ("*.bücher.example", "http://a.xn--bcher-kva.example/", true),
            ("apple.com", "http://xn--80ak6aa92e.com/", false), // аррӏе.com, in Cyrillic
            ("example.com", "http://xn--xample-2of.com/", false), // еxample.com, one Cyrillic letter
            ("example.com", "http://xn--0.com/", false),          // no A-label at all
            ("example\u{3002}com", "http://example.com/", true),  // an ideographic full stop
            ("ｅxample.com", "http://example.com/", true),        // a full-width letter
        ] {
            assert_eq!(named(pattern, url), expected, "{pattern} and {url}");
        }
    }

    #[test]
    fn any_host_is_any_host() {
        assert!(Hosts::any().contains(Target::new("http", "evil.com", None)));
    }

    #[test]
    fn a_host_that_clients_may_disagree_on_does_not_match() {
        let hosts =
            Hosts::named(["example.com", "*.example.com", "127.0.0.1", "[fe80::1]"]).unwrap();
        for host in [
            "",
            ".",
            "ex%61mple.com",
            "%2a.example.com",
            "a..example.com",
            "a b.example.com",
            "a/b.example.com",
            "evil.com/.example.com",
            "evil.com#.example.com",
            "evil.com\\.example.com",
            "[fe80::1%25eth0]",
            "[fe80::1",
            "fe80::1",
            "example.com:80",
        ] {
            assert!(!hosts.contains(Target::new("http", host, None)), "{host:?}");
        }
    }

    proptest! {
        /// hyper's idea of a host, and the URL standard's, which reqwest has: a URL that both take is
        /// to a host that is named only if both go there.
        #[test]
        fn what_is_named_is_where_the_request_goes(
            authority in "(example\\.com|localhost|127\\.0\\.0\\.1|evil|user|[.@:%*\\\\#?/\\[\\]]|80|2e|xn--|-){1,6}",
        ) {
            let url = format!("http://{authority}/");
            let names = ["example.com", "localhost", "127.0.0.1"];
            let below = Hosts::named(["*.example.com"]).unwrap();
            if let Ok(uri) = url.parse::<http::Uri>() && let Some(host) = uri.host() {
                let target = Target::new("http", host, uri.port_u16());
                let goes_to = url::Url::parse(&url).ok().and_then(|url| url.host_str().map(str::to_owned));
                let goes_to = goes_to.as_deref().map(|host| host.trim_end_matches('.'));
                for name in names {
                    if Hosts::named([name]).unwrap().contains(target) {
                        prop_assert!(goes_to.is_none_or(|host| host == name), "{}", url);
                    }
                }
                if below.contains(target) {
                    prop_assert!(goes_to.is_none_or(|host| host.ends_with(".example.com")), "{}", url);
                }
            }
        }

        #[test]
        fn a_pattern_names_the_host_that_is_written_like_it_and_nothing_panics(host in "\\PC{0,20}|[a-z0-9.:\\[\\]*-]{0,20}") {
            if let Ok(hosts) = Hosts::named([&host])
                && let Ok(url) = url::Url::parse(&format!("http://{host}/"))
                && let Some(name) = url.host_str()
            {
                prop_assert!(hosts.contains(Target::new("http", name, url.port())), "{}", host);
            }
        }
    }

    #[test]
    fn an_invalid_pattern_is_returned_with_the_reason() {
        use InvalidHostReason::*;
        for (pattern, reason) in [
            ("", Empty),
            (":80", Empty),
            ("*.", Empty),
            ("*.:80", Empty),
            ("a.com,b.com", SeveralHosts),
            ("a.com, b.com", SeveralHosts),
            ("a.com:80,b.com:80", SeveralHosts),
            ("a.com;b.com", SeveralHosts),
            ("https://a.com,https://b.com", SeveralHosts),
            ("a b.example.com", WhiteSpace),
            (" example.com", WhiteSpace),
            ("example.com\n", WhiteSpace),
            ("https://example.com", NotAlone),
            ("https://example.com:443", NotAlone),
            ("https://*.example.com", NotAlone),
            ("//example.com", NotAlone),
            ("example.com/", NotAlone),
            ("example.com:80/path", NotAlone),
            ("example.com?", NotAlone),
            ("example.com#", NotAlone),
            ("example.com\\", NotAlone),
            ("anna@example.com", NotAlone),
            ("anna:secret@example.com", NotAlone),
            ("example.com:80@evil.com", NotAlone),
            ("example.com:", Port),
            ("example.com:0", Port),
            ("example.com:65536", Port),
            ("example.com:-1", Port),
            ("example.com:http", Port),
            ("http:example.com", Port),
            ("[::1]:", Port),
            ("[::1]x", Ipv6),
            ("*", EveryHost),
            ("*:80", Wildcard),
            ("**.example.com", Wildcard),
            ("*.*.example.com", Wildcard),
            ("*.*", Wildcard),
            ("api.*.com", Wildcard),
            ("*example.com", Wildcard),
            ("example.*", Wildcard),
            ("[*::1]", Wildcard),
            ("*.127.0.0.1", WildcardAddress),
            ("*.[::1]", WildcardAddress),
            (".", EmptyLabel),
            ("..", EmptyLabel),
            (".example.com", EmptyLabel),
            ("a..b", EmptyLabel),
            ("a..example.com", EmptyLabel),
            ("*..example.com", EmptyLabel),
            ("example.com..", EmptyLabel),
            ("10.0.0", Ipv4),
            ("10.0.0:80", Ipv4),
            ("*.10", Ipv4),
            ("127.1", Ipv4),
            ("127.0.0.256", Ipv4),
            ("127.0.0.01", Ipv4),
            ("1.2.3.4.5", Ipv4),
            ("2130706433", Ipv4),
            ("0x7f.0.0.0x1", Ipv4),
            ("example.5", Ipv4),
            ("[::1", Ipv6),
            ("[::1:80", Ipv6),
            ("[fe80::1%25eth0]", Ipv6),
            ("fe80::1%eth0", Ipv6),
            ("::1::2", Ipv6),
            ("[example.com]", Ipv6),
            ("example.com:80:80", Ipv6),
            ("xn--", Punycode),
            ("XN--0.example", Punycode),
            ("a.xn--0.example", Punycode),
            ("*.xn--", Punycode),
            ("ex%61mple.com", NotAHost),
            ("<host>", NotAHost),
            ("${HOST}", NotAHost),
            ("a|b", NotAHost),
            ("]", NotAHost),
            ("\u{ad}", NotAHost),
        ] {
            let error = Hosts::named(["a.example.com", pattern]).unwrap_err();
            assert_eq!((error.pattern(), error.reason()), (pattern, reason), "{error}");
            assert_eq!(
                error.to_string(),
                format!("{pattern:?} is not a valid host pattern: {reason}")
            );
        }
    }

    #[test]
    fn an_empty_list_is_an_error_which_says_what_to_use() {
        let error = Hosts::named::<&str>([]).unwrap_err();
        assert_eq!((error.pattern(), error.reason()), ("", InvalidHostReason::NoHosts));
        assert!(error.to_string().starts_with("the list of hosts is empty"), "{error}");
        assert!(error.to_string().contains("to_any_host()"), "{error}");
        let error = Hosts::named(["*"]).unwrap_err();
        assert!(error.to_string().contains("to_any_host()"), "{error}");
    }

    #[test]
    fn each_reason_has_a_text_of_its_own() {
        use InvalidHostReason::*;
        let all = [
            NoHosts,
            Empty,
            SeveralHosts,
            WhiteSpace,
            NotAlone,
            Port,
            EveryHost,
            Wildcard,
            WildcardAddress,
            EmptyLabel,
            Ipv4,
            Ipv6,
            Punycode,
            NotAHost,
            NotAnOrigin,
            WildcardOrigin,
        ];
        let texts: std::collections::HashSet<_> = all.iter().map(ToString::to_string).collect();
        assert_eq!(texts.len(), all.len());
    }

    #[test]
    fn a_main_that_returns_the_error_prints_the_reason() {
        let error: Box<dyn std::error::Error> = Hosts::named(["10.0.0"]).unwrap_err().into();
        assert_eq!(
            format!("{error:?}"), // as `main` prints it
            "InvalidHost(\"10.0.0\" is not a valid host pattern: it ends in a number, so it must be a \
             full IPv4 address: four numbers from 0 to 255)"
        );
    }

    #[test]
    fn an_origin_is_one_host() {
        for (origin, host, port) in [
            ("http://payments.internal:50051", "payments.internal", Some(50051)),
            ("https://Payments.internal./", "payments.internal", Some(443)),
            ("http://[::1]:50051", "[::1]", Some(50051)),
            ("grpc://10.0.0.7", "10.0.0.7", None),
        ] {
            let origin = Origin::parse(origin).unwrap();
            assert_eq!((origin.target().host(), origin.target().port()), (host, port));
            assert!(Hosts::named([host]).unwrap().contains(origin.target()));
        }
        use InvalidHostReason::*;
        for (origin, reason) in [
            ("", NotAnOrigin),
            ("payments.internal:50051", NotAnOrigin),
            ("http://payments.internal/v1", NotAnOrigin),
            ("http://payments.internal//", NotAnOrigin),
            ("http://anna@payments.internal", NotAnOrigin),
            ("http://*", WildcardOrigin),
            ("http://*.internal", WildcardOrigin),
            ("http://", Empty),
            ("http://:50051", Empty),
            ("http://payments.internal:http", Port),
            ("http://10.0.0", Ipv4),
        ] {
            let error = Origin::parse(origin).unwrap_err();
            assert_eq!((error.pattern(), error.reason()), (origin, reason));
            assert_eq!(error.to_string(), format!("{origin:?} is not a valid origin: {reason}"));
        }
    }
}
