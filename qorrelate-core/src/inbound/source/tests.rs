//! The bounds of what is read; what is read within them is in the cross-adapter table.

use super::*;

struct Head {
    lines: Vec<Vec<u8>>,
}

impl RequestHead for Head {
    type HeaderName = http::HeaderName;

    fn header_values(&self, _: &http::HeaderName) -> impl Iterator<Item = &[u8]> {
        self.lines.iter().map(Vec::as_slice)
    }

    fn method(&self) -> &str {
        "GET"
    }

    fn path(&self) -> &str {
        "/"
    }

    fn query(&self) -> Option<&str> {
        None
    }
}

fn read(source: Source, lines: &[&str]) -> Option<Result<String, BrokenRule>> {
    let head = Head { lines: lines.iter().map(|line| line.as_bytes().to_vec()).collect() };
    ResolvedSource::new(source)
        .unwrap()
        .read(&head, &SessionIdRules::new())
        .map(|result| result.map(|id| id.to_string()).map_err(|error| error.rule()))
}

fn baggage(lines: &[&str]) -> Option<Result<String, BrokenRule>> {
    read(Source::baggage(), lines)
}

fn found(id: &str) -> Option<Result<String, BrokenRule>> {
    Some(Ok(id.to_owned()))
}

#[test]
fn a_baggage_of_64_members_is_read_and_the_65th_is_not() {
    let members = |before: usize| format!("{}session.id=abc", "a=1,".repeat(before));
    assert_eq!(baggage(&[&members(63)]), found("abc"));
    assert_eq!(baggage(&[&members(64)]), None);
    assert_eq!(baggage(&[&"a=1,".repeat(63), "session.id=abc"]), None, "an empty member counts");
}

#[test]
fn a_baggage_of_8192_bytes_is_read_and_what_lies_beyond_is_not() {
    let member = "session.id=abc";
    let line = |bytes: usize| format!("a={},{member}", "1".repeat(bytes - member.len() - 3));
    assert_eq!(line(8192).len(), 8192);
    assert_eq!(baggage(&[&line(8192)]), found("abc"));
    assert_eq!(baggage(&[&line(8193)]), None);
    assert_eq!(baggage(&[&"a".repeat(8192), member]), None);
}

#[test]
fn a_member_that_only_begins_with_the_key_is_another() {
    assert_eq!(baggage(&["session.ids=a,session.id.x=b,xsession.id=c,session.id"]), None);
    assert_eq!(baggage(&["Session.Id=a"]), None, "keys are case-sensitive");
}

#[test]
fn a_member_without_a_value_is_malformed() {
    assert_eq!(baggage(&["session.id="]), Some(Err(BrokenRule::Empty)));
    assert_eq!(baggage(&["session.id=;p=1"]), Some(Err(BrokenRule::Empty)));
}

#[test]
fn a_broken_percent_encoding_is_malformed_not_mended() {
    for value in ["session.id=a%", "session.id=a%4", "session.id=a%zz", "session.id=a%2561"] {
        assert_eq!(baggage(&[value]), Some(Err(BrokenRule::ForbiddenByte)), "{value}");
    }
}

#[test]
fn cookies_are_read_over_several_lines_and_keep_what_is_inside_of_quotes_only_as_a_pair() {
    let cookie = |lines: &[&str]| read(Source::cookie("sid"), lines);
    assert_eq!(cookie(&["a=1", "sid=abc"]), found("abc"));
    assert_eq!(cookie(&["sid=a=b"]), found("a=b"));
    assert_eq!(cookie(&["sid=\"abc"]), Some(Err(BrokenRule::ForbiddenByte)));
    assert_eq!(cookie(&["sid=abc; sid=abd"]), Some(Err(BrokenRule::Conflicting)));
    assert_eq!(cookie(&["xsid=abc; sidx=abc; sid"]), None);
}

#[test]
fn a_long_value_is_not_compared_with_the_next() {
    let long = "a".repeat(129);
    assert_eq!(
        read(Source::header("x"), &[&long, "other"]),
        Some(Err(BrokenRule::TooLong { max: 128 })),
    );
}

#[test]
fn names_that_are_no_tokens_are_refused_when_they_are_set() {
    for source in [
        Source::header("x session"),
        Source::header(""),
        Source::header("x-s\u{e9}ssion"),
        Source::baggage_member("session,id"),
        Source::cookie("sid=1"),
        Source::query("\"quoted\""),
    ] {
        let error = ResolvedSource::<http::HeaderName>::new(source.clone()).unwrap_err();
        assert_eq!(error.reason(), InvalidSettingReason::NotAToken, "{source}");
    }
}

#[test]
fn what_holds_credentials_is_no_source() {
    for name in ["Authorization", "authorization", "Proxy-Authorization", "Cookie", "Set-Cookie"] {
        let error = ResolvedSource::<http::HeaderName>::new(Source::header(name)).unwrap_err();
        assert_eq!(error.reason(), InvalidSettingReason::Secret, "{name}");
    }
}

#[test]
fn a_search_in_no_sources_is_refused() {
    let error = crate::inbound::Search::<http::HeaderName>::new().sources([]).unwrap_err();
    assert_eq!(error.reason(), InvalidSettingReason::Empty);
    assert_eq!(error.to_string(), "the list of sources is empty");
    assert_eq!(format!("{error:?}"), "InvalidSetting(the list of sources is empty)");
}
