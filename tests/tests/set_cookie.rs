//! A session that was generated is taken to the browser by the first page, in both adapters over a socket.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpResponse, ResponseError, web};
use axum::Router;
use axum::response::{Html, IntoResponse, Redirect};
use axum::routing::get;
use qorrelate_actix::SessionIdMiddleware;
use qorrelate_core::{Policy, SessionCookie, SessionId, Source};
use qorrelate_tests::client::{self, Answer};
use qorrelate_tests::server::{Server, serve_axum};
use qorrelate_tower::SessionIdLayer;

/// As any adapter is set up.
macro_rules! set_up {
    ($layer:expr, $cookie:expr) => {
        $layer
            .sources([Source::header("X-Session-ID"), Source::cookie("qsid").read_at_public_edge()])
            .unwrap()
            .on_missing(Policy::Generate(SessionId::new_v7))
            .on_malformed(Policy::Generate(SessionId::new_v7))
            .set_cookie($cookie)
            .unwrap()
            .public_edge()
    };
}

const SERVERS: [fn(SessionCookie) -> Server; 2] = [axum_server, actix_server];
const HTML: &str = "text/html; charset=utf-8";
const OWN: &str = "qsid=own";

fn axum_server(cookie: SessionCookie) -> Server {
    let fails = (axum::http::StatusCode::NOT_FOUND, Html(current()));
    let refuse = async |_: axum::extract::Request, _: axum::middleware::Next| {
        (axum::http::StatusCode::FORBIDDEN, Html(current()))
    };
    serve_axum(
        Router::new()
            .route("/", get(async || Html(current())))
            .route("/data", get(async || current()))
            .route("/others", get(async || ([("set-cookie", "a=1")], Html(current()))))
            .route("/own", get(async || ([("set-cookie", OWN)], Html(current()))))
            .route("/elsewhere", get(async || Redirect::to("/").into_response()))
            .route("/fails", get(async || fails))
            .route("/refused", get(async || "").layer(axum::middleware::from_fn(refuse)))
            .layer(set_up!(SessionIdLayer::new(), cookie)),
    )
}

fn actix_server(cookie: SessionCookie) -> Server {
    let page = || HttpResponse::Ok().content_type(HTML).body(current());
    let with = |cookie: &'static str| {
        web::get().to(move || async move {
            let mut page = HttpResponse::Ok();
            page.content_type(HTML).append_header(("set-cookie", cookie)).body(current())
        })
    };
    let elsewhere = async || HttpResponse::SeeOther().insert_header(("location", "/")).finish();
    qorrelate_tests::serve_actix!(move || {
        App::new()
            .route("/", web::get().to(move || async move { page() }))
            .route("/data", web::get().to(async || current()))
            .route("/others", with("a=1"))
            .route("/own", with(OWN))
            .route("/elsewhere", web::get().to(elsewhere))
            .route("/fails", web::get().to(async || Err::<String, _>(Failure)))
            .service(web::resource("/refused").get(async || "").wrap(from_fn(async |_, _| {
                Err::<actix_web::dev::ServiceResponse, _>(Failure.into())
            })))
            .wrap(set_up!(SessionIdMiddleware::new(), cookie.clone()))
    })
}

fn current() -> String {
    SessionId::current().map(|id| id.to_string()).unwrap_or_default()
}

/// An error whose response is a page, which actix-web makes outside of all middleware.
#[derive(Debug)]
struct Failure;

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("failed")
    }
}

impl ResponseError for Failure {
    fn status_code(&self) -> StatusCode {
        StatusCode::NOT_FOUND
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::NotFound().content_type(HTML).body("failed")
    }
}

fn ask(server: &Server, path: &str, headers: &[(&str, &str)]) -> Answer {
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    client::get(server.address, path, &headers)
}

/// The value of the cookie that a line sets, and what is said about it.
fn parts(line: &str) -> (&str, &str) {
    line.strip_prefix("qsid=").unwrap().split_once("; ").unwrap()
}

#[test]
fn the_first_page_sets_it_and_the_second_is_in_the_same_session() {
    for serve in SERVERS {
        let server = serve(SessionCookie::new("qsid"));
        let first = ask(&server, "/", &[]);
        let set = first.header("set-cookie");
        assert_eq!(set.len(), 1, "{set:?}");
        let (id, attributes) = parts(set[0]);
        assert_eq!(id, first.body);
        assert_eq!(id.len(), 36);
        assert_eq!(attributes, "Path=/; SameSite=Lax; Max-Age=900");

        let second = ask(&server, "/", &[("cookie", &format!("a=1; qsid={id}"))]);
        assert_eq!(second.body, id);
        assert_eq!(second.header("set-cookie"), [""; 0], "it was found, not generated");

        let other = ask(&server, "/", &[]);
        assert_ne!(other.body, first.body);
    }
}

#[test]
fn a_malformed_one_is_replaced() {
    for serve in SERVERS {
        let server = serve(SessionCookie::new("qsid"));
        for malformed in ["qsid=not an ID", "qsid=undefined", "qsid="] {
            let page = ask(&server, "/", &[("cookie", malformed)]);
            let set = page.header("set-cookie");
            assert_eq!(set.len(), 1, "{malformed}: {set:?}");
            assert_eq!(parts(set[0]).0, page.body);
        }
    }
}

#[test]
fn only_pages_set_it_and_only_where_nothing_else_says_which_session_it_is() {
    for serve in SERVERS {
        let server = serve(SessionCookie::new("qsid"));
        let set = |path: &str, headers: &[(&str, &str)]| {
            let answer = ask(&server, path, headers);
            answer.header("set-cookie").iter().map(|&line| line.to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(set("/data", &[]), [""; 0], "not HTML");
        assert_eq!(set("/elsewhere", &[]), [""; 0], "no page");
        assert_eq!(set("/", &[("x-session-id", "abc")]), [""; 0], "it came with an ID");
        assert_eq!(set("/own", &[]), [OWN], "the handler sets it itself");
        let others = set("/others", &[]);
        assert_eq!((others.len(), &*others[0]), (2, "a=1"), "{others:?}");
        assert_eq!(set("/fails", &[]).len(), 1, "a page that says what went wrong");
        assert_eq!(set("/refused", &[]).len(), 1, "the same of a middleware");
    }
}

#[test]
fn a_service_chooses_how_long_it_lasts_and_that_it_needs_https() {
    for serve in SERVERS {
        let cookie = SessionCookie::new("qsid").max_age(Duration::from_secs(60)).secure(true);
        let page = ask(&serve(cookie), "/", &[]);
        let attributes = parts(page.header("set-cookie")[0]).1.to_owned();
        assert_eq!(attributes, "Path=/; SameSite=Lax; Max-Age=60; Secure");
    }
}

#[test]
fn it_is_off_and_a_name_that_no_cookie_has_is_an_error() {
    for layer in [
        SessionIdLayer::new().set_cookie(SessionCookie::new("a b")).map(drop),
        SessionIdMiddleware::new().set_cookie(SessionCookie::new("a b")).map(drop),
    ] {
        assert_eq!(layer.unwrap_err().to_string(), "\"a b\" is not a valid cookie name");
    }
    let generating = SessionIdLayer::new().on_missing(Policy::Generate(SessionId::new_v7));
    let server = serve_axum(Router::new().route("/", get(async || Html("a"))).layer(generating));
    assert_eq!(ask(&server, "/", &[]).header("set-cookie"), [""; 0]);
}
