//! The forms that recorders write their IDs in.

use std::borrow::Cow;

/// Takes the session ID out of what a recorder sends.
pub(super) type Format = for<'a> fn(&'a str) -> Extracted<'a>;

/// `None` if the recorder says that there is no session, or none that is recorded.
pub(super) type Extracted<'a> = Result<Option<Cow<'a, str>>, UnexpectedFormat>;

/// The recorder sends nothing like this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct UnexpectedFormat;

/// The ID, if it is as it should be.
pub(super) fn id_if<'a>(is_expected: bool, id: impl Into<Cow<'a, str>>) -> Extracted<'a> {
    if is_expected { Ok(Some(id.into())) } else { Err(UnexpectedFormat) }
}

/// A UUID (RFC 9562), hyphenated, in lower case.
pub(super) fn uuid(value: &str) -> Extracted<'_> {
    id_if(is_uuid(value), value)
}

pub(super) fn is_uuid(value: &str) -> bool {
    value.len() == 36
        && value.bytes().enumerate().all(|(position, byte)| match position {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => is_lower_hex(byte),
        })
}

/// 32 lower-case hex digits.
pub(super) fn hex_32(value: &str) -> Extracted<'_> {
    id_if(value.len() == 32 && value.bytes().all(is_lower_hex), value)
}

fn is_lower_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// Highlight: `<session>/<request>`. The session is empty before the recorder has one.
pub(super) fn highlight(value: &str) -> Extracted<'_> {
    match value.split_once('/') {
        _ if value.is_empty() => Ok(None),
        Some(("", _)) => Ok(None),
        Some((id, _)) => {
            id_if(id.len() == 28 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()), id)
        }
        None => Err(UnexpectedFormat),
    }
}

/// OpenReplay: `<ID, base 36>.<…>.<…>.<…>`. **All of it together is a credential.**
pub(super) fn openreplay_token(value: &str) -> Extracted<'_> {
    let mut fields = value.split('.');
    let id = fields.next().filter(|id| id.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let id = id.and_then(|id| u64::from_str_radix(id, 36).ok());
    let has_other_fields = fields.by_ref().take(3).filter(|field| !field.is_empty()).count() == 3;
    match id {
        Some(id) if id != 0 && has_other_fields && fields.next().is_none() => {
            Ok(Some(Cow::Owned(id.to_string())))
        }
        _ => Err(UnexpectedFormat),
    }
}

/// OpenReplay: the ID as a decimal number.
pub(super) fn openreplay_id(value: &str) -> Extracted<'_> {
    let is_number = value.parse::<u64>().is_ok() && !value.starts_with(['0', '+']);
    id_if(is_number, value)
}

/// LogRocket: `https://app.logrocket.com/<organisation>/<app>/s/<ID>/…`.
pub(super) fn logrocket_url(value: &str) -> Extracted<'_> {
    let path = path_after(value, "https://app.logrocket.com/").ok_or(UnexpectedFormat)?;
    match path.splitn(5, '/').collect::<Vec<_>>()[..] {
        [organisation, app, "s", id] | [organisation, app, "s", id, _]
            if !organisation.is_empty() && !app.is_empty() =>
        {
            id_if(is_logrocket_id(id), id)
        }
        _ => Err(UnexpectedFormat),
    }
}

/// `<digit>-<UUID>`
fn is_logrocket_id(id: &str) -> bool {
    id.split_once('-').is_some_and(|(digit, uuid)| {
        digit.len() == 1 && digit.bytes().all(|byte| byte.is_ascii_digit()) && is_uuid(uuid)
    })
}

/// FullStory: `https://app.fullstory.com/ui/<organisation>/session/<device>:<session>`, with the time that
/// the link opens the replay at after it.
pub(super) fn fullstory_url(value: &str) -> Extracted<'_> {
    let path = path_after(value, "https://app.fullstory.com/ui/")
        .or_else(|| path_after(value, "https://app.eu1.fullstory.com/ui/"))
        .ok_or(UnexpectedFormat)?;
    let Some((organisation, id)) = path.split_once("/session/") else {
        return Err(UnexpectedFormat);
    };
    let id =
        percent_encoding::percent_decode_str(id).decode_utf8().map_err(|_| UnexpectedFormat)?;
    let mut parts = id.splitn(3, ':');
    let is_part = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    match (parts.next(), parts.next()) {
        (Some(device), Some(session)) => id_if(
            is_part(device)
                && is_part(session)
                && !organisation.is_empty()
                && !organisation.contains('/'),
            format!("{device}:{session}"),
        ),
        _ => Err(UnexpectedFormat),
    }
}

/// The path, without the query and the fragment, of a URL that begins with this.
fn path_after<'a>(url: &'a str, start: &str) -> Option<&'a str> {
    url.strip_prefix(start)?.split(['?', '#']).next()
}

/// Dynatrace: `<n>$…v<32 A-Z>-<n>e<n>`.
pub(super) fn dynatrace(value: &str) -> Extracted<'_> {
    let id = value.split_once('$').and_then(|(_, rest)| rest.split_once('v'));
    let id = id.and_then(|(_, rest)| rest.split_once('e'));
    let Some((id, last)) = id else { return Err(UnexpectedFormat) };
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let is_expected = id.split_once('-').is_some_and(|(letters, number)| {
        letters.len() == 32
            && letters.bytes().all(|byte| byte.is_ascii_uppercase())
            && is_number(number)
    });
    id_if(is_expected && is_number(last), id)
}

/// Datadog and OpenObserve: `id=<UUID>` among pairs joined by `&`. A session that has ended says
/// `isExpired=1`, one that is not sampled `rum=0`.
pub(super) fn datadog_cookie(value: &str) -> Extracted<'_> {
    let pair = |key: &str| {
        value.split('&').find_map(|pair| pair.split_once('=').filter(|(name, _)| *name == key))
    };
    let is = |key: &str, expected: &str| pair(key).is_some_and(|(_, value)| value == expected);
    match pair("id") {
        _ if is("isExpired", "1") || is("rum", "0") => Ok(None),
        Some((_, id)) => uuid(id),
        // Between two sessions, or while one is made.
        None if value.split('&').all(|pair| pair.contains('=')) => Ok(None),
        None => Err(UnexpectedFormat),
    }
}

/// Application Insights: `<22 of the base64 alphabet>|<ms>|<ms>`.
pub(super) fn app_insights(value: &str) -> Extracted<'_> {
    let id = value.split('|').next().unwrap_or_default();
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    id_if(value.contains('|') && id.len() == 22 && id.bytes().all(is_base64), id)
}

/// Clarity: the first of what is joined by `^`, or by `|` in older versions.
pub(super) fn clarity(value: &str) -> Extracted<'_> {
    let Some((id, _)) = value.split_once(['^', '|']) else { return Err(UnexpectedFormat) };
    let is_id = (1..=32).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric());
    id_if(is_id, id)
}
