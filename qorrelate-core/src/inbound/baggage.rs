//! W3C Baggage (<https://www.w3.org/TR/baggage/>): reading one member. `outbound/baggage.rs` writes it.

use std::borrow::Cow;

/// What W3C Baggage, "Limits", asks every platform to pass on. Longer headers, which may be sent to cost
/// time, are read no further, and none is made longer.
pub(crate) const MAX_MEMBERS: usize = 64;
pub(crate) const MAX_BYTES: usize = 8192;

/// The name of the header.
pub(crate) const HEADER: &str = "baggage";

/// The decoded values of the members of that key, over all lines.
pub(crate) fn values<'a>(
    lines: impl Iterator<Item = &'a [u8]>,
    key: &str,
) -> impl Iterator<Item = Cow<'a, [u8]>> {
    let mut bytes_left = MAX_BYTES;
    lines
        .flat_map(|line| line.split(|&byte| byte == b','))
        .take(MAX_MEMBERS)
        .take_while(move |member| {
            // One more for the comma.
            let fits = member.len() <= bytes_left;
            bytes_left = bytes_left.saturating_sub(member.len() + 1);
            fits
        })
        .filter_map(move |member| value_of(member, key.as_bytes()))
}

/// `list-member = key OWS "=" OWS value *( OWS ";" OWS property )`
fn value_of<'a>(member: &'a [u8], key: &[u8]) -> Option<Cow<'a, [u8]>> {
    let value = after_key(member, key)?.split(|&byte| byte == b';').next()?;
    Some(percent_encoding::percent_decode(value.trim_ascii()).into())
}

/// What follows the `=` of a member, if the member is of that key.
pub(crate) fn after_key<'a>(member: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let rest = member.trim_ascii_start().strip_prefix(key)?.trim_ascii_start();
    rest.strip_prefix(b"=")
}
