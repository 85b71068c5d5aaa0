//! What a session is shown by besides `session.id`: the attributes that a vendor's own backend looks for, and
//! the link to its replay.

use std::sync::Arc;

/// Given to a session by the source that it was found in. Shared by all its sessions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Labels {
    pub(crate) attributes: Vec<Arc<str>>,
    pub(crate) replay_link: Option<ReplayLink>,
    /// The ID is that of a replay in Sentry.
    #[cfg(feature = "sentry")]
    pub(crate) is_sentry_replay: bool,
}

impl Labels {
    /// Whether any is shown on spans.
    pub(crate) fn are_shown(&self) -> bool {
        !self.attributes.is_empty() || self.replay_link.is_some()
    }
}

/// How the link to a replay is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReplayLink {
    pub(crate) attribute: Arc<str>,
    /// Has `{id}` where the ID goes.
    pub(crate) template: Arc<str>,
    /// The ID is made of path segments, which were checked.
    pub(crate) keeps_slash: bool,
}

#[cfg(any(feature = "opentelemetry_0_32", feature = "opentelemetry_0_33"))]
impl ReplayLink {
    /// For an ID that is percent-encoded.
    pub(crate) fn url(&self, encoded: &str) -> String {
        if self.keeps_slash {
            self.template.replace(PLACEHOLDER, &encoded.replace("%2F", "/"))
        } else {
            self.template.replace(PLACEHOLDER, encoded)
        }
    }
}

pub(crate) const PLACEHOLDER: &str = "{id}";
