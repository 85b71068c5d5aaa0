//! The search for a session ID: the sources in their order, under the rules.

use std::str::FromStr;

use super::invalid_setting::InvalidSetting;
use super::request::RequestHead;
use super::source::{DEFAULT_HEADER, ResolvedSource, Source};
use crate::id::{ParseSessionIdError, SessionId, SessionIdRules};

/// Where to look, and what to accept. `N` is the framework's type for the name of a header.
#[derive(Debug, Clone)]
pub(crate) struct Search<N> {
    sources: Vec<ResolvedSource<N>>,
    /// Those that hold a credential besides the ID.
    pub(crate) secret_headers: Vec<N>,
    pub(crate) rules: SessionIdRules,
}

/// What a search found.
#[derive(Debug)]
pub(crate) enum Finding {
    /// The first accepted ID.
    Found(SessionId, Source),
    /// Nothing anywhere.
    Nothing,
    /// No accepted ID; the first source that had something malformed.
    Malformed(Source, ParseSessionIdError),
}

impl<N: FromStr + Clone> Search<N> {
    /// The header `X-Session-ID`, and every well-formed ID.
    pub(crate) fn new() -> Self {
        Self {
            // The default header's name is a token, so there is always one.
            sources: ResolvedSource::new(Source::header(DEFAULT_HEADER)).into_iter().collect(),
            secret_headers: Vec::new(),
            rules: SessionIdRules::new(),
        }
    }

    pub(crate) fn sources(
        mut self,
        sources: impl IntoIterator<Item = Source>,
    ) -> Result<Self, InvalidSetting> {
        self.sources = sources.into_iter().map(ResolvedSource::new).collect::<Result<_, _>>()?;
        if self.sources.is_empty() {
            return Err(InvalidSetting::empty("sources"));
        }
        let secret_headers = self.sources.iter().flat_map(ResolvedSource::secret_headers);
        self.secret_headers = secret_headers.cloned().collect();
        Ok(self)
    }

    pub(crate) fn has_labels(&self) -> bool {
        self.sources.iter().any(|source| source.source().labels().is_some_and(|it| it.are_shown()))
    }

    /// What `Access-Control-Allow-Headers` must name.
    pub(crate) fn request_headers(&self) -> Vec<N>
    where
        N: PartialEq,
    {
        let mut headers = Vec::new();
        let names = self.sources.iter().flat_map(|source| source.source().request_headers());
        for header in names.filter_map(|name| name.parse().ok()) {
            if !headers.contains(&header) {
                headers.push(header);
            }
        }
        headers
    }

    /// Looks in the sources that `is_read` lets through.
    #[inline]
    pub(crate) fn run<H>(&self, head: &H, is_read: impl Fn(&Source) -> bool) -> Finding
    where
        H: RequestHead<HeaderName = N>,
    {
        let mut malformed = None;
        for source in self.sources.iter().filter(|source| is_read(source.source())) {
            match source.read(head, &self.rules) {
                None => {}
                Some(Ok(id)) => {
                    let source = source.source();
                    return Finding::Found(id.with_labels(source.labels()), source.clone());
                }
                Some(Err(error)) => {
                    malformed.get_or_insert((source.source(), error));
                }
            }
        }
        match malformed {
            None => Finding::Nothing,
            Some((source, error)) => Finding::Malformed(source.clone(), error),
        }
    }
}
