//! What a session ID is: the type, the grammar, and the rules that narrow it. Which sessions are kept.

pub(crate) mod grammar;
#[cfg(any(feature = "opentelemetry_0_32", feature = "opentelemetry_0_33"))]
pub(crate) mod holders;
pub(crate) mod kept;
pub(crate) mod labels;
mod rules;
mod sampling;
mod session_id;
mod session_ratio;

pub use grammar::{BrokenRule, MAX_LEN, ParseSessionIdError};
pub use rules::SessionIdRules;
pub use sampling::SamplingFormula;
pub use session_id::SessionId;
pub use session_ratio::SessionRatio;
