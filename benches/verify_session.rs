//! What it costs to know who asks, beside the same written by hand.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a benchmark that fails has nothing to report"
)]

mod support;

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Utc;
use clearance::session::MemorySessionStore;
use clearance::{
    Key, RequestContext, Sessions, SourceError, Subject, Viewer, ViewerSource, async_trait,
    verify_session,
};
use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use tokio::runtime::Runtime;

use support::{Comparison, Judged, Report};

const COOKIE_NAME: &str = "__Host-session";
const MEMBER: i64 = 4_711;

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

/// Counts how often the viewer is loaded, which follows upon each load of a session.
struct Counting(Arc<AtomicUsize>);

#[async_trait]
impl ViewerSource<Member> for Counting {
    async fn load(&self, subject: &Subject) -> Result<Option<Member>, SourceError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        // As a database would, it lets the other callers run before it answers.
        tokio::task::yield_now().await;
        Ok(subject.parse().ok().map(Member::of))
    }
}

/// What a competent engineer writes: a sealed cookie, moka across requests, and one cell for each
/// request. The cookie, its cipher and the key of the cache are the same as the library's.
mod by_hand {
    use super::*;

    const VERSION: u8 = 1;
    const NONCE: usize = 12;
    const ID: usize = 16;
    const SECRET: usize = 32;
    const SEALED: usize = 1 + NONCE + ID + SECRET + 8 + 16;

    tokio::task_local! {
        static REQUEST: Arc<Request>;
    }

    pub struct App {
        key: RandomizedNonceKey,
        cache: moka::future::Cache<[u8; 32], Arc<Session>>,
        epoch: AtomicU64,
    }

    pub struct Session {
        pub member: Member,
        expires_at: i64,
        epoch: u64,
    }

    pub struct Request {
        app: Arc<App>,
        cookie: Option<HeaderValue>,
        session: tokio::sync::OnceCell<Arc<Session>>,
    }

    #[derive(Debug)]
    pub enum Refused {
        NotSignedIn,
        NoRequest,
    }

    struct Credential {
        id: [u8; ID],
        secret: [u8; SECRET],
        expires_at: i64,
    }

    impl App {
        pub fn new() -> Self {
            Self {
                key: RandomizedNonceKey::new(&AES_256_GCM, &[7; 32]).unwrap(),
                cache: moka::future::Cache::builder()
                    .max_capacity(10_000)
                    .time_to_live(Duration::from_secs(3_600))
                    .build(),
                epoch: AtomicU64::new(0),
            }
        }

        /// Signs the member in, and gives the cookie's value.
        pub async fn sign_in(&self, member: Member) -> String {
            let expires_at = now() + 86_400;
            let credential = Credential {
                id: [3; ID],
                secret: [5; SECRET],
                expires_at,
            };
            let mut content = Vec::new();
            content.extend_from_slice(&credential.id);
            content.extend_from_slice(&credential.secret);
            content.extend_from_slice(&expires_at.to_be_bytes());
            let nonce = self
                .key
                .seal_in_place_append_tag(Aad::from(COOKIE_NAME), &mut content)
                .unwrap();
            let session = Session {
                member,
                expires_at,
                epoch: 0,
            };
            self.cache
                .insert(credential.fingerprint(), Arc::new(session))
                .await;
            let mut sealed = vec![VERSION];
            sealed.extend_from_slice(nonce.as_ref());
            sealed.extend_from_slice(&content);
            URL_SAFE_NO_PAD.encode(sealed)
        }

        fn open(&self, text: &[u8]) -> Option<Credential> {
            let mut sealed = [0; SEALED];
            if URL_SAFE_NO_PAD.decode_slice(text, &mut sealed).ok()? != SEALED {
                return None;
            }
            let (version, rest) = sealed.split_first_mut()?;
            if *version != VERSION {
                return None;
            }
            let (nonce, rest) = rest.split_first_chunk_mut::<NONCE>()?;
            let content = self
                .key
                .open_in_place(Nonce::from(&*nonce), Aad::from(COOKIE_NAME), rest)
                .ok()?;
            Some(Credential {
                id: content.get(..ID)?.try_into().ok()?,
                secret: content.get(ID..ID + SECRET)?.try_into().ok()?,
                expires_at: i64::from_be_bytes(content.get(ID + SECRET..)?.try_into().ok()?),
            })
        }

        async fn load(&self, cookie: Option<&HeaderValue>) -> Result<Arc<Session>, Refused> {
            let value = cookie
                .and_then(|header| find(header.as_bytes()))
                .ok_or(Refused::NotSignedIn)?;
            let credential = self.open(value).ok_or(Refused::NotSignedIn)?;
            let now = now();
            if credential.expires_at <= now {
                return Err(Refused::NotSignedIn);
            }
            let session = self
                .cache
                .get(&credential.fingerprint())
                .await
                .ok_or(Refused::NotSignedIn)?;
            if session.expires_at <= now || self.epoch.load(Ordering::Acquire) > session.epoch {
                return Err(Refused::NotSignedIn);
            }
            Ok(session)
        }
    }

    impl Credential {
        fn fingerprint(&self) -> [u8; 32] {
            let mut context = digest::Context::new(&digest::SHA256);
            context.update(&self.id);
            context.update(&self.secret);
            context.finish().as_ref().try_into().unwrap()
        }
    }

    impl Request {
        pub fn new(app: &Arc<App>, headers: &HeaderMap) -> Arc<Self> {
            Arc::new(Self {
                app: Arc::clone(app),
                cookie: headers.get(COOKIE).cloned(),
                session: tokio::sync::OnceCell::new(),
            })
        }

        pub fn scope<F: Future>(
            self: Arc<Self>,
            future: F,
        ) -> impl Future<Output = F::Output> + use<F> {
            REQUEST.scope(self, future)
        }

        fn ready(&self) -> Option<Arc<Session>> {
            let session = self.session.get()?;
            let holds = self.app.epoch.load(Ordering::Acquire) <= session.epoch;
            holds.then(|| Arc::clone(session))
        }
    }

    pub async fn verify() -> Result<Arc<Session>, Refused> {
        if let Ok(Some(session)) = REQUEST.try_with(|request| request.ready()) {
            return Ok(session);
        }
        let request = REQUEST
            .try_with(Arc::clone)
            .map_err(|_| Refused::NoRequest)?;
        request
            .session
            .get_or_try_init(|| request.app.load(request.cookie.as_ref()))
            .await
            .cloned()
    }

    fn find(header: &[u8]) -> Option<&[u8]> {
        header.split(|byte| *byte == b';').find_map(|pair| {
            pair.trim_ascii_start()
                .strip_prefix(COOKIE_NAME.as_bytes())?
                .strip_prefix(b"=")
        })
    }

    fn now() -> i64 {
        Utc::now().timestamp()
    }
}

/// A request of a browser that has a few other cookies too.
fn request(session: &str) -> HeaderMap {
    let cookies = format!("theme=dark; {COOKIE_NAME}={session}; locale=en-GB; consent=2026-01-05");
    let mut headers = HeaderMap::new();
    headers.insert(COOKIE, HeaderValue::from_str(&cookies).unwrap());
    headers
}

async fn signed_in(sessions: &Sessions<Member>) -> HeaderMap {
    let session = sessions.create(&Subject::new(MEMBER)).await.unwrap();
    let cookie = session.into_set_cookies().remove(0);
    let value = cookie.to_str().unwrap().split([';', '=']).nth(1).unwrap();
    request(value)
}

fn sessions(members: impl ViewerSource<Member>) -> Sessions<Member> {
    Sessions::builder(Key::generate().unwrap(), MemorySessionStore::new(), members)
        .app_url("https://app.example")
        // The store is not to be asked in between.
        .cache_bound(Duration::from_secs(60))
        .build()
        .unwrap()
}

fn second_call(runtime: &Runtime, report: &mut Report) {
    const CALLS: u32 = 20_000;
    let library = sessions(Members);
    let library_headers = runtime.block_on(signed_in(&library));
    let app = Arc::new(by_hand::App::new());
    let by_hand_headers = request(&runtime.block_on(app.sign_in(Member::of(MEMBER))));
    report.compare(
        Comparison {
            name: "second verify_session in a request",
            target: Some(1.3),
            judged: Judged::Median,
            rounds: 400,
            operations: CALLS,
        },
        || {
            let context = RequestContext::new(&library, &library_headers);
            runtime.block_on(context.scope(async {
                verify_session::<Member>().await.unwrap();
                let start = Instant::now();
                for _ in 0..CALLS {
                    black_box(
                        verify_session::<Member>()
                            .await
                            .unwrap()
                            .viewer()
                            .name
                            .len(),
                    );
                }
                start.elapsed()
            }))
        },
        || {
            let request = by_hand::Request::new(&app, &by_hand_headers);
            runtime.block_on(request.scope(async {
                by_hand::verify().await.unwrap();
                let start = Instant::now();
                for _ in 0..CALLS {
                    black_box(by_hand::verify().await.unwrap().member.name.len());
                }
                start.elapsed()
            }))
        },
    );
}

fn first_call(runtime: &Runtime, report: &mut Report) {
    const REQUESTS: u32 = 1_000;
    let library = sessions(Members);
    let library_headers = runtime.block_on(signed_in(&library));
    let app = Arc::new(by_hand::App::new());
    let by_hand_headers = request(&runtime.block_on(app.sign_in(Member::of(MEMBER))));
    report.compare(
        Comparison {
            name: "first verify_session over a warm cache",
            target: Some(1.5),
            judged: Judged::Micros,
            rounds: 400,
            operations: REQUESTS,
        },
        || {
            runtime.block_on(async {
                let start = Instant::now();
                for _ in 0..REQUESTS {
                    let context = RequestContext::new(&library, &library_headers);
                    let length = context.scope(async {
                        verify_session::<Member>()
                            .await
                            .unwrap()
                            .viewer()
                            .name
                            .len()
                    });
                    black_box(length.await);
                }
                start.elapsed()
            })
        },
        || {
            runtime.block_on(async {
                let start = Instant::now();
                for _ in 0..REQUESTS {
                    let request = by_hand::Request::new(&app, &by_hand_headers);
                    let length =
                        request.scope(async { by_hand::verify().await.unwrap().member.name.len() });
                    black_box(length.await);
                }
                start.elapsed()
            })
        },
    );
}

/// Many callers at once, before anything is known of the session.
fn many_callers(runtime: &Runtime) {
    const CALLERS: usize = 100;
    let loads = Arc::new(AtomicUsize::new(0));
    let sessions = sessions(Counting(Arc::clone(&loads)));
    let found = runtime.block_on(async {
        let headers = signed_in(&sessions).await;
        let context = RequestContext::new(&sessions, &headers);
        let callers = (0..CALLERS).map(|_| verify_session::<Member>());
        let found = context.scope(futures_util::future::join_all(callers)).await;
        found.into_iter().filter(Result::is_ok).count()
    });
    assert_eq!(found, CALLERS);
    let loads = loads.load(Ordering::Relaxed);
    assert_eq!(loads, 1, "callers at the same time share one load");
    println!("{CALLERS} callers at once in one request: {loads} load");
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut report = Report::default();
    second_call(&runtime, &mut report);
    first_call(&runtime, &mut report);
    println!("{report}");
    many_callers(&runtime);
}
