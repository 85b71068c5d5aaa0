//! A page is told that its session is kept, in both adapters over a socket.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

use actix_web::middleware::from_fn;
use actix_web::{App, HttpResponse, error, web};
use axum::Router;
use axum::routing::get;
use qorrelate_actix::SessionIdMiddleware;
use qorrelate_core::SessionId;
use qorrelate_tests::client;
use qorrelate_tests::server::{Server, serve_axum};
use qorrelate_tower::SessionIdLayer;

const SERVERS: [fn() -> Server; 2] = [axum_server, actix_server];
const HEADER: &str = "x-session-kept";

fn keep() {
    SessionId::current().unwrap().keep();
}

fn axum_server() -> Server {
    let refuse = async |_: axum::extract::Request, _: axum::middleware::Next| {
        axum::http::StatusCode::FORBIDDEN
    };
    serve_axum(
        Router::new()
            .route("/", get(async || ""))
            .route("/keep", get(async || keep()))
            .route("/own", get(async || [(HEADER, "own")]))
            .route("/refused", get(async || "").layer(axum::middleware::from_fn(refuse)))
            .layer(SessionIdLayer::new().kept_header(HEADER).unwrap()),
    )
}

fn actix_server() -> Server {
    qorrelate_tests::serve_actix!(|| {
        App::new()
            .route("/", web::get().to(async || ""))
            .route(
                "/keep",
                web::get().to(async || {
                    keep();
                    ""
                }),
            )
            .route(
                "/own",
                web::get().to(async || HttpResponse::Ok().insert_header((HEADER, "own")).finish()),
            )
            .service(web::resource("/refused").get(async || "").wrap(from_fn(async |_, _| {
                Err::<actix_web::dev::ServiceResponse, _>(error::ErrorForbidden(""))
            })))
            .wrap(SessionIdMiddleware::new().kept_header(HEADER).unwrap())
    })
}

#[test]
fn the_page_of_a_kept_session_is_told_and_no_other() {
    for (serve, [kept, other]) in SERVERS.into_iter().zip([["a1", "a2"], ["b1", "b2"]]) {
        let server = serve();
        let told = |path: &str, id: Option<&str>| {
            let headers: Vec<_> = id.iter().map(|id| ("x-session-id", id.as_bytes())).collect();
            let answer = client::get(server.address, path, &headers);
            answer.header(HEADER).iter().map(|&value| value.to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(told("/", Some(kept)), [""; 0], "not yet");
        assert_eq!(told("/keep", Some(kept)), ["1"], "from the response on");
        for path in ["/", "/refused"] {
            assert_eq!(told(path, Some(kept)), ["1"], "{path}");
            assert_eq!(told(path, Some(other)), [""; 0], "{path}: another session");
            assert_eq!(told(path, None), [""; 0], "{path}: no session");
            assert_eq!(told(path, Some("not an ID")), [""; 0], "{path}: malformed");
        }
        assert_eq!(told("/own", Some(kept)), ["own"], "what the handler says stays");
    }
}

#[test]
fn a_name_that_is_none_is_refused() {
    assert!(SessionIdLayer::new().kept_header("a b").is_err());
    assert!(SessionIdMiddleware::new().kept_header("").is_err());
}
