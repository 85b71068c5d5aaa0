//! What a session ID is: the type, the grammar, and the rules that narrow it.

pub(crate) mod grammar;
pub(crate) mod labels;
mod rules;
mod session_id;

pub use grammar::{BrokenRule, MAX_LEN, ParseSessionIdError};
pub use rules::SessionIdRules;
pub use session_id::SessionId;
