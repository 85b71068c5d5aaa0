//! Carriers whose names were checked.

use std::str::FromStr;
use std::sync::Arc;

use super::carrier::{Carrier, Kind};
use crate::inbound::{
    DEFAULT_HEADER, InvalidSetting, InvalidSettingReason, SECRET_HEADERS, baggage,
};

/// A carrier whose name is valid, with the header in the framework's own type.
#[derive(Debug, Clone)]
pub(super) struct ResolvedCarrier<N> {
    pub(super) header: N,
    /// The member, if the header is `baggage`.
    pub(super) baggage_key: Option<Arc<str>>,
}

impl<N: FromStr> ResolvedCarrier<N> {
    /// The header `X-Session-ID` alone.
    pub(super) fn default_list() -> Vec<Self> {
        // Its name is a token, so there is always one.
        Self::new(&Carrier::header(DEFAULT_HEADER)).into_iter().collect()
    }

    /// # Errors
    ///
    /// For the first name that is not valid, or if there are no carriers.
    pub(super) fn list(carriers: &[Carrier]) -> Result<Vec<Self>, InvalidSetting> {
        if carriers.is_empty() {
            return Err(InvalidSetting::empty("carriers"));
        }
        carriers.iter().map(Self::new).collect()
    }

    pub(super) fn new(carrier: &Carrier) -> Result<Self, InvalidSetting> {
        // Keys of baggage are tokens (W3C Baggage), as the names of headers are (RFC 9110).
        let (kind, name) = carrier.parts();
        let invalid = |reason| InvalidSetting::new(kind, name, reason);
        let token =
            |name: &str| name.parse::<N>().map_err(|_| invalid(InvalidSettingReason::NotAToken));
        Ok(match &carrier.0 {
            Kind::Header(name) if SECRET_HEADERS.contains(&&**name) => {
                return Err(invalid(InvalidSettingReason::Secret));
            }
            Kind::Header(name) => Self { header: token(name)?, baggage_key: None },
            Kind::Baggage(key) => {
                token(key)?;
                Self { header: token(baggage::HEADER)?, baggage_key: Some(Arc::clone(key)) }
            }
        })
    }
}
