//! Reading one query parameter (WHATWG URL, `application/x-www-form-urlencoded`).

use std::borrow::Cow;

/// The decoded values of the parameters of that name.
pub(super) fn values<'a>(query: &'a str, name: &str) -> impl Iterator<Item = Cow<'a, [u8]>> {
    form_urlencoded::parse(query.as_bytes()).filter(move |(key, _)| key == name).map(
        |(_, value)| match value {
            Cow::Borrowed(value) => Cow::Borrowed(value.as_bytes()),
            Cow::Owned(value) => Cow::Owned(value.into_bytes()),
        },
    )
}
