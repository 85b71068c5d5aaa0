//! A token (RFC 9110, section 5.6.2), where no framework has a type for the name of a header.

use std::str::FromStr;

/// The name of a header, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token(String);

impl Token {
    #[cfg(any(feature = "opentelemetry_0_32", feature = "opentelemetry_0_33"))]
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

pub(crate) struct NotAToken;

impl FromStr for Token {
    type Err = NotAToken;

    fn from_str(name: &str) -> Result<Self, NotAToken> {
        if is_token(name) { Ok(Self(name.to_ascii_lowercase())) } else { Err(NotAToken) }
    }
}

pub(crate) fn is_token(name: &str) -> bool {
    let is_tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_tchar)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_a_token_is_what_http_takes_for_a_name(name in "\\PC{0,6}|[!-~]{0,6}") {
            prop_assert_eq!(is_token(&name), name.parse::<http::HeaderName>().is_ok());
        }
    }
}
