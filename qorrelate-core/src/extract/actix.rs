//! The actix-web extractors `SessionId` and, by way of actix-web's own `Option`, `Option<SessionId>`.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::{FromRequest, HttpRequest, HttpResponse, ResponseError};

use super::MissingSessionId;
use crate::id::SessionId;
use crate::problem::Problem;

impl FromRequest for SessionId {
    type Error = MissingSessionId;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(_: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::require())
    }
}

impl ResponseError for MissingSessionId {
    fn status_code(&self) -> StatusCode {
        StatusCode::BAD_REQUEST
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.status_code())
            .content_type(Problem::CONTENT_TYPE)
            .body(self.problem().into_body())
    }
}
