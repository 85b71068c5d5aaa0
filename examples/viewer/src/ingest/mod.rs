//! What comes in: bytes, checked, as what the model calls them.

mod body;
mod decode;
mod otlp;
mod records;

use axum::Router;

use crate::store::Store;

pub(crate) fn routes(store: Store) -> Router {
    otlp::routes(store)
}
