//! Connections that are upgraded to something that is no HTTP.

use clearance::RequestContext;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::suite::{Serve, Server, deep};

/// Gives back each byte while there is a session, found anew for each.
pub(crate) async fn echo(
    context: RequestContext,
    mut connection: impl AsyncRead + AsyncWrite + Unpin,
) {
    while let Ok(byte) = connection.read_u8().await {
        if context.fork().scope(deep()).await.is_err() {
            break;
        }
        connection.write_u8(byte).await.unwrap();
    }
}

/// `GET /echo` upgrades to what [`echo`] does.
pub(crate) async fn rf_14_a_revocation_ends_what_a_connection_was_upgraded_to(serve: impl Serve) {
    let server = Server::start(serve).await;
    let ada = server.rig.device("ada").await;
    let mut socket = tokio::net::TcpStream::connect(server.address)
        .await
        .unwrap();
    let head = format!(
        "GET /echo HTTP/1.1\r\nhost: app\r\ncookie: {}\r\nconnection: upgrade\r\n\
        upgrade: echo\r\n\r\n",
        ada.cookie
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(socket.read_u8().await.unwrap());
    }
    assert!(answer.starts_with(b"HTTP/1.1 101"));
    socket.write_u8(b'a').await.unwrap();
    assert_eq!(socket.read_u8().await.unwrap(), b'a');

    let subject = clearance::Subject::new("ada");
    server.rig.sessions.revoke(&subject, ada.id).await.unwrap();
    socket.write_u8(b'b').await.unwrap();
    let mut rest = Vec::new();
    socket.read_to_end(&mut rest).await.unwrap();
    assert!(rest.is_empty(), "{rest:?}");
}
