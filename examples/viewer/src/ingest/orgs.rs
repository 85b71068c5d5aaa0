//! Whose replays are taken.

use std::collections::BTreeMap;
use std::str::FromStr;

use axum::http::{HeaderValue, Uri};

/// The organisations whose pages may send replays, each with the origins of its pages.
#[derive(Clone, Debug, Default)]
pub struct Orgs(BTreeMap<String, Vec<HeaderValue>>);

/// One of them, written as `demo=http://127.0.0.1:3000,http://localhost:3000`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Org {
    id: String,
    origins: Vec<HeaderValue>,
}

/// Why a text names no organisation.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OrgError {
    /// There is no `=`, or nothing on one of its sides.
    #[error("not an organisation like demo=http://127.0.0.1:3000")]
    Form,
    /// What a browser never sends as `Origin`.
    #[error("{0:?} is not an origin like https://shop.example or http://127.0.0.1:3000")]
    Origin(String),
}

impl FromStr for Org {
    type Err = OrgError;

    fn from_str(text: &str) -> Result<Self, OrgError> {
        let (id, origins) = text.split_once('=').ok_or(OrgError::Form)?;
        if id.is_empty() || origins.is_empty() {
            return Err(OrgError::Form);
        }
        let origins = origins.split(',').map(origin).collect::<Result<_, _>>()?;
        Ok(Self { id: id.to_owned(), origins })
    }
}

/// As browsers write it: in lower case, without the port that is the scheme's own.
fn origin(text: &str) -> Result<HeaderValue, OrgError> {
    let wrong = || OrgError::Origin(text.to_owned());
    let uri: Uri = text.parse().map_err(|_| wrong())?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(wrong());
    };
    let own_port = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return Err(wrong()),
    };
    if !matches!(uri.path(), "" | "/") || uri.query().is_some() || authority.as_str().contains('@')
    {
        return Err(wrong());
    }
    let host = authority.host().to_ascii_lowercase();
    let origin = match authority.port_u16() {
        Some(port) if port != own_port => format!("{scheme}://{host}:{port}"),
        _ => format!("{scheme}://{host}"),
    };
    HeaderValue::try_from(origin).map_err(|_| wrong())
}

impl FromIterator<Org> for Orgs {
    fn from_iter<I: IntoIterator<Item = Org>>(orgs: I) -> Self {
        let mut all = Self::default();
        for org in orgs {
            all.0.entry(org.id).or_default().extend(org.origins);
        }
        all
    }
}

impl Orgs {
    pub(crate) fn has(&self, id: &str, origin: &HeaderValue) -> bool {
        self.0.get(id).is_some_and(|origins| origins.contains(origin))
    }

    pub(crate) fn origins(&self) -> impl Iterator<Item = &HeaderValue> {
        self.0.values().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_organisation_has_origins() {
        let orgs: Orgs = [
            "demo=http://127.0.0.1:3000,HTTPS://Shop.Example:443/",
            "demo=http://localhost:80",
            "b=http://b",
        ]
        .map(|text| text.parse::<Org>().unwrap())
        .into_iter()
        .collect();
        let has = |id, origin| orgs.has(id, &HeaderValue::from_static(origin));
        assert!(has("demo", "http://127.0.0.1:3000"));
        assert!(has("demo", "https://shop.example"));
        assert!(has("demo", "http://localhost"));
        assert!(!has("demo", "http://b") && has("b", "http://b"));
        assert!(!has("other", "http://b") && !has("demo", "null"));
    }

    #[test]
    fn what_is_no_origin_is_said() {
        for text in ["demo", "=http://a", "demo="] {
            assert_eq!(text.parse::<Org>(), Err(OrgError::Form), "{text}");
        }
        for origin in ["a", "ftp://a", "http://a/path", "http://a?q", "http://u@a", "*", "null", ""]
        {
            let text = format!("demo=http://b,{origin}");
            assert_eq!(text.parse::<Org>(), Err(OrgError::Origin(origin.into())), "{text}");
        }
    }
}
