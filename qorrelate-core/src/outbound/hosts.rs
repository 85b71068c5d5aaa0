//! Which hosts a session ID may be sent to.

use std::fmt;
use std::net::Ipv6Addr;
use std::sync::Arc;

use url::Host;

/// The hosts that a session ID is sent to. There is no default: they are named, or
/// [`any`](Self::any) is spelled out.
///
/// A pattern is one of
///
/// | pattern | the requests it names |
/// | --- | --- |
/// | `payments.internal` | to that host, at any port |
/// | `payments.internal:8443` | to that host at that port, which may be the default of the scheme |
/// | `*.example.com` | to every name below `example.com`, however deep, and not to `example.com` |
/// | `10.0.0.7`, `[::1]`, `[::1]:8080` | to that address |
///
/// Names are compared as the URL standard does (WHATWG URL, "Host parsing"): without regard to case,
/// to a dot at the end, and to whether a name is written in Unicode or as A-labels (RFC 5890). What
/// looks alike is not the same. An IPv4 address is four decimal numbers; its other spellings, and
/// names that are no host names, are sent nothing. The scheme plays no part, but for the port that it
/// stands for.
///
/// # Errors
///
/// [`named`](Self::named) answers an [`InvalidHost`], which holds the pattern and says what is wrong.
///
/// # Example
///
/// ```
/// use qorrelate_core::Hosts;
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

/// Where a request goes: what its URL says, without the path.
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
    /// The scheme, the host and the port of a URL, each as it is written there: an IPv6 address in
    /// brackets, no port if none is given. User information is no part of the host.
    pub fn new(scheme: &str, host: &'a str, port: Option<u16>) -> Self {
        let port = port.or_else(|| default_port(scheme));
        Self { host, port }
    }

    /// The port, which may be the default of the scheme.
    pub const fn port(&self) -> Option<u16> {
        self.port
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
    /// The hosts that these patterns name. No patterns name no host.
    ///
    /// ```
    /// # use qorrelate_core::Hosts;
    /// let error = Hosts::named(["https://example.com"]).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "\"https://example.com\" names no host: write the host alone, without scheme, user or path",
    /// );
    /// ```
    pub fn named<P: AsRef<str>>(
        patterns: impl IntoIterator<Item = P>,
    ) -> Result<Self, InvalidHost> {
        let parse = |pattern: P| {
            let pattern = pattern.as_ref();
            Pattern::parse(pattern)
                .map_err(|reason| InvalidHost { pattern: pattern.to_owned(), reason })
        };
        Ok(Self(Kind::Named(patterns.into_iter().map(parse).collect::<Result<_, _>>()?)))
    }

    /// Every host there is. The session ID then goes to whoever a request goes to, also by a redirect.
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
                // A host that is written as it is named is the same without parsing it.
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
        let (name, port) = split_port(pattern)?;
        let name = match name.strip_prefix("*.") {
            Some(parent) => match parse_host(parent)? {
                Host::Domain(parent) => Name::Below(format!(".{parent}")),
                Host::Ipv4(_) | Host::Ipv6(_) => return Err(InvalidHostReason::Wildcard),
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

fn split_port(pattern: &str) -> Result<(&str, Option<u16>), InvalidHostReason> {
    let (name, port) = match pattern.rsplit_once(':') {
        // The colon is one of the address's own.
        Some((_, port)) if port.ends_with(']') => return Ok((pattern, None)),
        Some(parts) => parts,
        None => return Ok((pattern, None)),
    };
    // `https://example.com` and `anna:secret@example.com` are no hosts with a bad port.
    if port.bytes().any(|byte| !byte.is_ascii_alphanumeric()) {
        return Err(InvalidHostReason::NotAHost);
    }
    match port.parse() {
        Ok(0) | Err(_) => Err(InvalidHostReason::Port),
        Ok(port) => Ok((name, Some(port))),
    }
}

fn parse_host(name: &str) -> Result<Host, InvalidHostReason> {
    if name.is_empty() {
        Err(InvalidHostReason::Empty)
    } else if name.contains('*') {
        Err(InvalidHostReason::Wildcard)
    } else {
        canonical(name).ok_or(InvalidHostReason::NotAHost)
    }
}

/// The one form in which two spellings of a host are the same; `None` if it cannot be told what a
/// client would make of it.
fn canonical(host: &str) -> Option<Host> {
    // Host parsing decodes what a client need not.
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

/// A pattern that names no host, found when it is set.
///
/// # Example
///
/// ```
/// use qorrelate_core::{Hosts, InvalidHostReason};
///
/// let error = Hosts::named(["a.example.com", "*"]).unwrap_err();
/// assert_eq!(error.pattern(), "*");
/// assert_eq!(error.reason(), InvalidHostReason::Wildcard);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvalidHost {
    pattern: String,
    reason: InvalidHostReason,
}

impl InvalidHost {
    /// The pattern, as it was given.
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
        write!(f, "{:?} names no host: {}", self.pattern, self.reason)
    }
}

impl std::error::Error for InvalidHost {}

/// What is wrong with a pattern. See [`InvalidHost`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InvalidHostReason {
    /// There is no name.
    Empty,
    /// It is no host name and no address, or not that alone.
    NotAHost,
    /// The port is not a number from 1 to 65535.
    Port,
    /// There is a `*` anywhere but in a leading `*.` before a name.
    Wildcard,
}

impl fmt::Display for InvalidHostReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "it is empty",
            Self::NotAHost => "write the host alone, without scheme, user or path",
            Self::Port => "the port is not a number from 1 to 65535",
            Self::Wildcard => {
                "a wildcard is a `*.` before a name; every host is a choice of its own"
            }
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
    fn every_host_is_named_only_by_any() {
        let evil = Target::new("http", "evil.com", None);
        assert!(Hosts::any().contains(evil));
        assert!(!Hosts::named::<&str>([]).unwrap().contains(evil));
    }

    #[test]
    fn what_cannot_be_told_is_not_named() {
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
    fn a_pattern_that_names_no_host_is_named_with_the_reason() {
        use InvalidHostReason::{Empty, NotAHost, Port, Wildcard};
        for (pattern, reason) in [
            ("", Empty),
            (":80", Empty),
            ("*.", Empty),
            (".", NotAHost),
            (".example.com", NotAHost),
            ("a..example.com", NotAHost),
            ("example.com..", NotAHost),
            ("https://example.com", NotAHost),
            ("https://example.com:443", NotAHost),
            ("example.com/", NotAHost),
            ("example.com:80/path", NotAHost),
            ("anna@example.com", NotAHost),
            ("anna:secret@example.com", NotAHost),
            ("example.com:80@evil.com", NotAHost),
            ("a b.example.com", NotAHost),
            (" example.com", NotAHost),
            ("ex%61mple.com", NotAHost),
            ("xn--0.example", NotAHost),
            ("[::1", NotAHost),
            ("[::1]x", NotAHost),
            ("[fe80::1%25eth0]", NotAHost),
            ("127.1", NotAHost),
            ("127.0.0.256", NotAHost),
            ("example.com:", Port),
            ("example.com:0", Port),
            ("example.com:65536", Port),
            ("example.com:http", Port),
            ("[::1]:", Port),
            ("*", Wildcard),
            ("*:80", Wildcard),
            ("**.example.com", Wildcard),
            ("*.*.example.com", Wildcard),
            ("api.*.com", Wildcard),
            ("*example.com", Wildcard),
            ("example.*", Wildcard),
            ("*.127.0.0.1", Wildcard),
            ("*.[::1]", Wildcard),
        ] {
            let error = Hosts::named(["a.example.com", pattern]).unwrap_err();
            assert_eq!((error.pattern(), error.reason()), (pattern, reason));
        }
    }
}
