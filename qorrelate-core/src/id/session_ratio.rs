//! A share of the sessions, and those that are kept besides.

use std::fmt;
use std::sync::Arc;

use super::sampling::SamplingFormula;
use super::session_id::SessionId;

/// Which sessions are kept: a share of them, decided on the ID alone, and those that you choose.
///
/// For `SessionSampler` and `SessionTailLogProcessor` of the modules for OpenTelemetry. A number is one:
/// `SessionSampler::ratio(0.1)`.
///
/// # Example
///
/// ```
/// # use qorrelate_core as qorrelate_tower;
/// use qorrelate_tower::{SessionId, SessionRatio}; // or qorrelate_actix
///
/// let ratio = SessionRatio::new(0.0).keep_if(|id| id.as_str().starts_with("qa-"));
///
/// let (tester, user): (SessionId, SessionId) = ("qa-17".parse()?, "u-17".parse()?);
/// assert!(ratio.keeps(&tester));
/// assert!(!ratio.keeps(&user));
/// user.keep(); // as an error does
/// assert!(ratio.keeps(&user));
/// # Ok::<(), qorrelate_core::ParseSessionIdError>(())
/// ```
#[derive(Clone)]
pub struct SessionRatio {
    ratio: f64,
    formula: SamplingFormula,
    keep_if: Option<Arc<Predicate>>,
}

type Predicate = dyn Fn(&SessionId) -> bool + Send + Sync;

impl SessionRatio {
    /// This share of the sessions, by the formula of [`SessionId::is_sampled`]: `0.1` is one in ten.
    ///
    /// Nothing is kept at 0, below it, or at NaN, and everything at 1 or above.
    #[must_use]
    pub const fn new(ratio: f64) -> Self {
        Self { ratio, formula: SamplingFormula::Murmur3, keep_if: None }
    }

    /// Decides by the formula of a recorder, so that the backend keeps the sessions that the recorder keeps.
    ///
    /// ```
    /// # use qorrelate_core::{SamplingFormula, SessionRatio};
    /// let ratio = SessionRatio::new(0.2).formula(SamplingFormula::DatadogRum);
    /// # let _ = ratio;
    /// ```
    #[must_use]
    pub const fn formula(mut self, formula: SamplingFormula) -> Self {
        self.formula = formula;
        self
    }

    /// Keeps also the sessions to which `predicate` answers `true`. It is asked for each span of a session
    /// that the ratio drops, so it should be fast. A second call replaces the first.
    ///
    /// For single sessions that become known as the process runs, there is [`SessionId::keep`].
    #[must_use]
    pub fn keep_if(
        mut self,
        predicate: impl Fn(&SessionId) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.keep_if = Some(Arc::new(predicate));
        self
    }

    /// Whether the session is kept: because of the ratio, of the predicate, or of [`SessionId::keep`].
    #[must_use]
    pub fn keeps(&self, session: &SessionId) -> bool {
        self.chooses(session) || session.is_kept()
    }

    /// As [`keeps`](Self::keeps), but for [`SessionId::keep`].
    pub(crate) fn chooses(&self, session: &SessionId) -> bool {
        session.is_sampled_by(self.formula, self.ratio)
            || self.keep_if.as_ref().is_some_and(|keeps| keeps(session))
    }

    /// The share.
    #[cfg(any(feature = "opentelemetry_0_32", feature = "opentelemetry_0_33"))]
    pub(crate) const fn share(&self) -> f64 {
        self.ratio
    }
}

impl From<f64> for SessionRatio {
    fn from(ratio: f64) -> Self {
        Self::new(ratio)
    }
}

impl fmt::Debug for SessionRatio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionRatio")
            .field("ratio", &self.ratio)
            .field("formula", &self.formula)
            .field("keep_if", &self.keep_if.is_some())
            .finish()
    }
}
