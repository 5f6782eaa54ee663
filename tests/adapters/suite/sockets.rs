//! What becomes of a WebSocket, each message of which runs in a fork of the request that opened it.

use clearance::Subject;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::suite::{Serve, Server};

/// `GET /socket` wants a viewer, and answers each message with the name of whoever it then is.
pub(crate) async fn rf_14_a_revocation_ends_a_socket(serve: impl Serve) {
    let server = Server::start(serve).await;
    let ada = server.rig.device("ada").await;
    let connect = async |cookie: &str| {
        let url = server.url("/socket").replacen("http", "ws", 1);
        let mut request = url.into_client_request().unwrap();
        let cookie = cookie.parse().unwrap();
        request.headers_mut().insert("cookie", cookie);
        let stream = TcpStream::connect(server.address).await.unwrap();
        tokio_tungstenite::client_async(request, stream).await
    };
    let Err(Error::Http(response)) = connect("").await.map(drop) else {
        panic!("nobody opens a socket");
    };
    assert_eq!(response.status(), 401);

    let (mut socket, _) = connect(&ada.cookie).await.unwrap();
    for _ in 0..2 {
        socket.send(Message::text("who?")).await.unwrap();
        let answer = socket.next().await.unwrap().unwrap();
        assert_eq!(answer.to_text().unwrap(), "ada");
    }
    let subject = Subject::new("ada");
    server.rig.sessions.revoke(&subject, ada.id).await.unwrap();
    socket.send(Message::text("who?")).await.unwrap();
    let answer = socket.next().await;
    assert!(!matches!(answer, Some(Ok(Message::Text(_)))), "{answer:?}");
}
