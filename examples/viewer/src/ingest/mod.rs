//! What comes in: bytes, checked, as what the model calls them.

mod decode;
mod otlp;

use axum::Router;

use crate::store::Store;

pub(crate) fn routes(store: Store) -> Router {
    otlp::routes(store)
}
