//! What verifying costs beside the same work written by hand.
//!
//! The two are measured in turns within one run, so that their ratio holds whatever else the
//! machine does. `cargo bench --bench sessions` prints the medians.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a benchmark may panic"
)]

use std::future::Future;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use clearance::session::MemorySessionStore;
use clearance::{
    Key, RequestContext, Sessions, SourceError, Subject, Viewer, ViewerSource, async_trait,
    verify_session,
};
use http::{HeaderMap, HeaderValue};
use tokio::sync::OnceCell;

struct Member {
    id: i64,
}

impl Viewer for Member {
    fn subject(&self) -> Subject {
        Subject::new(self.id)
    }
}

struct Members;

#[async_trait]
impl ViewerSource<Member> for Members {
    async fn load(&self, subject: &Subject) -> Result<Option<Member>, SourceError> {
        Ok(subject.parse().ok().map(|id| Member { id }))
    }
}

/// A session as one writes it by hand.
struct ByHand {
    member: Member,
    epoch: u64,
}

type Cell = Arc<OnceCell<Arc<ByHand>>>;

tokio::task_local! {
    static CELL: Cell;
}

static EPOCH: AtomicU64 = AtomicU64::new(0);

/// Reads the cell and can do nothing else: the least that a second call could cost.
async fn cell_alone() -> Option<Arc<ByHand>> {
    CELL.try_with(|cell| {
        let found = cell.get()?;
        (found.epoch == EPOCH.load(Ordering::Acquire)).then(|| Arc::clone(found))
    })
    .ok()
    .flatten()
}

/// The function that one writes by hand: the cell, or one load that concurrent callers share.
async fn verify_by_hand(server: &Server, headers: &HeaderMap) -> Result<Arc<ByHand>, u16> {
    let cell = CELL.try_with(Arc::clone).map_err(|_| 500_u16)?;
    let found = cell
        .get_or_try_init(|| async { server.verify(headers).await.ok_or(401_u16) })
        .await?;
    if found.epoch != EPOCH.load(Ordering::Acquire) {
        return server.verify(headers).await.ok_or(401_u16);
    }
    Ok(Arc::clone(found))
}

/// Parse, open, look up: the verification of a request whose session is cached.
struct Server {
    key: LessSafeKey,
    cache: moka::future::Cache<[u8; 16], Arc<ByHand>>,
}

impl Server {
    fn credential(&self, headers: &HeaderMap) -> Option<[u8; 16]> {
        let cookies = headers.get("cookie")?.to_str().ok()?;
        let value = cookies
            .split("; ")
            .find_map(|pair| pair.strip_prefix("__Host-session="))?;
        let mut sealed = URL_SAFE_NO_PAD.decode(value).ok()?;
        let (nonce, rest) = sealed.split_first_chunk_mut::<12>()?;
        let content = self
            .key
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from("session"),
                rest,
            )
            .ok()?;
        let expires_at = i64::from_be_bytes(content[48..56].try_into().ok()?);
        let live = DateTime::from_timestamp(expires_at, 0)? > Utc::now();
        live.then(|| content[..16].try_into().ok()).flatten()
    }

    async fn verify(&self, headers: &HeaderMap) -> Option<Arc<ByHand>> {
        let id = self.credential(headers)?;
        let found = self.cache.get(&id).await?;
        (found.epoch == EPOCH.load(Ordering::Acquire)).then_some(found)
    }
}

fn headers(value: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let cookie = format!("theme=dark; {value}; lang=en");
    headers.insert("cookie", HeaderValue::try_from(cookie).unwrap());
    headers
}

/// Nanoseconds for one step.
async fn timed<F: Future>(times: u32, mut step: impl FnMut() -> F) -> f64 {
    let start = Instant::now();
    for _ in 0..times {
        black_box(step().await);
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(times)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn report(what: &str, by_hand: Vec<f64>, ours: Vec<f64>) {
    let ratios = by_hand.iter().zip(&ours).map(|(hand, ours)| ours / hand);
    let ratio = median(ratios.collect());
    println!(
        "{what}: by hand {:.1} ns, clearance {:.1} ns, ratio {ratio:.2} (at most 1.3 wanted)",
        median(by_hand),
        median(ours),
    );
}

const ROUNDS: usize = 101;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let sessions = Sessions::builder(Key::generate().unwrap(), MemorySessionStore::new(), Members)
        .app_url("https://app.example")
        .cache_bound(Duration::from_secs(600))
        .build()
        .unwrap();
    let session = sessions.create(&Subject::new(7)).await.unwrap();
    let set_cookie = session.into_set_cookie();
    let pair = set_cookie.to_str().unwrap().split(';').next().unwrap();
    let our_headers = headers(pair);

    let server = Server {
        key: LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[7; 32]).unwrap()),
        cache: moka::future::Cache::builder()
            .max_capacity(10_000)
            .time_to_live(Duration::from_secs(600))
            .build(),
    };
    let cached = Arc::new(ByHand {
        member: Member { id: 7 },
        epoch: 0,
    });
    server.cache.insert([1; 16], Arc::clone(&cached)).await;
    let mut content = vec![1; 48];
    content.extend((Utc::now().timestamp() + 3_600).to_be_bytes());
    server
        .key
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key([9; 12]),
            Aad::from("session"),
            &mut content,
        )
        .unwrap();
    let sealed = [&[9; 12][..], &content].concat();
    let by_hand_headers = headers(&format!(
        "__Host-session={}",
        URL_SAFE_NO_PAD.encode(sealed)
    ));

    eprintln!("size {}", size_of_val(&verify_session::<Member>()));
    let (mut by_hand, mut ours) = (Vec::new(), Vec::new());
    let cell: Cell = Arc::new(OnceCell::new_with(Some(Arc::clone(&cached))));
    let context = RequestContext::new(&sessions, &our_headers);
    context.verify_session::<Member>().await.unwrap();
    let mut least = Vec::new();
    for _ in 0..ROUNDS {
        let step = timed(20_000, || async { cell_alone().await.unwrap().member.id });
        least.push(CELL.scope(Arc::clone(&cell), step).await);
        let step = timed(20_000, || async {
            let found = verify_by_hand(&server, &by_hand_headers).await;
            found.unwrap().member.id
        });
        by_hand.push(CELL.scope(Arc::clone(&cell), step).await);
        let step = timed(20_000, || async {
            verify_session::<Member>().await.unwrap().viewer().id
        });
        ours.push(context.scope(step).await);
    }
    println!("reading the cell alone: {:.1} ns", median(least));
    report("second verify_session in a request", by_hand, ours);

    let (mut by_hand, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        by_hand.push(
            timed(2_000, || async {
                let cell: Cell = Arc::new(OnceCell::new());
                let found = CELL
                    .scope(cell, verify_by_hand(&server, &by_hand_headers))
                    .await;
                found.unwrap().member.id
            })
            .await,
        );
        ours.push(
            timed(2_000, || async {
                let context = RequestContext::new(&sessions, &our_headers);
                let found = context.scope(verify_session::<Member>()).await;
                found.unwrap().viewer().id
            })
            .await,
        );
    }
    report("first verify_session over a warm cache", by_hand, ours);
}
