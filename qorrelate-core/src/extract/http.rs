//! `SessionId` as an `http::HeaderValue`.

use http::HeaderValue;

use crate::id::SessionId;

impl From<&SessionId> for HeaderValue {
    fn from(id: &SessionId) -> Self {
        // Every byte that the grammar allows is visible ASCII.
        Self::from_str(id.as_str()).unwrap_or_else(|_| Self::from_static(""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_of_the_grammar_is_one_of_a_header() {
        let id: SessionId = "AZaz09._~:/+=-".parse().unwrap();
        assert_eq!(HeaderValue::from(&id), id.as_str());
    }
}
