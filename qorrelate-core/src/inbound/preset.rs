//! Where a vendor's recorder puts its session ID, and in what form: for the constructors of [`Source`] that
//! are named after recorders.
//!
//! To add a recorder: its constructor in `by_header.rs` or `by_cookie.rs`, and its values, good and bad, in
//! `tests.rs`.
//!
//! [`Source`]: super::Source

mod by_cookie;
mod by_header;
mod format;
#[cfg(feature = "json-cookies")]
mod json;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::str;

use self::format::{Extracted, Format, UnexpectedFormat};
use super::request::RequestHead;
use super::{baggage, cookie};
use crate::id::{BrokenRule, ParseSessionIdError, SessionId, SessionIdRules};

/// What is known of a recorder.
#[derive(Debug, Clone)]
pub(super) struct Preset {
    pub(super) name: &'static str,
    places: Vec<Place>,
    is_joined: bool,
    /// What the recorder's SDK adds to requests across origins, besides.
    other_request_headers: &'static [&'static str],
    pub(super) keeps_slash_in_links: bool,
}

/// One header, baggage member or cookie that a recorder uses.
#[derive(Debug, Clone)]
pub(super) struct Place {
    carrier: Carrier,
    name: Cow<'static, str>,
    format: Format,
    /// It holds a credential besides the ID.
    is_secret: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Carrier {
    Header,
    /// A header that an SDK may set twice, which a browser joins with a comma.
    HeaderList,
    Baggage,
    Cookie,
}

impl Preset {
    /// The first place that has anything counts.
    fn new(name: &'static str, places: impl IntoIterator<Item = Place>) -> Self {
        Self {
            name,
            places: places.into_iter().collect(),
            is_joined: false,
            other_request_headers: &[],
            keeps_slash_in_links: false,
        }
    }

    /// The ID is in parts, one in each place, joined by `/`.
    fn joined(name: &'static str, places: impl IntoIterator<Item = Place>) -> Self {
        Self { is_joined: true, keeps_slash_in_links: true, ..Self::new(name, places) }
    }

    fn other_request_headers(self, other_request_headers: &'static [&'static str]) -> Self {
        Self { other_request_headers, ..self }
    }

    #[cfg(feature = "json-cookies")]
    fn keeps_slash_in_links(self) -> Self {
        Self { keeps_slash_in_links: true, ..self }
    }

    /// The header of each place, and whether its values must not be shown.
    pub(super) fn headers(&self) -> impl Iterator<Item = (&str, bool)> {
        self.places.iter().map(|place| (place.header(), place.is_secret))
    }

    /// The names of the cookies and baggage members.
    pub(super) fn tokens(&self) -> impl Iterator<Item = &str> {
        self.places.iter().map(|place| &*place.name)
    }

    /// What a preflight asks for.
    pub(super) fn request_headers(&self) -> impl Iterator<Item = &str> {
        let own = self.places.iter().filter(|place| place.carrier != Carrier::Cookie);
        own.map(Place::header).chain(self.other_request_headers.iter().copied())
    }

    pub(super) fn is_cookie(&self) -> bool {
        self.places.iter().any(|place| place.carrier == Carrier::Cookie)
    }

    /// `headers` are those of the places, in the framework's own type.
    pub(super) fn read<H: RequestHead>(
        &self,
        head: &H,
        headers: &[H::HeaderName],
        rules: &SessionIdRules,
    ) -> Option<Result<SessionId, ParseSessionIdError>> {
        let places = self.places.iter().zip(headers);
        let mut found = places.map(|(place, header)| place.read(head.header_values(header)));
        let id = if self.is_joined {
            let parts: Option<Result<Vec<_>, _>> = found.collect();
            parts?.map(|parts| Cow::Owned(parts.join("/")))
        } else {
            found.find_map(|found| found)?
        };
        Some(id.and_then(|id| rules.parse(id.as_bytes())))
    }
}

/// Two are equal if they are of the same recorder, and of the same project where that matters.
impl PartialEq for Preset {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.tokens().eq(other.tokens())
    }
}

impl Place {
    fn new(carrier: Carrier, name: impl Into<Cow<'static, str>>, format: Format) -> Self {
        Self { carrier, name: name.into(), format, is_secret: false }
    }

    fn header(&self) -> &str {
        match self.carrier {
            Carrier::Header | Carrier::HeaderList => &self.name,
            Carrier::Baggage => baggage::HEADER,
            Carrier::Cookie => cookie::HEADER,
        }
    }

    /// The ID that all values agree on.
    fn read<'a>(
        &self,
        lines: impl Iterator<Item = &'a [u8]>,
    ) -> Option<Result<Cow<'a, str>, ParseSessionIdError>> {
        match self.carrier {
            Carrier::Header => self.only_id(lines.map(Cow::Borrowed)),
            Carrier::HeaderList => {
                let elements = lines.flat_map(|line| line.split(|&byte| byte == b','));
                self.only_id(elements.map(|element| Cow::Borrowed(element.trim_ascii())))
            }
            Carrier::Baggage => self.only_id(baggage::values(lines, &self.name)),
            Carrier::Cookie => self.only_id(cookie::values(lines, &self.name)),
        }
    }

    fn only_id<'a>(
        &self,
        values: impl Iterator<Item = Cow<'a, [u8]>>,
    ) -> Option<Result<Cow<'a, str>, ParseSessionIdError>> {
        let mut first = None;
        for value in values {
            let len = value.len();
            let broken = |rule| Some(Err(ParseSessionIdError::new(rule, len)));
            match (self.extract(value), &first) {
                (Err(UnexpectedFormat), _) => return broken(BrokenRule::UnexpectedFormat),
                (Ok(None), _) => {}
                (Ok(id), None) => first = id,
                (Ok(Some(id)), Some(first)) if id == *first => {}
                (Ok(Some(_)), Some(_)) => return broken(BrokenRule::Conflicting),
            }
        }
        first.map(Ok)
    }

    fn extract<'a>(&self, value: Cow<'a, [u8]>) -> Extracted<'a> {
        let format = self.format;
        match value {
            Cow::Borrowed(value) => format(text(value)?),
            Cow::Owned(value) => Ok(format(text(&value)?)?.map(|id| Cow::Owned(id.into_owned()))),
        }
    }
}

fn text(value: &[u8]) -> Result<&str, UnexpectedFormat> {
    // Nothing that an SDK sends is longer, and what is need not be looked at.
    const MAX_BYTES: usize = 8192;

    if value.len() > MAX_BYTES {
        return Err(UnexpectedFormat);
    }
    str::from_utf8(value).map_err(|_| UnexpectedFormat)
}
