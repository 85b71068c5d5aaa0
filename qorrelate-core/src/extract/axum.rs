//! The axum extractors `SessionId`, `Option<SessionId>` and `SessionIdOutcome`.

use std::convert::Infallible;

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use http::request::Parts;

use crate::adapter::{MissingSessionId, Problem};
use crate::id::SessionId;
use crate::inbound::SessionIdOutcome;

impl<S: Sync> FromRequestParts<S> for SessionId {
    type Rejection = MissingSessionId;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        MissingSessionId::check(parts.extensions.get())
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for SessionId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Self::Rejection> {
        Ok(match parts.extensions.get::<SessionIdOutcome>() {
            Some(outcome) => outcome.session_id().cloned(),
            None => Self::current(),
        })
    }
}

impl<S: Sync> FromRequestParts<S> for SessionIdOutcome {
    type Rejection = MissingSessionId;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        MissingSessionId::outcome_of(parts.extensions.get())
    }
}

impl IntoResponse for MissingSessionId {
    fn into_response(self) -> Response {
        let problem = self.problem();
        let status =
            StatusCode::from_u16(problem.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, [(CONTENT_TYPE, Problem::CONTENT_TYPE)], problem.into_body()).into_response()
    }
}
