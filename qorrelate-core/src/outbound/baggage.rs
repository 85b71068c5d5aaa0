//! W3C Baggage (<https://www.w3.org/TR/baggage/>): writing one member beside those of others.

use crate::inbound::baggage::{MAX_BYTES, MAX_MEMBERS, after_key};
#[cfg(any(feature = "opentelemetry_0_32", feature = "opentelemetry_0_33"))]
use crate::inbound::token::is_token;

/// The lines as one, with the member of that key set to that value.
///
/// All other members stay as they are, byte for byte and in order, over all lines; ours comes last.
/// `None` if there is no room for it: what others have put there is not ours to drop.
pub(super) fn with_member<'a>(
    lines: impl Iterator<Item = &'a [u8]>,
    key: &str,
    value: &str,
) -> Option<Vec<u8>> {
    let (mut line, count) = others(lines, key);
    if count > 0 {
        line.push(b',');
    }
    line.extend_from_slice(member(key, value).as_bytes());
    (count < MAX_MEMBERS && line.len() <= MAX_BYTES).then_some(line)
}

/// The lines as one, without the member of that key. `None` if nothing is left.
#[cfg(feature = "client")]
pub(super) fn without_member<'a>(
    lines: impl Iterator<Item = &'a [u8]>,
    key: &str,
) -> Option<Vec<u8>> {
    let (line, count) = others(lines, key);
    (count > 0).then_some(line)
}

/// Whether there is a member of that key anywhere, also beyond what is read.
#[cfg(feature = "client")]
pub(super) fn contains<'a>(lines: impl Iterator<Item = &'a [u8]>, key: &str) -> bool {
    members(lines).any(|member| after_key(member, key.as_bytes()).is_some())
}

/// The members of other keys as one line, and how many they are.
fn others<'a>(lines: impl Iterator<Item = &'a [u8]>, key: &str) -> (Vec<u8>, usize) {
    let is_other = |member: &&[u8]| {
        !member.trim_ascii().is_empty() && after_key(member, key.as_bytes()).is_none()
    };
    let (mut line, mut count) = (Vec::new(), 0);
    for member in members(lines).filter(is_other) {
        if count > 0 {
            line.push(b',');
        }
        line.extend_from_slice(member);
        count += 1;
    }
    (line, count)
}

fn members<'a>(lines: impl Iterator<Item = &'a [u8]>) -> impl Iterator<Item = &'a [u8]> {
    lines.flat_map(|line| line.split(|&byte| byte == b','))
}

/// A member of that key, which must be a token, and that value, encoded.
fn member(key: &str, value: &str) -> String {
    format!("{key}={}", percent_encoding::utf8_percent_encode(value, ENCODED))
}

/// A member with its properties, as they are when decoded. `None` if the key is not a token; a property
/// whose key is not one is left out.
#[cfg(any(feature = "opentelemetry_0_32", feature = "opentelemetry_0_33"))]
pub(super) fn member_with(key: &str, value: &str, properties: &str) -> Option<String> {
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

/// Everything but `baggage-octet = %x21 / %x23-2B / %x2D-3A / %x3C-5B / %x5D-7E`; `%` itself; and `=`,
/// which is legal there, but at which OpenTelemetry's Rust SDK cuts the value when it reads it.
const ENCODED: &percent_encoding::AsciiSet = &percent_encoding::CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b',')
    .add(b';')
    .add(b'\\')
    .add(b'%')
    .add(b'=');

#[cfg(all(test, feature = "client"))]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use std::borrow::Cow;

    use proptest::prelude::*;

    use super::*;
    use crate::inbound::baggage::values;

    fn text(merged: Option<Vec<u8>>) -> Option<String> {
        merged.map(|bytes| String::from_utf8(bytes).unwrap())
    }

    fn with(lines: &[&str], value: &str) -> Option<String> {
        text(with_member(lines.iter().map(|line| line.as_bytes()), "session.id", value))
    }

    fn without(lines: &[&str]) -> Option<String> {
        text(without_member(lines.iter().map(|line| line.as_bytes()), "session.id"))
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
            assert_eq!(with(lines, "new").as_deref(), Some(expected), "{lines:?}");
        }
    }

    #[test]
    fn ours_can_be_taken_out() {
        assert_eq!(without(&["a=1,session.id=old", "b=2"]).as_deref(), Some("a=1,b=2"));
        assert_eq!(without(&["session.id=old"]), None);
        assert_eq!(without(&[]), None);
    }

    #[test]
    fn there_is_no_room_beside_64_members() {
        let others = |count: usize| vec!["a=1"; count].join(",");
        assert_eq!(with(&[&others(63)], "new"), Some(others(63) + ",session.id=new"));
        assert_eq!(with(&[&others(64)], "new"), None);
        let with_old = others(63) + ",session.id=old";
        assert_eq!(with(&[&with_old], "new"), Some(others(63) + ",session.id=new"));
    }

    #[test]
    fn there_is_no_room_beyond_8192_bytes() {
        let others = |bytes: usize| format!("a={}", "1".repeat(bytes - 2));
        let ours = ",session.id=new";
        let fits = others(8192 - ours.len());
        assert_eq!(with(&[&fits], "new"), Some(fits + ours));
        assert_eq!(with(&[&others(8193 - ours.len())], "new"), None);
    }

    #[test]
    fn what_the_grammar_does_not_allow_is_encoded() {
        assert_eq!(
            member("k", "a b,c;d\"e\\f%g=h\u{e9}\t"),
            "k=a%20b%2Cc%3Bd%22e%5Cf%25g%3Dh%C3%A9%09"
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

    fn found<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Vec<Cow<'a, [u8]>> {
        values(lines, "session.id").collect()
    }

    /// Said in another way than by the code.
    fn of_others(lines: &[Vec<u8>]) -> Vec<&[u8]> {
        lines
            .iter()
            .flat_map(|line| line.split(|&byte| byte == b','))
            .filter(|member| !member.trim_ascii().is_empty())
            .filter(|member| found(std::iter::once(*member)).is_empty())
            .collect()
    }

    proptest! {
        #[test]
        fn all_other_members_are_unchanged(lines in lines(), id in "[A-Za-z0-9._~:/+=-]{1,128}") {
            let merged = with_member(lines.iter().map(Vec::as_slice), "session.id", &id).unwrap();
            prop_assert_eq!(found(std::iter::once(merged.as_slice())), [Cow::Borrowed(id.as_bytes())]);
            let merged = [merged];
            prop_assert_eq!(of_others(&merged), of_others(&lines));
        }

        #[test]
        fn taking_out_leaves_all_others(lines in lines()) {
            let merged = without_member(lines.iter().map(Vec::as_slice), "session.id");
            let merged: Vec<_> = merged.into_iter().collect();
            prop_assert_eq!(of_others(&merged), of_others(&lines));
            prop_assert!(!contains(merged.iter().map(Vec::as_slice), "session.id"));
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
