//! The same small program in every framework: sign in, sign out, and notes that only their author sees.
//!
//! ```sh
//! cargo run -p clearance-adapters --example salvo
//! ```

mod journal;

use clearance::route::{Csrf, SecurityHeaders, session_state};
use clearance::{RequestContext, Result, SessionLayer, Untrusted};
use journal::{Credentials, Journal, Member, NewNote, NoteView};
use salvo::conn::tcp::TcpAcceptor;
use salvo::prelude::*;
use tokio::net::TcpListener;

#[handler]
async fn sign_in(request: RequestContext, req: &mut Request) -> Result<StatusCode> {
    let credentials = req.parse_form::<Credentials>().await;
    let Some(subject) = credentials.ok().and_then(|sent| sent.check()) else {
        return Ok(StatusCode::UNAUTHORIZED);
    };
    request.sign_in(&subject).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[handler]
async fn sign_out(request: RequestContext) -> Result<StatusCode> {
    request.sign_out().await?;
    Ok(StatusCode::NO_CONTENT)
}

struct List(Journal);

#[handler]
impl List {
    async fn handle(&self) -> Result<Json<Vec<NoteView>>> {
        self.0.notes().await.map(Json)
    }
}

struct Add(Journal);

#[handler]
impl Add {
    async fn handle(&self, note: Untrusted<NewNote>) -> Result<Json<NoteView>> {
        self.0.add(note).await.map(Json)
    }
}

#[handler]
async fn state(res: &mut Response) {
    *res = session_state::<Member>().await.into();
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (journal, sessions) = journal::open().await?;
    let router = Router::new()
        .push(Router::with_path("sign-in").post(sign_in))
        .push(Router::with_path("sign-out").post(sign_out))
        .push(
            Router::with_path("notes")
                .get(List(journal.clone()))
                .post(Add(journal)),
        )
        .push(Router::with_path("session").get(state));
    let service = Service::new(router)
        .hoop(SecurityHeaders::new().build())
        .hoop(SessionLayer::new(sessions))
        .hoop(Csrf::new().build()?);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    let acceptor = TcpAcceptor::try_from(listener)?;
    Server::new(acceptor).try_serve(service).await?;
    Ok(())
}
