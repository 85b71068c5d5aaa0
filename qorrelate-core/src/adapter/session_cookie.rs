//! The cookie that takes a generated session ID to the browser.

use std::time::Duration;

use crate::id::SessionId;
use crate::inbound::token::is_token;
use crate::inbound::{InvalidSetting, InvalidSettingReason};

/// The cookie that takes a generated session ID to the browser: see `set_cookie` of the layer or
/// middleware.
///
/// It is for the whole site (`Path=/`), it is not sent with what other sites do (`SameSite=Lax`, except
/// when they link here), and scripts of the page can read it. It belongs to the host that sets it.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// # use qorrelate_core as qorrelate_tower;
/// use qorrelate_tower::SessionCookie; // or qorrelate_actix
///
/// let cookie = SessionCookie::new("qsid").max_age(Duration::from_secs(30 * 60)).secure(true);
/// # let _ = cookie;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionCookie {
    name: String,
    max_age: Duration,
    is_secure: bool,
}

impl SessionCookie {
    /// A cookie of this name, which a browser keeps for 15 minutes.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), max_age: Duration::from_secs(15 * 60), is_secure: false }
    }

    /// How long a browser keeps it (`Max-Age`, RFC 6265, section 5.2.2), in whole seconds. That is how
    /// long the session lasts, unless the script for browsers renews the cookie while the page is used.
    #[must_use]
    pub const fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = max_age;
        self
    }

    /// Whether a browser sends it over HTTPS only (`Secure`). It is off by default, because then it does
    /// not work over plain HTTP, as in development. Say `data-cookie-with="secure"` to the script for
    /// browsers too, which otherwise renews the cookie without it.
    #[must_use]
    pub const fn secure(mut self, is_secure: bool) -> Self {
        self.is_secure = is_secure;
        self
    }

    pub(super) fn checked(self) -> Result<Self, InvalidSetting> {
        if is_token(&self.name) {
            Ok(self)
        } else {
            Err(InvalidSetting::new("cookie", &self.name, InvalidSettingReason::NotAToken))
        }
    }

    pub(super) fn to_set(&self, id: &SessionId) -> CookieToSet {
        let Self { name, max_age, is_secure } = self;
        let secure = if *is_secure { "; Secure" } else { "" };
        let max_age = max_age.as_secs();
        // Every byte of an ID is a `cookie-octet` (RFC 6265, section 4.1.1).
        CookieToSet {
            line: format!("{name}={id}; Path=/; SameSite=Lax; Max-Age={max_age}{secure}"),
        }
    }
}

/// The cookie to set in the response to one request, if that is a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CookieToSet {
    line: String,
}

impl CookieToSet {
    /// The value of the `Set-Cookie` header to append to a response with these headers. `None` if it is
    /// not HTML, or sets a cookie of that name already.
    pub fn line_for<'a>(
        &self,
        content_type: Option<&[u8]>,
        mut set_cookies: impl Iterator<Item = &'a [u8]>,
    ) -> Option<&str> {
        let is_html = content_type.is_some_and(|content_type| {
            let essence = content_type.split(|&byte| byte == b';').next();
            essence.is_some_and(|essence| essence.trim_ascii().eq_ignore_ascii_case(b"text/html"))
        });
        let name = name_of(self.line.as_bytes());
        let mut sets = || set_cookies.any(|line| name_of(line) == name);
        (is_html && !sets()).then_some(&self.line)
    }
}

fn name_of(line: &[u8]) -> Option<&[u8]> {
    line.split(|&byte| byte == b'=').next().map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to_set(cookie: SessionCookie) -> CookieToSet {
        cookie.checked().unwrap().to_set(&"abc/1+2=".parse().unwrap())
    }

    fn line(content_type: Option<&str>, set_cookies: &[&str]) -> Option<String> {
        let set_cookies = set_cookies.iter().map(|line| line.as_bytes());
        let content_type = content_type.map(str::as_bytes);
        to_set(SessionCookie::new("qsid")).line_for(content_type, set_cookies).map(str::to_owned)
    }

    #[test]
    fn pages_get_the_cookie() {
        let expected = "qsid=abc/1+2=; Path=/; SameSite=Lax; Max-Age=900";
        for html in ["text/html", "text/html; charset=utf-8", "TEXT/HTML ;a=b"] {
            assert_eq!(line(Some(html), &[]).as_deref(), Some(expected), "{html}");
        }
        for other in [None, Some(""), Some("text/html5"), Some("application/json"), Some("text")] {
            assert_eq!(line(other, &[]), None, "{other:?}");
        }
    }

    #[test]
    fn a_cookie_of_that_name_is_left() {
        for (set_cookie, is_set) in [
            ("qsid=own; Path=/", false),
            (" qsid =own", false),
            ("qsid=", false),
            ("other=qsid=1", true),
            ("qsid2=1", true),
            ("QSID=1", true),
        ] {
            assert_eq!(line(Some("text/html"), &["a=1", set_cookie]).is_some(), is_set);
        }
    }

    #[test]
    fn a_service_chooses_how_long_it_lasts_and_that_it_needs_https() {
        let cookie = SessionCookie::new("a").max_age(Duration::from_millis(90_500)).secure(true);
        assert_eq!(to_set(cookie).line, "a=abc/1+2=; Path=/; SameSite=Lax; Max-Age=90; Secure");
        for name in ["", "a b", "a=b", "a;b", "ä"] {
            let error = SessionCookie::new(name).checked().unwrap_err();
            assert_eq!(error.reason(), InvalidSettingReason::NotAToken, "{name:?}");
        }
    }
}
