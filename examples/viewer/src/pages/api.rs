//! The viewer's answers as JSON.

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;

use crate::model::{Session, Summary};
use crate::store::Store;
use crate::{ViewerError, blocking};

pub(super) fn routes(store: Store) -> Router {
    Router::new()
        .route("/api/sessions", get(sessions))
        .route("/api/sessions/{*session_id}", get(session))
        .with_state(store)
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Search {
    #[serde(default)]
    pub(super) q: String,
}

async fn sessions(
    State(store): State<Store>,
    Query(search): Query<Search>,
) -> Result<Json<Vec<Summary>>, ApiError> {
    let sessions = blocking(move || store.sessions(search.q.trim())).await?;
    Ok(Json(sessions))
}

async fn session(
    State(store): State<Store>,
    Path(session_id): Path<String>,
) -> Result<Json<Session>, ApiError> {
    match blocking(move || store.session(&session_id)).await? {
        Some(session) => Ok(Json(session)),
        None => Err(ApiError::UnknownSession),
    }
}

#[derive(Debug)]
enum ApiError {
    UnknownSession,
    Viewer(ViewerError),
}

impl From<ViewerError> for ApiError {
    fn from(error: ViewerError) -> Self {
        Self::Viewer(error)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, error) = match self {
            Self::UnknownSession => (
                StatusCode::NOT_FOUND,
                "no span and no log record carries this session ID".to_owned(),
            ),
            Self::Viewer(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        };
        (status, Json(json!({ "error": error }))).into_response()
    }
}
