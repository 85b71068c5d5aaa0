//! W3C Baggage (<https://www.w3.org/TR/baggage/>): reading one member, and merging one in.

use std::borrow::Cow;

use super::token::is_token;

/// What W3C Baggage, "Limits", asks every platform to pass on. A header that was sent to cost time
/// is read no further, and none is made longer.
const MAX_MEMBERS: usize = 64;
const MAX_BYTES: usize = 8192;

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
fn after_key<'a>(member: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let rest = member.trim_ascii_start().strip_prefix(key)?.trim_ascii_start();
    rest.strip_prefix(b"=")
}

/// Whether there is a member of that key anywhere, also beyond what is read.
#[cfg(feature = "client")]
pub(crate) fn contains<'a>(mut lines: impl Iterator<Item = &'a [u8]>, key: &str) -> bool {
    lines.any(|line| {
        line.split(|&byte| byte == b',').any(|member| after_key(member, key.as_bytes()).is_some())
    })
}

/// The lines as one, with the member of that key set to that value, or taken out. `None` if nothing
/// is left.
///
/// All other members stay as they are, byte for byte and in order, over all lines; ours comes last.
/// When there is no room for ours within the limits, ours is the one that yields: what others have
/// put there is not ours to drop.
pub(crate) fn merged<'a>(
    lines: impl Iterator<Item = &'a [u8]>,
    key: &str,
    value: Option<&str>,
) -> Option<Vec<u8>> {
    let mut merged = Vec::new();
    let mut count = 0;
    let mut add = |member: &[u8]| {
        if count > 0 {
            merged.push(b',');
        }
        merged.extend_from_slice(member);
        count += 1;
        (count, merged.len())
    };
    let (mut members, mut bytes) = (0, 0);
    for member in lines.flat_map(|line| line.split(|&byte| byte == b',')) {
        let is_blank = member.trim_ascii().is_empty();
        if !is_blank && after_key(member, key.as_bytes()).is_none() {
            (members, bytes) = add(member);
        }
    }
    if let Some(value) = value {
        let member = member(key, value);
        let comma = usize::from(members > 0);
        if members < MAX_MEMBERS && bytes + comma + member.len() <= MAX_BYTES {
            (members, _) = add(member.as_bytes());
        }
    }
    (members > 0).then_some(merged)
}

/// A member of that key, which must be a token, and that value, encoded.
fn member(key: &str, value: &str) -> String {
    format!("{key}={}", percent_encoding::utf8_percent_encode(value, ENCODED))
}

/// A member with its properties, as they are when decoded. `None` if the key is no token; a property
/// whose key is none is left out.
pub(crate) fn member_with(key: &str, value: &str, properties: &str) -> Option<String> {
    let mut written = is_token(key).then(|| member(key, value))?;
    for property in properties.split(';') {
        let (key, value) = match property.split_once('=') {
            Some((key, value)) => (key.trim(), Some(value.trim())),
            None => (property.trim(), None),
        };
        if is_token(key) {
            written.push(';');
            written.push_str(&value.map_or_else(|| key.to_owned(), |value| member(key, value)));
        }
    }
    Some(written)
}

/// Everything but `baggage-octet = %x21 / %x23-2B / %x2D-3A / %x3C-5B / %x5D-7E`, and `%` itself.
const ENCODED: &percent_encoding::AsciiSet =
    &percent_encoding::CONTROLS.add(b' ').add(b'"').add(b',').add(b';').add(b'\\').add(b'%');

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn merge(lines: &[&str], value: Option<&str>) -> Option<String> {
        let lines = lines.iter().map(|line| line.as_bytes());
        merged(lines, "session.id", value).and_then(|bytes| String::from_utf8(bytes).ok())
    }

    #[test]
    fn others_stay_and_ours_is_set() {
        for (lines, expected) in [
            (&[][..], "session.id=new"),
            (&[""], "session.id=new"),
            (&["a=1"], "a=1,session.id=new"),
            (&["a=1", "b=2"], "a=1,b=2,session.id=new"),
            (&["session.id=old"], "session.id=new"),
            (&["session.id=old,a=1, session.id = older;p=q "], "a=1,session.id=new"),
            (&["a=1;p;q=2 , b = x=y%2C "], "a=1;p;q=2 , b = x=y%2C ,session.id=new"),
            (
                &["session.ids=1,Session.id=2,xsession.id=3"],
                "session.ids=1,Session.id=2,xsession.id=3,session.id=new",
            ),
            (&["not a member,=,a"], "not a member,=,a,session.id=new"),
            (&[",, ,"], "session.id=new"),
        ] {
            assert_eq!(merge(lines, Some("new")).as_deref(), Some(expected), "{lines:?}");
        }
    }

    #[test]
    fn ours_can_be_taken_out() {
        assert_eq!(merge(&["a=1,session.id=old", "b=2"], None).as_deref(), Some("a=1,b=2"));
        assert_eq!(merge(&["session.id=old"], None), None);
        assert_eq!(merge(&[], None), None);
    }

    #[test]
    fn ours_yields_when_there_are_64_members() {
        let others = |count: usize| vec!["a=1"; count].join(",");
        assert_eq!(merge(&[&others(63)], Some("new")), Some(others(63) + ",session.id=new"));
        assert_eq!(merge(&[&others(64)], Some("new")), Some(others(64)));
        assert_eq!(merge(&[&others(70)], Some("new")), Some(others(70)), "none is dropped");
        let with_old = others(63) + ",session.id=old";
        assert_eq!(merge(&[&with_old], Some("new")), Some(others(63) + ",session.id=new"));
        let full_and_old = others(64) + ",session.id=old";
        assert_eq!(merge(&[&full_and_old], Some("new")), Some(others(64)), "the old one goes");
    }

    #[test]
    fn ours_yields_when_there_are_8192_bytes() {
        let others = |bytes: usize| format!("a={}", "1".repeat(bytes - 2));
        let ours = ",session.id=new";
        let fits = others(8192 - ours.len());
        assert_eq!(merge(&[&fits], Some("new")), Some(fits + ours));
        let full = others(8193 - ours.len());
        assert_eq!(merge(&[&full], Some("new")), Some(full));
    }

    #[test]
    fn what_the_grammar_does_not_allow_is_encoded() {
        assert_eq!(
            member("k", "a b,c;d\"e\\f%g=h\u{e9}\t"),
            "k=a%20b%2Cc%3Bd%22e%5Cf%25g=h%C3%A9%09"
        );
    }

    /// Header lines as anyone may send them.
    fn lines() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let member = prop_oneof![
            "[a-c.=;% \t]{0,12}".prop_map(String::into_bytes),
            "[ \t]?(session\\.id|a|b)[ \t]?=[ -+\\--~]{0,12}".prop_map(String::into_bytes),
            proptest::collection::vec((b' '..=255).prop_filter("a comma", |b| *b != b','), 0..12),
        ];
        let line = proptest::collection::vec(member, 0..8).prop_map(|members| members.join(&b','));
        proptest::collection::vec(line, 0..4)
    }

    fn others(lines: &[Vec<u8>]) -> Vec<&[u8]> {
        lines
            .iter()
            .flat_map(|line| line.split(|&byte| byte == b','))
            .filter(|member| !member.trim_ascii().is_empty())
            .filter(|member| value_of(member, b"session.id").is_none())
            .collect()
    }

    proptest! {
        #[test]
        fn all_other_members_are_unchanged(lines in lines(), id in "[A-Za-z0-9._~:/+=-]{1,128}") {
            let merged = merged(lines.iter().map(Vec::as_slice), "session.id", Some(&id)).unwrap();
            let found: Vec<_> = values(std::iter::once(merged.as_slice()), "session.id").collect();
            prop_assert_eq!(found, [Cow::Borrowed(id.as_bytes())]);
            let merged = [merged];
            prop_assert_eq!(others(&merged), others(&lines));
        }

        #[test]
        fn taking_out_leaves_all_others(lines in lines()) {
            let merged = merged(lines.iter().map(Vec::as_slice), "session.id", None);
            let merged: Vec<_> = merged.into_iter().collect();
            prop_assert_eq!(others(&merged), others(&lines));
            prop_assert_eq!(values(merged.iter().map(Vec::as_slice), "session.id").count(), 0);
        }

        #[test]
        fn what_is_written_is_read(key in "[a-z!#$%&'*+.^_`|~0-9-]{1,20}", value in "\\PC{0,80}|[ -~]{0,80}") {
            // White space around a value is not part of it, unless it is encoded, as it is here.
            let written = member(&key, &value);
            let octets = written.bytes().all(|byte| matches!(byte, 0x21..=0x7e) && !b"\",;\\".contains(&byte));
            prop_assert!(octets, "{}", written);
            let read: Vec<_> = values(std::iter::once(written.as_bytes()), &key).collect();
            prop_assert_eq!(read, [Cow::Borrowed(value.as_bytes())]);
        }
    }
}
