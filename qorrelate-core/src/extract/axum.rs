//! The axum extractors `SessionId` and `Option<SessionId>`.

use std::convert::Infallible;

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use http::request::Parts;

use super::MissingSessionId;
use crate::id::SessionId;
use crate::problem::Problem;

impl<S: Sync> FromRequestParts<S> for SessionId {
    type Rejection = MissingSessionId;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Self::require()
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for SessionId {
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Option<Self>, Self::Rejection> {
        Ok(Self::current())
    }
}

impl IntoResponse for MissingSessionId {
    fn into_response(self) -> Response {
        let problem = self.problem();
        (StatusCode::BAD_REQUEST, [(CONTENT_TYPE, Problem::CONTENT_TYPE)], problem.into_body())
            .into_response()
    }
}
