//! A tower service with the layers of an application, served by hyper.

use std::convert::Infallible;
use std::net::SocketAddr;

use http::{Request, Response};
use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tower::util::BoxCloneService;
use tower::{Layer as _, ServiceExt as _};

use crate::suite::App;

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;
pub(crate) type Body = UnsyncBoxBody<Bytes, BoxError>;
pub(crate) type Service = BoxCloneService<Request<Incoming>, Response<Body>, Infallible>;

/// A service of the type that all of them have, whatever its layers.
pub(crate) fn boxed<S, B>(service: S) -> Service
where
    S: tower::Service<Request<Incoming>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
    B: hyper::body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let body = |body: B| body.map_err(Into::into).boxed_unsync();
    BoxCloneService::new(service.map_response(move |response| response.map(body)))
}

/// Serves HTTP/1.1 and HTTP/2 in clear text, with the gates and the layer of `app` around `service`.
pub(crate) async fn serve(app: &App, mut service: Service) -> SocketAddr {
    for gate in &app.gates {
        service = boxed(gate.layer(service));
    }
    if let Some(layer) = &app.layer {
        service = boxed(layer.layer(service));
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(async move {
                auto::Builder::new(TokioExecutor::new())
                    .serve_connection_with_upgrades(TokioIo::new(socket), service)
                    .await
            });
        }
    });
    address
}
