//! Who may ask: programs on this machine, and the viewer's own pages in a browser.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::problem::Problem;

/// Answers only to names of this machine.
///
/// A web page can have its own name point at 127.0.0.1 (DNS rebinding): for the browser, the viewer is then the
/// page's own origin. The `Host` still tells.
pub(crate) async fn loopback_names(request: Request, next: Next) -> Response {
    if names_this_machine(&request) {
        return next.run(request).await;
    }
    Problem::new(
        StatusCode::MISDIRECTED_REQUEST,
        "the viewer answers to localhost, 127.0.0.1 and [::1] only",
    )
    .into_response()
}

fn names_this_machine(request: &Request) -> bool {
    let hosts = request.headers().get_all(HOST).iter();
    let named = hosts.map(|host| Authority::try_from(host.as_bytes()).ok());
    let addressed = request.uri().authority().cloned();
    let mut names = named.chain(addressed.map(Some)).peekable();
    names.peek().is_some() && names.all(|name| name.is_some_and(|name| is_loopback(name.host())))
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// Refuses what pages of other origins ask for, except that they link here.
pub(crate) async fn own_pages(request: Request, next: Next) -> Response {
    if is_own(request.method(), request.headers()) {
        return next.run(request).await;
    }
    Problem::new(StatusCode::FORBIDDEN, "pages of other origins may link here, but not read")
        .into_response()
}

/// By the Fetch Metadata headers (W3C), or by `Origin` where a browser sends none.
fn is_own(method: &Method, headers: &HeaderMap) -> bool {
    const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
    const MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
    const DESTINATION: HeaderName = HeaderName::from_static("sec-fetch-dest");
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    match (text(SITE), text(ORIGIN)) {
        (Some("same-origin" | "none"), _) | (None, None) => true,
        (Some(_), _) => {
            *method == Method::GET
                && text(MODE) == Some("navigate")
                && text(DESTINATION) == Some("document")
        }
        (None, Some(origin)) => {
            origin.split_once("://").map(|(_, authority)| authority) == text(HOST)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loopback() {
        for name in ["localhost", "LocalHost", "127.0.0.1", "127.9.9.9", "[::1]"] {
            assert!(is_loopback(name), "{name}");
        }
        let others =
            ["rebound.test", "localhost.evil.test", "10.0.0.1", "0.0.0.0", "127.0.0.1.evil.test"];
        for name in others {
            assert!(!is_loopback(name), "{name}");
        }
    }

    #[test]
    fn other_origins_may_link_and_nothing_else() {
        let own = |method: &str, headers: &[(&'static str, &'static str)]| {
            let headers = headers
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
            is_own(&method.parse().unwrap(), &headers.collect())
        };
        const HERE: (&str, &str) = ("host", "127.0.0.1:3002");
        assert!(own("GET", &[HERE]), "a program");
        assert!(own("POST", &[HERE, ("sec-fetch-site", "same-origin")]));
        assert!(own("DELETE", &[HERE, ("origin", "http://127.0.0.1:3002")]));
        let link = [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        for site in ["same-site", "cross-site", "nonsense"] {
            let site = ("sec-fetch-site", site);
            assert!(own("GET", &[HERE, site, link[0], link[1]]), "{site:?}");
            assert!(!own("POST", &[HERE, site, link[0], link[1]]), "{site:?}: a form");
            assert!(!own("GET", &[HERE, site, link[0], ("sec-fetch-dest", "iframe")]), "{site:?}");
            assert!(!own("GET", &[HERE, site, ("sec-fetch-mode", "no-cors")]), "{site:?}");
        }
        assert!(!own("GET", &[HERE, ("origin", "http://127.0.0.1:3000")]));
        assert!(!own("GET", &[HERE, ("origin", "null")]));
    }
}
