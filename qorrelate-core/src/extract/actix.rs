//! The actix-web extractors `SessionId`, `SessionIdOutcome` and, by way of actix-web's own `Option`,
//! `Option<SessionId>`; and `SessionId` as a header's value.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderValue;
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse, ResponseError};

use crate::adapter::{MissingSessionId, Problem};
use crate::id::SessionId;
use crate::inbound::SessionIdOutcome;

impl FromRequest for SessionId {
    type Error = MissingSessionId;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(MissingSessionId::check(request.extensions().get()))
    }
}

impl FromRequest for SessionIdOutcome {
    type Error = MissingSessionId;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(MissingSessionId::outcome_of(request.extensions().get()))
    }
}

impl ResponseError for MissingSessionId {
    fn status_code(&self) -> StatusCode {
        match self.outcome() {
            Some(_) => StatusCode::BAD_REQUEST,
            None => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.status_code())
            .content_type(Problem::CONTENT_TYPE)
            .body(self.problem().into_body())
    }
}

impl From<&SessionId> for HeaderValue {
    fn from(id: &SessionId) -> Self {
        // Every byte that the grammar allows is visible ASCII.
        Self::from_str(id.as_str()).unwrap_or_else(|_| Self::from_static(""))
    }
}
