//! The cost of a session check in a handler of axum, beside one written by hand: find the cookie, hash it, ask
//! moka, keep the answer with the request.
//!
//! By hand the cookie is a random token, so that nothing is opened, and no revocation is looked for. Each way runs on
//! one thread, where the time is that of the processor.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a benchmark that fails has nothing to report"
)]

mod support;

use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use clearance::session::{MemorySessionStore, Strategy};
use clearance::{
    Key, SessionLayer, Sessions, SourceError, Subject, Viewer, ViewerSource, async_trait,
    verify_session,
};
use http::header::COOKIE;
use http::{HeaderValue, Request};
use tower::Service as _;

use support::{Comparison, Judged, Report, is_measured};

const COOKIE_NAME: &str = "__Host-session";
const MEMBER: i64 = 4_711;

/// The argument under which this program only makes requests in one of its ways, for an instrument to count.
const CALLS: &str = "--calls";

const BY_HAND: &str = "by hand, cached";
const BY_HAND_UNCACHED: &str = "by hand, store in memory";

#[derive(Debug, Clone, Viewer)]
struct Member {
    id: i64,
    name: String,
}

impl Member {
    fn of(id: i64) -> Self {
        Self {
            id,
            name: "Grace Hopper".to_owned(),
        }
    }
}

struct Members;

#[async_trait]
impl ViewerSource<Member> for Members {
    async fn load(&self, subject: &Subject) -> Result<Option<Member>, SourceError> {
        Ok(subject.parse().ok().map(Member::of))
    }
}

mod by_hand {
    use std::collections::HashMap;
    use std::sync::{Arc, OnceLock, RwLock};
    use std::time::Duration;

    use aws_lc_rs::digest;
    use axum::Extension;
    use axum::extract::{Request, State};
    use axum::middleware::{self, Next};
    use axum::response::Response;
    use chrono::Utc;
    use http::StatusCode;

    use super::{COOKIE, COOKIE_NAME, MEMBER, Member, Router, get};

    /// The SHA-256 of a token, which the store has in its place.
    type Hash = [u8; 32];

    #[derive(Clone)]
    struct Session {
        member: i64,
        expires_at: i64,
    }

    struct App {
        /// None where each request asks the store.
        cache: Option<moka::future::Cache<Hash, Arc<(Session, Member)>>>,
        store: RwLock<HashMap<Hash, Session>>,
    }

    /// The answer of one request.
    #[derive(Default)]
    struct Memo(OnceLock<Arc<(Session, Member)>>);

    impl App {
        async fn load(&self, hash: &Hash) -> Option<Arc<(Session, Member)>> {
            let session = self.store.read().unwrap().get(hash).cloned()?;
            let member = Member::of(session.member);
            Some(Arc::new((session, member)))
        }

        async fn verify(&self, request: &http::HeaderMap) -> Option<Arc<(Session, Member)>> {
            let token = find(request.get(COOKIE)?.as_bytes())?;
            let hash: Hash = digest::digest(&digest::SHA256, token)
                .as_ref()
                .try_into()
                .ok()?;
            let found = match &self.cache {
                Some(cache) => cache.get(&hash).await?,
                None => self.load(&hash).await?,
            };
            (found.0.expires_at > Utc::now().timestamp()).then_some(found)
        }
    }

    fn find(header: &[u8]) -> Option<&[u8]> {
        header.split(|byte| *byte == b';').find_map(|pair| {
            pair.trim_ascii_start()
                .strip_prefix(COOKIE_NAME.as_bytes())?
                .strip_prefix(b"=")
        })
    }

    async fn remember(
        State(app): State<Arc<App>>,
        mut request: Request,
        next: Next,
    ) -> Result<Response, StatusCode> {
        let memo = Arc::new(Memo::default());
        if let Some(found) = app.verify(request.headers()).await {
            let _ = memo.0.set(found);
        }
        request.extensions_mut().insert(memo);
        Ok(next.run(request).await)
    }

    async fn handler(Extension(memo): Extension<Arc<Memo>>) -> Result<String, StatusCode> {
        let found = memo.0.get().ok_or(StatusCode::UNAUTHORIZED)?;
        Ok(found.1.name.clone())
    }

    /// The application, and the value of a cookie that is signed in.
    pub async fn router(cached: bool) -> (Router, String) {
        let token = "q83vEjRWeJq8zd4SNFZ4mrzN3hI0VniavM3eEjRWeJo";
        let hash: Hash = digest::digest(&digest::SHA256, token.as_bytes())
            .as_ref()
            .try_into()
            .unwrap();
        let session = Session {
            member: MEMBER,
            expires_at: Utc::now().timestamp() + 86_400,
        };
        let cache = cached.then(|| {
            moka::future::Cache::builder()
                .max_capacity(10_000)
                .time_to_live(Duration::from_secs(3_600))
                .build()
        });
        let app = Arc::new(App {
            cache,
            store: RwLock::new(HashMap::from([(hash, session)])),
        });
        if let Some(cache) = &app.cache {
            cache.insert(hash, app.load(&hash).await.unwrap()).await;
        }
        let router = Router::new()
            .route("/", get(handler))
            .layer(middleware::from_fn_with_state(app, remember));
        (router, token.to_owned())
    }
}

/// How the library is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Hybrid,
    Stateless,
    /// Hybrid, where each request asks the store.
    BoundOfZero,
}

impl Way {
    const ALL: [Self; 3] = [Self::Hybrid, Self::Stateless, Self::BoundOfZero];

    const fn name(self) -> &'static str {
        match self {
            Self::Hybrid => "hybrid, cached",
            Self::Stateless => "stateless, cached",
            Self::BoundOfZero => "hybrid, cache bound 0, store in memory",
        }
    }

    const fn target(self) -> f64 {
        match self {
            Self::Hybrid => 1.2,
            Self::Stateless | Self::BoundOfZero => 1.3,
        }
    }

    fn sessions(self) -> Sessions<Member> {
        // A random one costs another number of instructions each time.
        let key = Key::from_bytes(b"not random, and it protects nobody").unwrap();
        let bound = match self {
            Self::Hybrid | Self::Stateless => Duration::from_secs(60),
            Self::BoundOfZero => Duration::ZERO,
        };
        let strategy = match self {
            Self::Hybrid | Self::BoundOfZero => Strategy::Hybrid,
            Self::Stateless => Strategy::Stateless,
        };
        Sessions::builder(key, MemorySessionStore::new(), Members)
            .app_url("https://app.example")
            .strategy(strategy)
            // The store is not to be asked in between.
            .cache_bound(bound)
            .build()
            .unwrap()
    }

    /// The application, and the value of a cookie that is signed in.
    async fn router(self) -> (Router, String) {
        let sessions = self.sessions();
        let session = sessions.create(&Subject::new(MEMBER)).await.unwrap();
        let cookie = session.into_set_cookies().remove(0);
        let value = cookie.to_str().unwrap().split([';', '=']).nth(1).unwrap();
        let router = Router::new()
            .route("/", get(handler))
            .layer(SessionLayer::new(sessions));
        (router, value.to_owned())
    }
}

async fn handler() -> clearance::Result<String> {
    let verified = verify_session::<Member>().await?;
    Ok(verified.viewer().name.clone())
}

/// A request of a browser that has a few other cookies too.
fn request(session: &str) -> Request<Body> {
    let cookies = format!("theme=dark; {COOKIE_NAME}={session}; locale=en-GB; consent=2026-01-05");
    let cookies = HeaderValue::from_str(&cookies).unwrap();
    Request::get("https://app.example/")
        .header(COOKIE, cookies)
        .body(Body::empty())
        .unwrap()
}

/// The time of the calls alone: requests are made before.
async fn calls((router, cookie): &mut (Router, String), number: u32) -> Duration {
    let requests: Vec<_> = (0..number).map(|_| request(cookie)).collect();
    let began = Instant::now();
    for request in requests {
        let response = router.call(request).await.unwrap();
        assert!(black_box(response).status().is_success());
    }
    began.elapsed()
}

/// How many instructions one call has executed, by callgrind.
fn instructions(way: &str) -> Option<u64> {
    let count = |calls: u32| -> Option<u64> {
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(std::env::current_exe().ok()?)
            .args([CALLS, &calls.to_string(), way])
            .output()
            .ok()?;
        let text = String::from_utf8(output.stderr).ok()?;
        let (_, count) = text.split_once("Collected : ")?;
        count.split_whitespace().next()?.parse().ok()
    };
    Some((count(4_000)? - count(2_000)?) / 2_000)
}

fn main() {
    const OPERATIONS: u32 = 200;

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut arguments = std::env::args()
        .skip_while(|argument| argument != CALLS)
        .skip(1);
    if let Some(number) = arguments.next() {
        let number = number.parse().unwrap();
        let named = arguments.next().unwrap();
        let way = Way::ALL.into_iter().find(|way| way.name() == named);
        let mut router = runtime.block_on(async {
            match way {
                Some(way) => way.router().await,
                None => by_hand::router(named == BY_HAND).await,
            }
        });
        runtime.block_on(calls(&mut router, number));
        // Without what freeing all of it at once would cost.
        std::process::exit(0);
    }
    let mut report = Report::default();
    for way in Way::ALL {
        let mut library = runtime.block_on(way.router());
        let cached = way != Way::BoundOfZero;
        let mut by_hand = runtime.block_on(by_hand::router(cached));
        report.compare(
            Comparison {
                name: way.name(),
                target: Some(way.target()),
                judged: Judged::Median,
                rounds: 400,
                operations: OPERATIONS,
            },
            || runtime.block_on(calls(&mut library, OPERATIONS)),
            || runtime.block_on(calls(&mut by_hand, OPERATIONS)),
        );
    }
    println!("{report}");
    if is_measured() {
        for name in Way::ALL
            .map(Way::name)
            .into_iter()
            .chain([BY_HAND, BY_HAND_UNCACHED])
        {
            match instructions(name) {
                Some(count) => println!("instructions for a call, by callgrind: {count}, {name}"),
                None => println!("instructions for a call: not counted, as there is no valgrind"),
            }
        }
    }
}
