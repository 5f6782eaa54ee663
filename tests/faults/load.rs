//! What users do meanwhile, and what must be true of every answer.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clearance::session::Verified;
use clearance::{RequestContext, Result, SessionId, Sessions, Subject};
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};
use tokio::sync::Mutex;

use crate::tally::{Source, Tally};
use crate::{Member, RECOVERY, SESSIONS};

/// No call may take longer. A pool of sqlx gives up after 30 s, and a verification can wait for two
/// connections.
const LONGEST: Duration = Duration::from_secs(90);
/// How long a client waits after an answer that there is no answer.
const PAUSE: Duration = Duration::from_millis(50);

/// The last session of a device.
enum Session {
    Ended,
    Alive(Signed),
    /// Whether it was ended is not known, because the call failed, in this generation of the server.
    Doubtful(Signed, u64),
}

struct Signed {
    id: SessionId,
    cookie: HeaderMap,
}

pub(crate) struct Device {
    subject: Subject,
    session: Session,
    /// The cookies of its sessions that were ended.
    ended: Vec<HeaderMap>,
}

pub(crate) struct Load {
    pub(crate) sessions: Sessions<Member>,
    pub(crate) tally: Tally,
    /// Whether the store makes room by removing sessions that live.
    pub(crate) may_forget: bool,
    devices: Vec<Mutex<Device>>,
}

/// Enough randomness to mix operations, and the same for the same seed.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn of(task: usize) -> Self {
        Self(0x9e37_79b9_7f4a_7c15 ^ (task as u64 + 1).wrapping_mul(0xff51_afd7))
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap() % bound
    }
}

enum Answer<T> {
    Yes(T),
    Refused,
    None,
}

/// What an examination of every device found.
#[derive(Default)]
pub(crate) struct Found {
    alive: AtomicU64,
    ended: AtomicU64,
    doubtful_alive: AtomicU64,
    doubtful_ended: AtomicU64,
}

impl Found {
    pub(crate) fn report(&self) {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        println!(
            "  afterwards    {} sessions that live and {} that were ended asked for; of those whose end had failed {} live, {} do not",
            count(&self.alive),
            count(&self.ended),
            count(&self.doubtful_alive),
            count(&self.doubtful_ended),
        );
    }
}

fn cookie_of(response: &HeaderMap) -> Option<HeaderMap> {
    let pair = response.get(SET_COOKIE)?.to_str().ok()?;
    let pair = pair.split(';').next()?;
    let mut headers = HeaderMap::new();
    headers.insert(COOKIE, HeaderValue::from_str(pair).ok()?);
    Some(headers)
}

impl Load {
    pub(crate) fn new(sessions: Sessions<Member>) -> Self {
        let device = |number: usize| {
            Mutex::new(Device {
                subject: Subject::new(number),
                session: Session::Ended,
                ended: Vec::new(),
            })
        };
        Self {
            sessions,
            tally: Tally::new(),
            may_forget: false,
            devices: (0..SESSIONS).map(device).collect(),
        }
    }

    /// Signs in the devices of one task of `tasks`.
    pub(crate) async fn fill(&self, task: usize, tasks: usize) {
        for device in self.devices.iter().skip(task).step_by(tasks) {
            self.sign_in(task, &mut *device.lock().await).await;
        }
    }

    /// The answer to a call, and the generation of the server in which it began.
    async fn call<T>(
        &self,
        task: usize,
        operation: &'static str,
        source: Source,
        call: impl Future<Output = Result<T>>,
    ) -> (Answer<T>, u64) {
        let begun = self.tally.now();
        let Ok(answer) = tokio::time::timeout(LONGEST, call).await else {
            self.tally.hung(operation, LONGEST);
            return (Answer::None, begun.generation);
        };
        let error = answer.as_ref().err();
        self.tally.record(task, operation, source, begun, error);
        let answer = match answer {
            Ok(answer) => Answer::Yes(answer),
            Err(error) if error.is_unauthenticated() => Answer::Refused,
            Err(_) => {
                tokio::time::sleep(PAUSE).await;
                Answer::None
            }
        };
        (answer, begun.generation)
    }

    fn lost(&self, what: &str) {
        if !self.may_forget {
            self.tally.wrong(what.to_owned());
        }
    }

    async fn sign_in(&self, task: usize, device: &mut Device) {
        let context = RequestContext::new(&self.sessions, &HeaderMap::new());
        let call = context.sign_in(&device.subject);
        let (answer, _) = self.call(task, "sign in", Source::Store, call).await;
        let mut response = HeaderMap::new();
        context.finish(&mut response);
        match (answer, cookie_of(&response)) {
            (Answer::Yes(id), Some(cookie)) => {
                device.session = Session::Alive(Signed { id, cookie })
            }
            (Answer::Yes(_), None) => self.tally.wrong("a sign-in gave no cookie".to_owned()),
            (Answer::Refused, _) => self.tally.wrong("a sign-in was refused".to_owned()),
            (Answer::None, Some(_)) => {
                self.tally
                    .wrong("a sign-in that failed gave a cookie".to_owned());
            }
            (Answer::None, None) => {}
        }
    }

    async fn revoke(&self, task: usize, device: &mut Device) {
        let (Session::Alive(signed) | Session::Doubtful(signed, _)) = &device.session else {
            return;
        };
        let call = self.sessions.revoke(&device.subject, signed.id);
        let (answer, _) = self.call(task, "revoke", Source::Store, call).await;
        let was_alive = matches!(device.session, Session::Alive(_));
        match answer {
            Answer::Yes(was_there) => {
                if was_alive && !was_there {
                    self.lost("a session that lived was not there");
                }
                device.end();
                if let Some(cookie) = device.ended.last() {
                    self.verify_ended(task, cookie, Source::StoreOrCache).await;
                }
            }
            Answer::Refused => self.tally.wrong("a revocation was refused".to_owned()),
            Answer::None => device.doubt(self.tally.now().generation),
        }
    }

    async fn rotate(&self, task: usize, device: &mut Device) {
        let Session::Alive(signed) = &device.session else {
            return;
        };
        let context = RequestContext::new(&self.sessions, &signed.cookie);
        let call = context.rotate_session();
        let (answer, _) = self.call(task, "rotate", Source::Store, call).await;
        let mut response = HeaderMap::new();
        context.finish(&mut response);
        match (answer, cookie_of(&response)) {
            (Answer::Yes(id), Some(cookie)) => {
                device.end();
                device.session = Session::Alive(Signed { id, cookie });
            }
            (Answer::Yes(_), None) => self.tally.wrong("a rotation gave no cookie".to_owned()),
            (Answer::Refused, _) => {
                self.lost("a session that lived was not rotated");
                device.end();
            }
            (Answer::None, cookie) => {
                if cookie.is_some() {
                    self.tally
                        .wrong("a rotation that failed gave a cookie".to_owned());
                }
                device.doubt(self.tally.now().generation);
            }
        }
    }

    async fn extend(&self, task: usize, device: &mut Device) {
        let Session::Alive(signed) = &device.session else {
            return;
        };
        let context = RequestContext::new(&self.sessions, &signed.cookie);
        let call = context.extend_session();
        let (answer, _) = self.call(task, "extend", Source::Store, call).await;
        if matches!(answer, Answer::Yes(None) | Answer::Refused) {
            self.lost("a session that lived was not extended");
            device.end();
        }
    }

    /// Whose session a cookie is, by the cache where `source` allows it.
    async fn ask(
        &self,
        task: usize,
        cookie: &HeaderMap,
        source: Source,
    ) -> (Answer<Verified<Member>>, u64) {
        let context = RequestContext::new(&self.sessions, cookie);
        match source {
            Source::Store => {
                let current = context.verify_current::<Member>();
                let call = async { current.await.map(|current| current.into_verified()) };
                self.call(task, "verify current", source, call).await
            }
            Source::StoreOrCache => {
                let call = context.verify_session::<Member>();
                self.call(task, "verify", source, call).await
            }
        }
    }

    /// Asks for the session of a device; tells whether there was a definite answer.
    async fn verify(&self, task: usize, device: &mut Device, source: Source) -> bool {
        let (Session::Alive(signed) | Session::Doubtful(signed, _)) = &device.session else {
            return true;
        };
        let (answer, generation) = self.ask(task, &signed.cookie, source).await;
        match answer {
            Answer::Yes(verified) => {
                if verified.subject() != &device.subject {
                    self.tally.wrong("somebody else's session".to_owned());
                }
                device.is_alive(generation);
                true
            }
            Answer::Refused => {
                if matches!(device.session, Session::Alive(_)) {
                    self.lost("a session that lived was refused");
                }
                device.end();
                true
            }
            Answer::None => false,
        }
    }

    /// Asks for a session that was ended; tells whether there was a definite answer.
    async fn verify_ended(&self, task: usize, cookie: &HeaderMap, source: Source) -> bool {
        match self.ask(task, cookie, source).await.0 {
            Answer::Yes(_) => {
                self.tally
                    .wrong("a session that was ended was answered".to_owned());
                true
            }
            Answer::Refused => true,
            Answer::None => false,
        }
    }

    /// Something that a user does.
    pub(crate) async fn step(&self, task: usize, dice: &mut Dice) {
        // A device does one thing at a time.
        let device = &mut *self.devices[dice.below(SESSIONS)].lock().await;
        let source = if dice.below(4) == 0 {
            Source::Store
        } else {
            Source::StoreOrCache
        };
        match dice.below(100) {
            0..=7 => self.revoke(task, device).await,
            8..=14 => self.rotate(task, device).await,
            15..=24 => self.extend(task, device).await,
            25..=34 => {
                if let Some(cookie) = device.ended.last() {
                    self.verify_ended(task, cookie, source).await;
                }
            }
            _ if matches!(device.session, Session::Ended) => self.sign_in(task, device).await,
            _ => {
                self.verify(task, device, source).await;
            }
        }
    }

    /// Ends all sessions of the users of one of `tasks` tasks; asks again where that failed.
    pub(crate) async fn revoke_everything(&self, task: usize, tasks: usize) {
        for device in self.devices.iter().skip(task).step_by(tasks) {
            let device = &mut *device.lock().await;
            let begun = Instant::now();
            loop {
                let call = self.sessions.revoke_all(&device.subject);
                match self.call(task, "revoke all", Source::Store, call).await.0 {
                    Answer::Yes(_) => break device.end(),
                    Answer::Refused => {
                        break self.tally.wrong("a revocation was refused".to_owned());
                    }
                    Answer::None if begun.elapsed() > RECOVERY => {
                        break self.tally.wrong("a revocation never succeeded".to_owned());
                    }
                    Answer::None => {}
                }
            }
        }
    }

    /// Asks the store for every session that there was, in the share of one of `tasks` tasks.
    pub(crate) async fn examine(&self, task: usize, tasks: usize, found: &Found) {
        let add = |counter: &AtomicU64| counter.fetch_add(1, Ordering::Relaxed);
        for device in self.devices.iter().skip(task).step_by(tasks) {
            let device = &mut *device.lock().await;
            let begun = Instant::now();
            let was_doubtful = matches!(device.session, Session::Doubtful(..));
            while !self.verify(task, device, Source::Store).await && begun.elapsed() < RECOVERY {}
            match (&device.session, was_doubtful) {
                (Session::Alive(_), false) => add(&found.alive),
                (Session::Alive(_) | Session::Doubtful(..), true) => add(&found.doubtful_alive),
                (Session::Ended, true) => add(&found.doubtful_ended),
                (Session::Ended | Session::Doubtful(..), false) => 0,
            };
            for cookie in &device.ended {
                let begun = Instant::now();
                while !self.verify_ended(task, cookie, Source::Store).await
                    && begun.elapsed() < RECOVERY
                {}
                add(&found.ended);
            }
        }
    }
}

impl Device {
    fn end(&mut self) {
        match std::mem::replace(&mut self.session, Session::Ended) {
            Session::Alive(signed) | Session::Doubtful(signed, _) => {
                self.ended.push(signed.cookie);
            }
            Session::Ended => {}
        }
    }

    fn doubt(&mut self, generation: u64) {
        match std::mem::replace(&mut self.session, Session::Ended) {
            Session::Alive(signed) | Session::Doubtful(signed, _) => {
                self.session = Session::Doubtful(signed, generation);
            }
            Session::Ended => {}
        }
    }

    /// An answer to a call that began in this generation said so. It settles a doubt of an earlier
    /// one; in the same one, the server may still be about to end the session.
    fn is_alive(&mut self, generation: u64) {
        match std::mem::replace(&mut self.session, Session::Ended) {
            Session::Doubtful(signed, doubted) if generation > doubted => {
                self.session = Session::Alive(signed);
            }
            session => self.session = session,
        }
    }
}
