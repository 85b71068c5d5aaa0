//! Reading one cookie (RFC 6265, section 4.2.1).

use std::borrow::Cow;

/// The name of the header.
pub(super) const HEADER: &str = "cookie";

/// The decoded values of the cookies of that name, over all lines: HTTP/2 may split them.
pub(super) fn values<'a>(
    lines: impl Iterator<Item = &'a [u8]>,
    name: &str,
) -> impl Iterator<Item = Cow<'a, [u8]>> {
    lines
        .flat_map(|line| line.split(|&byte| byte == b';'))
        .filter_map(move |pair| value_of(pair, name.as_bytes()))
}

/// `cookie-pair = cookie-name "=" ( *cookie-octet / ( DQUOTE *cookie-octet DQUOTE ) )`
fn value_of<'a>(pair: &'a [u8], name: &[u8]) -> Option<Cow<'a, [u8]>> {
    let value = pair.trim_ascii().strip_prefix(name)?.strip_prefix(b"=")?;
    let unquoted = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    Some(percent_decoded(unquoted.unwrap_or(value)))
}

/// A value as a browser's `encodeURIComponent` wrote it. No ID holds a `%`, so a value that was
/// never encoded is not changed.
fn percent_decoded(value: &[u8]) -> Cow<'_, [u8]> {
    percent_encoding::percent_decode(value).into()
}
