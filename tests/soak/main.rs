//! Sessions under load for a long time: 100,000 of them on one PostgreSQL, signed in, verified,
//! touched and revoked from many tasks at once. `cargo xtask soak` runs it.
//!
//! Meanwhile the viewers of 1,000 others a second change, which is in everybody's way who shares a group with one.
//!
//! It fails when a session is answered that was revoked before the question, or one is refused that
//! lives or is answered as unavailable, and when the process holds more memory at the end than after the warm-up.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails"
)]

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clearance::session::Lifetime;
use clearance::{
    Db, Key, RequestContext, SessionId, Sessions, SourceError, Subject, Viewer, ViewerSource,
    async_trait,
};
use http::{HeaderMap, HeaderValue};
use tokio::sync::Mutex;

const SESSIONS: usize = 100_000;
const SUBJECTS: usize = 20_000;
const TASKS: usize = 64;

struct Member(Subject);

impl Viewer for Member {
    fn subject(&self) -> Subject {
        self.0.clone()
    }
}

struct Members;

#[async_trait]
impl ViewerSource<Member> for Members {
    async fn load(&self, subject: &Subject) -> Result<Option<Member>, SourceError> {
        Ok(Some(Member(subject.clone())))
    }
}

/// One device of a subject: the session that it has, and the last one that it had.
struct Device {
    subject: Subject,
    session: Option<(SessionId, HeaderMap)>,
    dead: Option<HeaderMap>,
}

#[derive(Default)]
struct Counts {
    verified: AtomicU64,
    refused: AtomicU64,
    signed_in: AtomicU64,
    revoked: AtomicU64,
    everywhere: AtomicU64,
}

struct Soak {
    sessions: Sessions<Member>,
    devices: Vec<Mutex<Device>>,
    counts: Counts,
}

/// Enough randomness to mix operations, and the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap() % bound
    }
}

impl Soak {
    async fn sign_in(&self, device: &mut Device) {
        let session = self.sessions.create(&device.subject).await.unwrap();
        let id = session.id();
        let cookie = session.into_set_cookies().remove(0);
        let pair = cookie
            .to_str()
            .unwrap()
            .split(';')
            .next()
            .unwrap()
            .to_owned();
        let mut headers = HeaderMap::new();
        headers.insert("cookie", HeaderValue::from_str(&pair).unwrap());
        device.session = Some((id, headers));
        self.counts.signed_in.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether a request with this cookie is somebody's.
    async fn answers(&self, headers: &HeaderMap, subject: &Subject) -> bool {
        let request = RequestContext::new(&self.sessions, headers);
        match request.verify_session::<Member>().await {
            Ok(verified) => {
                assert_eq!(verified.subject(), subject, "somebody else's session");
                self.counts.verified.fetch_add(1, Ordering::Relaxed);
                true
            }
            Err(error) => {
                assert!(error.is_unauthenticated(), "{error}");
                self.counts.refused.fetch_add(1, Ordering::Relaxed);
                false
            }
        }
    }

    async fn step(&self, dice: &mut Dice) {
        let number = dice.below(SESSIONS);
        // A device does one thing at a time; its subject's others do theirs meanwhile.
        let mut device = self.devices[number].lock().await;
        match dice.below(1_000) {
            0..=19 => {
                if let Some((id, headers)) = device.session.take() {
                    self.sessions.revoke(&device.subject, id).await.unwrap();
                    assert!(
                        !self.answers(&headers, &device.subject).await,
                        "revoked, and answered"
                    );
                    device.dead = Some(headers);
                    self.counts.revoked.fetch_add(1, Ordering::Relaxed);
                }
            }
            20..=59 => {
                if let Some(headers) = &device.dead {
                    assert!(
                        !self.answers(headers, &device.subject).await,
                        "revoked, and answered"
                    );
                }
            }
            // All devices of the subject, which nobody else touches meanwhile.
            60 => {
                let subject = device.subject.clone();
                drop(device);
                let mut all = Vec::new();
                for place in (number % SUBJECTS..SESSIONS).step_by(SUBJECTS) {
                    all.push(self.devices[place].lock().await);
                }
                self.sessions.revoke_all(&subject).await.unwrap();
                for device in &mut all {
                    if let Some((_, headers)) = device.session.take() {
                        assert!(
                            !self.answers(&headers, &subject).await,
                            "revoked, and answered"
                        );
                        device.dead = Some(headers);
                    }
                }
                self.counts.everywhere.fetch_add(1, Ordering::Relaxed);
            }
            _ => match &device.session {
                Some((_, headers)) => {
                    assert!(
                        self.answers(headers, &device.subject).await,
                        "alive, and refused"
                    );
                }
                None => self.sign_in(&mut device).await,
            },
        }
    }
}

/// Bytes of memory that the process holds.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = text.split_whitespace().nth(1).unwrap().parse().unwrap();
    pages * 4096
}

#[tokio::main]
async fn main() {
    let seconds = std::env::var("SOAK_SECONDS").map_or(600, |text| text.parse().unwrap());
    let duration = Duration::from_secs(seconds);
    let url = std::env::var("POSTGRES_URL").expect("POSTGRES_URL names a server");
    let db = Db::connect(&url).await.unwrap();
    db.migrate().await.unwrap();
    let sessions = Sessions::builder(Key::generate().unwrap(), db.session_store(), Members)
        .app_url("https://app.example")
        .lifetime(Lifetime::sliding(
            Duration::from_secs(24 * 60 * 60),
            Duration::from_secs(30 * 24 * 60 * 60),
        ))
        // Short, so that touches and loads come often.
        .touch_interval(Duration::from_secs(5))
        .cache_bound(Duration::from_secs(2))
        .cache_capacity(20_000)
        .build()
        .unwrap();
    let device = |number: usize| {
        Mutex::new(Device {
            subject: Subject::new(number % SUBJECTS),
            session: None,
            dead: None,
        })
    };
    let soak = Arc::new(Soak {
        sessions,
        devices: (0..SESSIONS).map(device).collect(),
        counts: Counts::default(),
    });

    let began = Instant::now();
    let signing_in: Vec<_> = (0..TASKS)
        .map(|task| {
            let soak = Arc::clone(&soak);
            tokio::spawn(async move {
                for number in (task..SESSIONS).step_by(TASKS) {
                    let mut device = soak.devices[number].lock().await;
                    soak.sign_in(&mut device).await;
                }
            })
        })
        .collect();
    for task in signing_in {
        task.await.unwrap();
    }
    println!(
        "{SESSIONS} sessions signed in within {:.0?}",
        began.elapsed()
    );

    let began = Instant::now();
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let soak = Arc::clone(&soak);
            let mut dice =
                Dice(0x9e37_79b9_7f4a_7c15 ^ (task as u64 + 1).wrapping_mul(0xff51_afd7));
            tokio::spawn(async move {
                while began.elapsed() < duration {
                    soak.step(&mut dice).await;
                }
            })
        })
        .collect();

    // Twenty thousand strangers are in every group, and so in everybody's way.
    let noise = tokio::spawn({
        let soak = Arc::clone(&soak);
        async move {
            let mut tick = tokio::time::interval(Duration::from_millis(100));
            let mut changes = 0_u64;
            while began.elapsed() < duration {
                tick.tick().await;
                for _ in 0..100 {
                    changes += 1;
                    let stranger = Subject::new(format!("stranger {}", changes % 20_000));
                    soak.sessions.viewer_changed(&stranger);
                }
            }
            changes
        }
    });

    let mut memory = Vec::new();
    while began.elapsed() < duration {
        tokio::time::sleep(duration / 60).await;
        memory.push(resident());
    }
    for task in tasks {
        task.await.unwrap();
    }

    println!("{} changes of others meanwhile", noise.await.unwrap());

    let counts = &soak.counts;
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    println!(
        "{} verified, {} refused, {} signed in, {} revoked one by one, {} times all of a subject's, in {:.0?}",
        count(&counts.verified),
        count(&counts.refused),
        count(&counts.signed_in),
        count(&counts.revoked),
        count(&counts.everywhere),
        began.elapsed(),
    );
    let mebibytes = |bytes: u64| bytes >> 20;
    let mut series = String::new();
    for bytes in memory.iter().step_by(6) {
        let _ = write!(series, " {}", mebibytes(*bytes));
    }
    println!("memory in MiB, ten times:{series}");
    // The first third is the warm-up: caches fill, and the allocator takes what it keeps.
    let third = memory.len() / 3;
    let most = |part: &[u64]| part.iter().copied().max().unwrap_or_default();
    let (warm, last) = (most(&memory[third..2 * third]), most(&memory[2 * third..]));
    println!(
        "most after the warm-up {} MiB, most at the end {} MiB",
        mebibytes(warm),
        mebibytes(last)
    );
    assert!(last <= warm + warm / 20, "the process grows");
    println!("no revoked session was answered, no living one refused, nothing grew");
}
