//! WebSockets: a browser cannot set headers on one, so the ID comes in the query, and the socket outlives the
//! request, so its task is put into the session.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

use qorrelate_core::{SessionId, Source};
use qorrelate_tests::server::Server;
use qorrelate_tower::SessionIdLayer;
use tokio_stream::StreamExt;

fn current() -> String {
    SessionId::current().map_or_else(|| "none".to_owned(), |id| id.to_string())
}

fn sources() -> [Source; 1] {
    [Source::query("session_id")]
}

fn axum() -> Server {
    use axum::Router;
    use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
    use axum::response::Response;
    use axum::routing::get;

    async fn tell(mut socket: WebSocket) {
        tokio::task::yield_now().await;
        socket.send(Message::text(current())).await.unwrap();
    }

    async fn scoped(upgrade: WebSocketUpgrade, id: SessionId) -> Response {
        upgrade.on_upgrade(move |socket| id.scope(tell(socket)))
    }

    async fn bare(upgrade: WebSocketUpgrade) -> Response {
        upgrade.on_upgrade(tell)
    }

    qorrelate_tests::server::serve_axum(
        Router::new()
            .route("/scoped", get(scoped))
            .route("/bare", get(bare))
            .layer(SessionIdLayer::new().sources(sources()).unwrap()),
    )
}

fn actix() -> Server {
    use actix_web::{App, Error, HttpRequest, HttpResponse, rt, web};
    use actix_ws::Session;
    use qorrelate_actix::SessionIdMiddleware;

    async fn tell(mut socket: Session) {
        tokio::task::yield_now().await;
        socket.text(current()).await.unwrap();
    }

    async fn scoped(
        request: HttpRequest,
        body: web::Payload,
        id: SessionId,
    ) -> Result<HttpResponse, Error> {
        let (response, socket, _) = actix_ws::handle(&request, body)?;
        rt::spawn(id.scope(tell(socket)));
        Ok(response)
    }

    async fn bare(request: HttpRequest, body: web::Payload) -> Result<HttpResponse, Error> {
        let (response, socket, _) = actix_ws::handle(&request, body)?;
        rt::spawn(tell(socket));
        Ok(response)
    }

    qorrelate_tests::serve_actix!(|| {
        App::new()
            .route("/scoped", web::get().to(scoped))
            .route("/bare", web::get().to(bare))
            .wrap(SessionIdMiddleware::new().sources(sources()).unwrap())
    })
}

#[tokio::test]
async fn a_socket_is_in_the_session_that_its_task_is_put_into() {
    for (name, server) in [("axum", axum()), ("actix", actix())] {
        for (path, expected) in [("scoped", "abc"), ("bare", "none")] {
            let url = format!("ws://{}/{path}?session_id=abc", server.address);
            let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
            let message = socket.next().await.unwrap().unwrap();
            assert_eq!(message.into_text().unwrap().as_str(), expected, "{name}, {path}");
        }
    }
}
