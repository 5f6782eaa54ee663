//! A service without generated code, as a generated one would be.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use clearance::session::Freshness;
use clearance::{
    Current, Db, Dto, Entity, Input, RequestContext, Result, Subject, Untrusted, repository,
    verify_session,
};
use futures_util::stream::{self, BoxStream, Stream, StreamExt as _};
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;
use tower::service_fn;

use crate::support::Member;

/// The message of every method, both ways.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Text {
    #[prost(string, tag = "1")]
    pub(crate) text: String,
}

impl Text {
    pub(crate) fn of(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }
}

#[derive(Entity)]
#[entity(
    table = "notes",
    viewer = Member,
    read_if(row.author == viewer.name),
    create_if(row.author == viewer.name)
)]
struct Note {
    #[entity(key)]
    id: i64,
    author: String,
    text: String,
}

#[derive(Dto)]
#[dto(entity = Note, default = visible)]
struct NoteView {
    id: i64,
    text: String,
}

#[derive(Input)]
#[input(entity = Note)]
#[preset(author = viewer.name.clone())]
struct NewNote {
    #[writable]
    text: String,
}

#[derive(Clone)]
pub(crate) struct Notes {
    db: Db,
}

#[repository(viewer = Member)]
impl Notes {
    #[authenticated(access: Write)]
    async fn add(&self, note: Untrusted<NewNote>) -> Result<NoteView> {
        let note = note.open(&access)?;
        self.db.writer(&access).create(note).returning().await
    }

    #[authenticated(access)]
    async fn note(&self, id: i64) -> Result<NoteView> {
        let reader = self.db.reader(&access);
        reader.one(NoteView::select().lookup(Note::ID, id)).await
    }

    #[authorize(access, if viewer.name == "ada")]
    async fn all(&self) -> Result<Vec<NoteView>> {
        self.db.reader(&access).all(NoteView::select()).await
    }
}

impl Notes {
    pub(crate) async fn new() -> (tempfile::TempDir, Self) {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/notes.db?mode=rwc", directory.path().display());
        #[expect(clippy::disallowed_methods, reason = "a test makes its own table")]
        let db = {
            let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
            let table = "CREATE TABLE notes (id INTEGER PRIMARY KEY, author TEXT NOT NULL, \
                text TEXT NOT NULL UNIQUE)";
            sqlx::query(table).execute(&pool).await.unwrap();
            Db::unguarded_pool(pool, "the pool that made the table")
        };
        (directory, Self { db })
    }
}

async fn name() -> Result<String> {
    Ok(verify_session::<Member>().await?.viewer().name.clone())
}

/// Five messages, each of which asks anew who the request's viewer is.
fn parts() -> impl Stream<Item = Result<Text, Status>> + Send + 'static {
    stream::unfold(0, |part| async move {
        if part == 5 {
            return None;
        }
        tokio::task::yield_now().await;
        Some((name().await.map(Text::of).map_err(Status::from), part + 1))
    })
}

/// What a generated server would be.
#[derive(Clone)]
pub(crate) struct Members {
    pub(crate) notes: Notes,
    pub(crate) handled: Arc<AtomicUsize>,
}

type Messages = BoxStream<'static, Result<Text, Status>>;

impl Members {
    async fn unary(self, method: String, request: Request<Text>) -> Result<Text, Status> {
        let text = request.into_inner().text;
        let answer = match method.as_str() {
            "Name" => {
                let name = name().await?;
                self.handled.fetch_add(1, Ordering::SeqCst);
                name
            }
            "Explicit" => {
                let context = RequestContext::current()?;
                let found = tokio::spawn(async move { context.verify_session::<Member>().await });
                found.await.unwrap()?.viewer().name.clone()
            }
            "Current" => {
                let current: Current<Member> = RequestContext::current()?.verify_current().await?;
                current.viewer().name.clone()
            }
            "Fresh" => {
                let context = RequestContext::current()?;
                let freshness = Freshness::within(Duration::from_secs(60));
                let fresh = context.verify_fresh::<Member>(freshness).await?;
                fresh.viewer().name.clone()
            }
            "Stray" => tokio::spawn(name()).await.unwrap()?,
            "Spawned" => clearance::spawn(name())?.await.unwrap()?,
            "Forked" => {
                let fork = RequestContext::current()?.fork();
                tokio::spawn(fork.scope(name())).await.unwrap()?
            }
            "SignIn" => {
                let context = RequestContext::current()?;
                context.sign_in(&Subject::new(&text)).await?;
                text
            }
            "SignOut" => {
                RequestContext::current()?.sign_out().await?;
                text
            }
            "Address" => {
                let context = RequestContext::current()?;
                format!("{:?}", context.rule_context().address)
            }
            "Add" => self.notes.add(Untrusted::json(text)).await?.text,
            "Note" => self.notes.note(text.parse().unwrap()).await?.text,
            "All" => self.notes.all().await?.len().to_string(),
            _ => return Err(Status::unimplemented("")),
        };
        Ok(Text::of(answer))
    }

    async fn streamed(method: String) -> Result<Response<Messages>, Status> {
        let messages: Messages = match method.as_str() {
            "Streamed" => parts().boxed(),
            "Endless" => parts().take(1).chain(stream::pending()).boxed(),
            // How many handlers stream: a task sends what another part passes on.
            "Channel" => {
                let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
                tokio::spawn(async move { sender.send(name().await).await });
                let message = stream::poll_fn(move |cx| receiver.poll_recv(cx));
                let text = |name: Result<String>| name.map(Text::of).map_err(Status::from);
                message.map(text).boxed()
            }
            _ => return Err(Status::unimplemented("")),
        };
        Ok(Response::new(messages))
    }

    /// Says who asks before each message of the client.
    async fn echo(request: Request<Streaming<Text>>) -> Result<Response<Messages>, Status> {
        let messages = request.into_inner().then(|message| async move {
            let name = name().await?;
            Ok(Text::of(format!("{name}: {}", message?.text)))
        });
        Ok(Response::new(messages.boxed()))
    }

    async fn joined(request: Request<Streaming<Text>>) -> Result<Response<Text>, Status> {
        let mut messages = request.into_inner();
        let mut joined = String::new();
        while let Some(message) = messages.message().await? {
            joined += &format!("{}{};", name().await?, message.text);
        }
        Ok(Response::new(Text::of(joined)))
    }
}

impl NamedService for Members {
    const NAME: &'static str = "test.Members";
}

impl tower::Service<http::Request<Body>> for Members {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let members = self.clone();
        let method = request.uri().path().rsplit('/').next();
        let method = method.unwrap_or_default().to_owned();
        let mut grpc = tonic::server::Grpc::new(ProstCodec::<Text, Text>::default());
        Box::pin(async move {
            Ok(match method.as_str() {
                "Streamed" | "Endless" | "Channel" => {
                    let call = service_fn(move |_: Request<Text>| Self::streamed(method.clone()));
                    grpc.server_streaming(call, request).await
                }
                "Echo" => grpc.streaming(service_fn(Self::echo), request).await,
                "Joined" => {
                    grpc.client_streaming(service_fn(Self::joined), request)
                        .await
                }
                _ => {
                    let call = service_fn(move |request| {
                        let answer = members.clone().unary(method.clone(), request);
                        async { answer.await.map(Response::new) }
                    });
                    grpc.unary(call, request).await
                }
            })
        })
    }
}
