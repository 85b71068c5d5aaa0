//! What comes in: bytes, checked, as what the model calls them.

mod batch;
mod body;
mod decode;
mod orgs;
mod otlp;
mod records;
mod replay;

use axum::Router;

use crate::store::Store;

use self::body::Budget;

pub use self::orgs::{Org, OrgError, Orgs};

/// Where programs send telemetry, and where pages of the organisations send recordings.
pub(crate) fn routes(store: Store, orgs: Orgs) -> (Router, Router) {
    let budget = Budget::new();
    (otlp::routes(store.clone(), budget.clone()), replay::routes(store, orgs, budget))
}
