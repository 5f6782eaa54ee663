//! Sessions in Redis.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use redis::{FromRedisValue, Script, ScriptInvocation};

use super::{
    Created, FIELDS, Replaced, SessionId, SessionLimit, SessionRecord, SessionStore, Standing,
    StoreError, StoredFields, record,
};
use crate::error::Result;
use crate::session::redis::{Link, Question};
use crate::viewer::Subject;

const PREFIX: &str = "clearance:";
const SCRIPT: &str = include_str!("redis/sessions.lua");
/// How many sessions one step removes at most, because Redis does nothing else meanwhile.
const BATCH: u64 = 500;

const DATA: &str = "data";
const LAST_SEEN_AT: &str = "last_seen_at";
const IDLE_EXPIRES_AT: &str = "idle_expires_at";
const EXPIRES_AT: &str = "expires_at";

/// Keeps sessions in Redis 6.2 or later, or in Valkey.
///
/// A call that Redis has not answered within 2 seconds has failed, and is answered as unavailable.
///
/// # Keys
///
/// All begin with the prefix, `clearance:` unless [`with_prefix`](Self::with_prefix) says another.
/// Instants are 20 digits that sort as the instants do, scores are microseconds since 1970.
///
/// | key | type | what it holds |
/// |---|---|---|
/// | `session:<id>` | hash | a record, and its data in the field `data` |
/// | `subject:<subject>` | set | the ids of the subject's sessions |
/// | `sessions` | sorted set | each session's id by the instant at which it ends |
/// | `denials` | sorted set | the ids of denied stateless sessions by the instant until which each is kept |
/// | `cut-offs` | hash | the cut-off of each subject; that of everyone in the field of no name |
/// | `cut-off-ends` | sorted set | the same subjects by the instant until which each is kept |
///
/// Each step that must be one is one script. It reaches keys that it finds in others, so it needs
/// one server (and its replicas): it is not for Redis Cluster.
///
/// # What to configure
///
/// - **No key has a time to live.** The application's clock decides what is over, and what Redis
///   removes by its own clock could be a denial that is still needed. Call
///   [`Sessions::sweep`](crate::Sessions::sweep) now and then, as with any store.
/// - **`maxmemory-policy noeviction`**, or one of the `volatile-` policies. Those of `allkeys-` remove
///   what is not used: a session, whose user is then signed out, or a denial, with which an ended
///   stateless session is back.
/// - **`appendonly yes` and `appendfsync always`.** With anything less a crash loses the last writes,
///   with `everysec` those of a second or two. A lost sign-in signs out. A lost *deletion* or denial
///   brings back a session that was ended. A replica that takes over loses what it had not received.
/// - **TLS**: turn on the feature `tokio-rustls-comp` of the crate `redis` in your own manifest and
///   write `rediss://`.
///
/// # Example
///
/// ```no_run
/// use clearance::session::RedisSessionStore;
/// # use clearance::{Key, Sessions, SourceError, Subject, Viewer, ViewerSource, async_trait};
/// # struct Member;
/// # impl Viewer for Member {
/// #     fn subject(&self) -> Subject { Subject::new(1) }
/// # }
/// # struct Members;
/// # #[async_trait]
/// # impl ViewerSource<Member> for Members {
/// #     async fn load(&self, _: &Subject) -> Result<Option<Member>, SourceError> { Ok(None) }
/// # }
///
/// # async fn start() -> clearance::Result<()> {
/// let store = RedisSessionStore::connect("redis://:password@127.0.0.1:6379/").await?;
/// let sessions = Sessions::builder(Key::from_env("APP_KEY")?, store, Members)
///     .app_url("https://app.example")
///     .build()?;
/// # let _ = sessions;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RedisSessionStore {
    shared: Arc<Shared>,
    prefix: String,
}

struct Shared {
    link: Link,
    script: Script,
}

impl RedisSessionStore {
    /// Connects to the server at `url`, for instance `redis://:password@127.0.0.1:6379/`.
    ///
    /// # Errors
    ///
    /// [`Error::is_configuration`](crate::Error::is_configuration) when the URL is malformed,
    /// [`Error::is_unavailable`](crate::Error::is_unavailable) when nothing answers there. Neither
    /// repeats the URL, which may hold a password.
    pub async fn connect(url: &str) -> Result<Self> {
        Ok(Self {
            shared: Arc::new(Shared {
                link: Link::connect(url).await?,
                script: Script::new(SCRIPT),
            }),
            prefix: PREFIX.to_owned(),
        })
    }

    /// With another prefix of its keys, for applications that share a server.
    #[must_use]
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn session(&self, id: SessionId) -> String {
        format!("{}session:{id}", self.prefix)
    }

    fn step(&self, step: &'static str) -> ScriptInvocation<'_> {
        let mut invocation = self.shared.script.prepare_invoke();
        invocation.arg(step).arg(&self.prefix);
        invocation
    }

    async fn run<T: FromRedisValue>(&self, step: &ScriptInvocation<'_>) -> Result<T, StoreError> {
        self.shared.link.ask(Question::Script(step)).await
    }

    /// The fields of a session that lives at `now`; the first two say when it ends.
    async fn living(
        &self,
        id: SessionId,
        now: DateTime<Utc>,
        fields: &[&str],
    ) -> Result<Option<Values>, StoreError> {
        let mut command = redis::cmd("HMGET");
        command
            .arg(self.session(id))
            .arg(IDLE_EXPIRES_AT)
            .arg(EXPIRES_AT)
            .arg(fields);
        let question = Question::Command(&command);
        let mut values: Values = self.shared.link.read(question).await?;
        if values.len() != fields.len() + 2 {
            return Err(StoreError::malformed());
        }
        let rest = values.split_off(2);
        match (instant(values.first()), instant(values.get(1))) {
            (Some(idle), Some(end)) => Ok((idle > now && end > now).then_some(rest)),
            _ if values.iter().chain(&rest).all(Option::is_none) => Ok(None),
            _ => Err(StoreError::malformed()),
        }
    }

    /// Runs a step until it finds nothing more; tells how many sessions it removed.
    async fn repeat(&self, step: &ScriptInvocation<'_>) -> Result<u64, StoreError> {
        let mut total: u64 = 0;
        loop {
            let (found, removed): (u64, u64) = self.run(step).await?;
            total = total.saturating_add(removed);
            if found == 0 {
                return Ok(total);
            }
        }
    }
}

impl fmt::Debug for RedisSessionStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSessionStore")
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

type Values = Vec<Option<Vec<u8>>>;

/// An instant as text that sorts as instants do, those before 1970 too.
fn digits(instant: DateTime<Utc>) -> String {
    let shifted = instant.timestamp_micros().cast_unsigned() ^ (1 << 63);
    format!("{shifted:020}")
}

fn instant(value: Option<&Option<Vec<u8>>>) -> Option<DateTime<Utc>> {
    let digits = std::str::from_utf8(value?.as_deref()?).ok()?;
    let shifted: u64 = digits.parse().ok()?;
    DateTime::from_timestamp_micros((shifted ^ (1 << 63)).cast_signed())
}

fn score(instant: DateTime<Utc>) -> i64 {
    instant.timestamp_micros()
}

/// When a record is over if it is not touched again.
fn end(record: &SessionRecord) -> i64 {
    score(record.idle_expires_at.min(record.expires_at))
}

/// Adds the name and the value of each field to what a step is given. What a record does not have
/// is no field.
fn give_record(step: &mut ScriptInvocation<'_>, record: &SessionRecord) {
    let [
        id,
        secret_hash,
        subject,
        created_at,
        authenticated_at,
        assurance,
        last_seen_at,
        idle_expires_at,
        expires_at,
        persistent,
        address,
        agent,
        claims,
    ] = FIELDS;
    step.arg(id).arg(record.id.to_string());
    step.arg(secret_hash).arg(record.secret_hash.as_bytes());
    step.arg(subject).arg(record.subject.as_str());
    step.arg(created_at).arg(digits(record.created_at));
    step.arg(authenticated_at)
        .arg(digits(record.authenticated_at));
    step.arg(assurance).arg(record.assurance.word());
    step.arg(last_seen_at).arg(digits(record.last_seen_at));
    step.arg(idle_expires_at)
        .arg(digits(record.idle_expires_at));
    step.arg(expires_at).arg(digits(record.expires_at));
    step.arg(persistent).arg(u8::from(record.persistent));
    if let Some(given) = record.address {
        step.arg(address).arg(given.to_string());
    }
    if let Some(given) = &record.agent {
        step.arg(agent).arg(given);
    }
    step.arg(claims).arg(&record.claims);
}

impl StoredFields for Values {
    fn optional(&self, index: usize) -> Option<Option<String>> {
        match self.get(index)? {
            Some(bytes) => Some(Some(String::from_utf8(bytes.clone()).ok()?)),
            None => Some(None),
        }
    }

    fn hash(&self, index: usize) -> Option<[u8; 32]> {
        self.get(index)?.as_deref()?.try_into().ok()
    }

    fn instant(&self, index: usize) -> Option<DateTime<Utc>> {
        instant(self.get(index))
    }

    fn flag(&self, index: usize) -> Option<bool> {
        Some(self.get(index)?.as_deref()? != b"0")
    }
}

#[async_trait]
impl SessionStore for RedisSessionStore {
    async fn create(
        &self,
        record: &SessionRecord,
        limit: Option<SessionLimit>,
    ) -> Result<Created, StoreError> {
        let kind = match limit {
            None => "any",
            Some(SessionLimit::Reject(_)) => "reject",
            Some(SessionLimit::EvictOldest(_)) => "evict",
        };
        let mut step = self.step("create");
        step.arg(record.id.to_string())
            .arg(record.subject.as_str())
            .arg(end(record))
            .arg(kind)
            .arg(limit.map_or(0, SessionLimit::most))
            .arg(digits(record.created_at));
        give_record(&mut step, record);
        let answer: Vec<String> = self.run(&step).await?;
        match answer.split_first() {
            Some((word, ended)) if word == "stored" => ended
                .iter()
                .map(|id| id.parse())
                .collect::<Result<_, _>>()
                .map(Created::Stored)
                .map_err(|_| StoreError::malformed()),
            Some((word, [])) if word == "taken" => Ok(Created::IdTaken),
            Some((word, [])) if word == "limit" => Ok(Created::LimitReached),
            _ => Err(StoreError::malformed()),
        }
    }

    async fn load(
        &self,
        id: SessionId,
        now: DateTime<Utc>,
    ) -> Result<Option<SessionRecord>, StoreError> {
        self.living(id, now, &FIELDS)
            .await?
            .map(|values| record(&values).ok_or(StoreError::malformed()))
            .transpose()
    }

    async fn touch(&self, record: &SessionRecord) -> Result<bool, StoreError> {
        let mut step = self.step("touch");
        step.arg(record.id.to_string())
            .arg(record.secret_hash.as_bytes())
            .arg(digits(record.last_seen_at))
            .arg(end(record))
            .arg(LAST_SEEN_AT)
            .arg(digits(record.last_seen_at))
            .arg(IDLE_EXPIRES_AT)
            .arg(digits(record.idle_expires_at));
        self.run(&step).await
    }

    async fn replace(
        &self,
        old: &SessionRecord,
        record: &SessionRecord,
        now: DateTime<Utc>,
    ) -> Result<Replaced, StoreError> {
        let mut step = self.step("replace");
        step.arg(old.id.to_string())
            .arg(old.secret_hash.as_bytes())
            .arg(digits(now))
            .arg(record.id.to_string())
            .arg(record.subject.as_str())
            .arg(end(record));
        give_record(&mut step, record);
        let answer: String = self.run(&step).await?;
        match answer.as_str() {
            "done" => Ok(Replaced::Done),
            "gone" => Ok(Replaced::Gone),
            "taken" => Ok(Replaced::IdTaken),
            _ => Err(StoreError::malformed()),
        }
    }

    async fn data(&self, id: SessionId, now: DateTime<Utc>) -> Result<Option<Vec<u8>>, StoreError> {
        let values = self.living(id, now, &[DATA]).await?;
        Ok(values.and_then(|values| values.into_iter().next().flatten()))
    }

    async fn set_data(
        &self,
        id: SessionId,
        now: DateTime<Utc>,
        data: Option<&[u8]>,
    ) -> Result<bool, StoreError> {
        let mut step = self.step("set_data");
        step.arg(id.to_string()).arg(digits(now)).arg(data);
        self.run(&step).await
    }

    async fn delete(&self, id: SessionId, subject: &Subject) -> Result<bool, StoreError> {
        let mut step = self.step("delete");
        step.arg(id.to_string()).arg(subject.as_str());
        self.run(&step).await
    }

    async fn delete_all(
        &self,
        subject: &Subject,
        keep: Option<SessionId>,
    ) -> Result<u64, StoreError> {
        let mut step = self.step("delete_all");
        step.arg(subject.as_str())
            .arg(keep.map(|id| id.to_string()));
        self.run(&step).await
    }

    async fn delete_everyone(&self) -> Result<u64, StoreError> {
        let mut step = self.step("delete_some");
        step.arg(BATCH);
        self.repeat(&step).await
    }

    async fn list(
        &self,
        subject: &Subject,
        now: DateTime<Utc>,
    ) -> Result<Vec<SessionRecord>, StoreError> {
        let mut step = self.step("list");
        step.arg(subject.as_str()).arg(digits(now)).arg(&FIELDS);
        let records: Vec<Values> = self.shared.link.read(Question::Script(&step)).await?;
        records
            .iter()
            .map(|values| record(values).ok_or(StoreError::malformed()))
            .collect()
    }

    async fn deny(&self, id: SessionId, until: DateTime<Utc>) -> Result<bool, StoreError> {
        let add = async |which| {
            let mut command = redis::cmd("ZADD");
            command
                .arg(self.key("denials"))
                .arg(which)
                .arg(score(until))
                .arg(id.to_string());
            self.shared.link.ask(Question::Command(&command)).await
        };
        let new: i64 = add("NX").await?;
        if new == 0 {
            // Kept as long as whoever needs it longest.
            let _: i64 = add("GT").await?;
        }
        Ok(new > 0)
    }

    async fn cut_off(
        &self,
        subject: Option<&Subject>,
        cut_off: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut step = self.step("cut_off");
        // No subject is empty.
        step.arg(subject.map_or("", Subject::as_str))
            .arg(digits(cut_off))
            .arg(score(until));
        self.run::<i64>(&step).await.map(|_| ())
    }

    async fn standing(&self, id: SessionId, subject: &Subject) -> Result<Standing, StoreError> {
        let mut both = redis::pipe();
        both.atomic()
            .cmd("ZSCORE")
            .arg(self.key("denials"))
            .arg(id.to_string())
            .cmd("HMGET")
            .arg(self.key("cut-offs"))
            .arg(subject.as_str())
            .arg("");
        let question = Question::Together(&both);
        let (denied, cut_offs): (Option<f64>, Values) = self.shared.link.read(question).await?;
        let mut latest = None;
        for cut_off in cut_offs.iter().filter(|cut_off| cut_off.is_some()) {
            latest = latest.max(Some(instant(Some(cut_off)).ok_or(StoreError::malformed())?));
        }
        Ok(Standing {
            denied: denied.is_some(),
            cut_off: latest,
        })
    }

    async fn sweep(&self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let mut notes = self.step("sweep_notes");
        notes.arg(score(now)).arg(BATCH);
        self.repeat(&notes).await?;
        let mut sessions = self.step("sweep");
        sessions.arg(digits(now)).arg(score(now)).arg(BATCH);
        self.repeat(&sessions).await
    }
}
