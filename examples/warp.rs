//! The same small program in every framework: sign in, sign out, and notes that only their author sees.
//!
//! ```sh
//! cargo run -p clearance-adapters --example warp
//! ```

mod journal;

use clearance::adapter::warp::{context, recover, untrusted};
use clearance::route::{Csrf, SecurityHeaders, session_state};
use clearance::{RequestContext, Result, SessionLayer, Untrusted};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use journal::{Credentials, Journal, Member, NewNote};
use tokio::net::TcpListener;
use tower::ServiceBuilder;
use warp::http::StatusCode;
use warp::reply::json;
use warp::{Filter, Rejection, Reply, get, path, post};

/// Bytes of a body.
const MOST: u64 = 64 * 1024;

async fn sign_in(request: RequestContext, credentials: Credentials) -> Result<StatusCode> {
    let Some(subject) = credentials.check() else {
        return Ok(StatusCode::UNAUTHORIZED);
    };
    request.sign_in(&subject).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn sign_out(request: RequestContext) -> Result<StatusCode> {
    request.sign_out().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn list(journal: Journal) -> Result<impl Reply> {
    Ok(json(&journal.notes().await?))
}

async fn add(journal: Journal, note: Untrusted<NewNote>) -> Result<impl Reply> {
    Ok(json(&journal.add(note).await?))
}

fn routes(
    journal: Journal,
) -> impl Filter<Extract = (impl Reply,), Error = Rejection> + Clone + Send + Sync {
    let journal = warp::any().map(move || journal.clone());
    let sign_in = path!("sign-in")
        .and(post())
        .and(context())
        .and(warp::body::content_length_limit(MOST))
        .and(warp::body::form())
        .then(sign_in);
    let sign_out = path!("sign-out").and(post()).and(context()).then(sign_out);
    let list = path!("notes").and(get()).and(journal.clone()).then(list);
    let add = path!("notes")
        .and(post())
        .and(journal)
        .and(untrusted(MOST))
        .then(add);
    let state = path!("session").and(get()).then(session_state::<Member>);
    let routes = sign_in.or(sign_out).or(list).or(add).or(state);
    routes.recover(recover)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (journal, sessions) = journal::open().await?;
    let service = ServiceBuilder::new()
        .layer(SecurityHeaders::new().build())
        .layer(SessionLayer::new(sessions))
        .layer(Csrf::new().build()?)
        .service(warp::service(routes(journal)));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    loop {
        let (socket, _) = listener.accept().await?;
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            auto::Builder::new(TokioExecutor::new())
                .serve_connection_with_upgrades(TokioIo::new(socket), service)
                .await
        });
    }
}
