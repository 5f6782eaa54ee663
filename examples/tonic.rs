//! The notes of the other programs over gRPC. The service is written by hand, where a program of yours has
//! `tonic-prost-build` write it.
//!
//! ```sh
//! cargo run -p clearance-adapters --example tonic
//! ```

mod journal;

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use clearance::route::GrpcCalls;
use clearance::{RequestContext, SessionLayer};
use futures_util::stream::{self, BoxStream, StreamExt as _};
use journal::{Credentials, Journal, Member, NewNote, NoteView};
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::server::{Grpc, NamedService};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;
use tower::{Service, service_fn};

#[derive(Clone, PartialEq, prost::Message)]
struct SignIn {
    #[prost(string, tag = "1")]
    user: String,
    #[prost(string, tag = "2")]
    password: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Note {
    #[prost(int64, tag = "1")]
    id: i64,
    #[prost(string, tag = "2")]
    text: String,
}

impl From<NoteView> for Note {
    fn from(NoteView { id, text }: NoteView) -> Self {
        Self { id, text }
    }
}

/// The client keeps the `set-cookie` of the answer's metadata, and sends it as `cookie`.
async fn sign_in(request: Request<SignIn>) -> Result<Response<()>, Status> {
    let SignIn { user, password } = request.into_inner();
    let Some(subject) = (Credentials { user, password }).check() else {
        return Err(Status::unauthenticated("unknown user or password"));
    };
    RequestContext::current()?.sign_in(&subject).await?;
    Ok(Response::new(()))
}

async fn sign_out() -> Result<Response<()>, Status> {
    RequestContext::current()?.sign_out().await?;
    Ok(Response::new(()))
}

async fn add(journal: Journal, note: Note) -> Result<Response<Note>, Status> {
    let note = NewNote { text: note.text };
    let added = journal.add(note.into()).await?;
    Ok(Response::new(added.into()))
}

type Notes = BoxStream<'static, Result<Note, Status>>;

async fn list(journal: Journal) -> Result<Response<Notes>, Status> {
    let notes = journal.notes().await?.into_iter();
    let notes = notes.map(|note| Ok(note.into()));
    Ok(Response::new(stream::iter(notes).boxed()))
}

/// What would be generated.
#[derive(Clone)]
struct JournalServer(Journal);

impl NamedService for JournalServer {
    const NAME: &'static str = "journal.Journal";
}

impl Service<http::Request<Body>> for JournalServer {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let Self(journal) = self.clone();
        Box::pin(async move {
            Ok(match request.uri().path() {
                "/journal.Journal/SignIn" => {
                    let mut grpc = Grpc::new(ProstCodec::default());
                    grpc.unary(service_fn(sign_in), request).await
                }
                "/journal.Journal/SignOut" => {
                    let mut grpc = Grpc::new(ProstCodec::default());
                    let method = service_fn(|_: Request<()>| sign_out());
                    grpc.unary(method, request).await
                }
                "/journal.Journal/Add" => {
                    let mut grpc = Grpc::new(ProstCodec::default());
                    let method =
                        service_fn(|note: Request<Note>| add(journal.clone(), note.into_inner()));
                    grpc.unary(method, request).await
                }
                "/journal.Journal/List" => {
                    let mut grpc = Grpc::new(ProstCodec::default());
                    let method = service_fn(|_: Request<()>| list(journal.clone()));
                    grpc.server_streaming(method, request).await
                }
                _ => Status::unimplemented("").into_http(),
            })
        })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (journal, sessions) = journal::open().await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    Server::builder()
        .layer(SessionLayer::new(sessions))
        .layer(GrpcCalls::<Member>::new().build())
        .add_service(JournalServer(journal))
        .serve_with_incoming(TcpIncoming::from(listener))
        .await?;
    Ok(())
}
