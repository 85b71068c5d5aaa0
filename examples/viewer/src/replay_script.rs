//! What build.rs bundled: the script that pages load to be recorded, and the player.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use axum::Router;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;

const SCRIPT: &str = include_str!(concat!(env!("OUT_DIR"), "/replay.js"));
/// The player, for the session's page.
pub(crate) const PLAYER: &str = include_str!(concat!(env!("OUT_DIR"), "/player.js"));
/// Its style.
pub(crate) const PLAYER_STYLE: &str = include_str!(concat!(env!("OUT_DIR"), "/player.css"));

/// Why nothing can be recorded or played: what failed when the viewer was built.
pub(crate) const fn why_unavailable() -> Option<&'static str> {
    const WHY: &str = env!("WHY_NO_REPLAY");
    if WHY.is_empty() { None } else { Some(WHY) }
}

/// The script, for pages of any origin.
pub(crate) fn routes() -> Router {
    Router::new()
        .route("/replay.js", get(script))
        .layer(CompressionLayer::new().quality(CompressionLevel::Best))
}

async fn script(asked: HeaderMap) -> Response {
    const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
    let tag = tag();
    let headers = [
        (CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (CACHE_CONTROL, "no-cache"),
        (RESOURCE_POLICY, "cross-origin"),
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (ETAG, &tag),
    ];
    let known = asked.get_all(IF_NONE_MATCH).iter().any(|known| known == tag.as_str());
    if known {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, SCRIPT).into_response()
}

/// Weak, as it is the same however the script is compressed.
fn tag() -> String {
    let mut hasher = DefaultHasher::new();
    SCRIPT.hash(&mut hasher);
    format!("W/\"{:016x}\"", hasher.finish())
}
