//! A session store in Redis: one script per atomic step (decisions 32 and 66).

mod values;

use std::cmp::Reverse;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use redis::{FromRedisValue, Script, ScriptInvocation};
use uuid::Uuid;

use self::values::{RedisValues, digits, end, generations, give_record, instant, score};
use super::{
    Created, DataKept, FIELDS, Generations, Replaced, SecretHash, SessionId, SessionLimit,
    SessionRecord, SessionStore, Standing, StoreError, StoredData, record,
};
use crate::error::Result;
use crate::session::redis::{Link, RedisRequest};
use crate::viewer::Subject;

const PREFIX: &str = "clearance:";
const SCRIPT: &str = include_str!("redis/sessions.lua");
const DATA: &str = "data";
const DATA_VERSION: &str = "data_version";
const LAST_SEEN_AT: &str = "last_seen_at";
const IDLE_EXPIRES_AT: &str = "idle_expires_at";

/// A session store in Redis 6.2 or later, or in Valkey.
///
/// A call times out after 2 seconds, and is answered as unavailable.
///
/// # Keys
///
/// All begin with the prefix, `clearance:` unless [`with_prefix`](Self::with_prefix) sets another. Instants
/// are 20 digits that sort as the instants do, scores are microseconds since 1970.
///
/// | key | type | what it holds |
/// |---|---|---|
/// | `session:<id>` | hash | a record, its data in the field `data`, how often they were changed in `data_version`, and in `line` the first id that it had |
/// | `replaced:<id>` | hash | the hash and the line of a session that goes on under another id |
/// | `replaced-ends` | sorted set | the same ids by the instant until which each is kept |
/// | `line:<id>` | string | the id that a session has now whose first one was this |
/// | `sessions-of:<subject>` | sorted set | the subject's sessions: the instant of creation and the id of each, in this order |
/// | `ends-of:<subject>` | sorted set | their ids by the instant at which each ends |
/// | `sessions` | sorted set | every session's id by the instant at which it ends |
/// | `ended:<name>` | sorted set | sessions that were ended together and are not removed yet |
/// | `ended-sets` | set | the names of those |
/// | `denials` | sorted set | the ids of denied stateless sessions by the instant until which each is kept |
/// | `cut-offs` | hash | the cut-off of each subject; that of everyone in the field of no name |
/// | `generations` | hash | the generation of the stateless sessions of each subject for which it was raised; that of everyone in the field of no name |
/// | `cut-off-ends` | sorted set | the same subjects by the instant until which each is kept |
///
/// Each atomic step is one script, which touches at most 100 sessions: Redis does nothing else meanwhile. It
/// reaches keys whose names it finds in others, so it needs one server (and its replicas): it does not work
/// with Redis Cluster.
///
/// A session is valid while `sessions-of:` its subject and `sessions` both name it. Ending many removes them
/// from one of these, which ends all of them at once, and deletes them afterwards. If a program is killed
/// meanwhile, the next sweep deletes the rest. A key of another type under one of these names is an error
/// (500) for the steps that need it, before anything is written.
///
/// # What to configure
///
/// - **No key has a time to live.** The application's clock decides what has expired, and Redis could expire
///   a denial by its own clock that is still needed. Call [`Sessions::sweep`](crate::Sessions::sweep) now and
///   then, as with any store.
/// - **`maxmemory-policy noeviction`**, or one of the `volatile-` policies. Those of `allkeys-` evict unused
///   keys: a session or its list, whose users are then signed out, or a denial, without which an ended
///   stateless session is valid again. Without the generations no stateless session is valid.
/// - **`appendonly yes` and `appendfsync always`.** With anything less a crash loses the last writes, with
///   `everysec` those of a second or two. A lost sign-in signs the user out. A lost *deletion* or denial
///   restores a session that was ended. A replica that takes over loses what it had not received.
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

    /// Sets another prefix of the keys, for applications that share a server.
    #[must_use]
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn step(&self, step: &'static str) -> ScriptInvocation<'_> {
        let mut invocation = self.shared.script.prepare_invoke();
        invocation.arg(step).arg(&self.prefix);
        invocation
    }

    async fn run<T: FromRedisValue>(&self, step: &ScriptInvocation<'_>) -> Result<T, StoreError> {
        self.shared.link.ask(RedisRequest::Script(step)).await
    }

    /// Returns these fields of a session, if it is not expired at `now`.
    async fn living(
        &self,
        id: SessionId,
        now: DateTime<Utc>,
        fields: &[&str],
    ) -> Result<Option<RedisValues>, StoreError> {
        let mut step = self.step("load");
        step.arg(id.to_string()).arg(digits(now)).arg(fields);
        let values: RedisValues = self.shared.link.read(RedisRequest::Script(&step)).await?;
        Ok(Some(values).filter(|values| !values.is_empty()))
    }

    async fn create_counted(
        &self,
        old: Option<&SessionRecord>,
        record: &SessionRecord,
        limit: Option<SessionLimit>,
    ) -> Result<Created, StoreError> {
        let created = self.create_step(old, record, limit).await?;
        if created == Created::LimitReached && self.prune(record).await? {
            return self.create_step(old, record, limit).await;
        }
        Ok(created)
    }

    async fn create_step(
        &self,
        old: Option<&SessionRecord>,
        record: &SessionRecord,
        limit: Option<SessionLimit>,
    ) -> Result<Created, StoreError> {
        let kind = match limit {
            None => "any",
            Some(SessionLimit::Reject(_)) => "reject",
            Some(SessionLimit::EvictOldest(_)) => "evict",
        };
        let mut step = self.step("create");
        match old {
            Some(old) => step.arg(old.id.to_string()).arg(old.secret_hash.as_bytes()),
            None => step.arg("").arg(""),
        };
        step.arg(record.id.to_string())
            .arg(record.subject.as_str())
            .arg(end(record))
            .arg(kind)
            .arg(limit.map_or(0, SessionLimit::most))
            .arg(digits(record.created_at))
            .arg(score(record.created_at));
        give_record(&mut step, record);
        let answer: Vec<String> = self.run(&step).await?;
        let words: Vec<&str> = answer.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["stored", goes_on, ended @ ..] => {
                let mut ended = ids(ended)?;
                if *goes_on == "1" {
                    ended.extend(self.trim(record, limit).await?);
                }
                Ok(Created::Stored(ended))
            }
            ["taken"] => Ok(Created::IdTaken),
            ["limit"] => Ok(Created::LimitReached),
            ["gone"] => Ok(Created::OldGone),
            _ => Err(StoreError::malformed()),
        }
    }

    /// Removes dead entries from the count of a subject, whose records were evicted for example; returns
    /// whether there were any.
    async fn prune(&self, new: &SessionRecord) -> Result<bool, StoreError> {
        let (mut from, mut found) = (Vec::new(), false);
        loop {
            let mut step = self.step("prune");
            step.arg(new.subject.as_str())
                .arg(digits(new.created_at))
                .arg(&from);
            let (next, removed): (Vec<u8>, u64) = self.run(&step).await?;
            found |= removed > 0;
            if next.is_empty() {
                return Ok(found);
            }
            from = next;
        }
    }

    /// Ends the sessions beyond a limit that is new, or smaller than before.
    async fn trim(
        &self,
        kept: &SessionRecord,
        limit: Option<SessionLimit>,
    ) -> Result<Vec<SessionId>, StoreError> {
        let mut step = self.step("trim");
        step.arg(kept.subject.as_str())
            .arg(digits(kept.created_at))
            .arg(score(kept.created_at))
            .arg(limit.map_or(0, SessionLimit::most))
            .arg(kept.id.to_string());
        let mut all = Vec::new();
        loop {
            let answer: Vec<String> = self.run(&step).await?;
            let words: Vec<&str> = answer.iter().map(String::as_str).collect();
            let [goes_on, ended @ ..] = words.as_slice() else {
                return Err(StoreError::malformed());
            };
            all.extend(ids(ended)?);
            if *goes_on != "1" {
                return Ok(all);
            }
        }
    }

    /// Deletes the sessions that were ended together under this name.
    async fn clear(&self, name: &str) -> Result<u64, StoreError> {
        let mut step = self.step("clear");
        step.arg(name);
        self.repeat(&step).await
    }

    /// Repeats a step until it finds nothing more; returns how many sessions it deleted.
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

fn ids(texts: &[&str]) -> Result<Vec<SessionId>, StoreError> {
    let ids = texts.iter().map(|text| text.parse());
    ids.collect::<Result<_, _>>()
        .map_err(|_| StoreError::malformed())
}

/// Returns a unique name for a set of sessions that end together.
fn name() -> String {
    Uuid::new_v4().simple().to_string()
}

impl fmt::Debug for RedisSessionStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSessionStore")
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl SessionStore for RedisSessionStore {
    async fn create(
        &self,
        record: &SessionRecord,
        limit: Option<SessionLimit>,
    ) -> Result<Created, StoreError> {
        self.create_counted(None, record, limit).await
    }

    async fn create_instead_of(
        &self,
        old: &SessionRecord,
        record: &SessionRecord,
        limit: Option<SessionLimit>,
    ) -> Result<Created, StoreError> {
        self.create_counted(Some(old), record, limit).await
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

    async fn successor(
        &self,
        id: SessionId,
        secret_hash: SecretHash,
        now: DateTime<Utc>,
    ) -> Result<Option<SessionRecord>, StoreError> {
        let mut step = self.step("successor");
        step.arg(id.to_string())
            .arg(secret_hash.as_bytes())
            .arg(digits(now))
            .arg(&FIELDS);
        let values: RedisValues = self.shared.link.read(RedisRequest::Script(&step)).await?;
        if values.is_empty() {
            return Ok(None);
        }
        record(&values).map(Some).ok_or(StoreError::malformed())
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
            .arg(digits(record.created_at))
            .arg(end(record))
            .arg(score(record.expires_at));
        give_record(&mut step, record);
        let answer: String = self.run(&step).await?;
        match answer.as_str() {
            "done" => Ok(Replaced::Done),
            "gone" => Ok(Replaced::Gone),
            "taken" => Ok(Replaced::IdTaken),
            _ => Err(StoreError::malformed()),
        }
    }

    async fn data(
        &self,
        id: SessionId,
        now: DateTime<Utc>,
    ) -> Result<Option<StoredData>, StoreError> {
        let Some(values) = self.living(id, now, &[DATA, DATA_VERSION]).await? else {
            return Ok(None);
        };
        let mut values = values.into_iter();
        let (data, version) = (values.next().flatten(), values.next().flatten());
        let version = match version {
            // The data were never changed.
            None => 0,
            Some(digits) => std::str::from_utf8(&digits)
                .ok()
                .and_then(|digits| digits.parse().ok())
                .ok_or(StoreError::malformed())?,
        };
        Ok(Some(StoredData { data, version }))
    }

    async fn set_data(
        &self,
        id: SessionId,
        now: DateTime<Utc>,
        data: Option<&[u8]>,
        version: Option<u64>,
    ) -> Result<DataKept, StoreError> {
        let mut step = self.step("set_data");
        step.arg(id.to_string())
            .arg(digits(now))
            .arg(
                version
                    .map(|version| version.to_string())
                    .unwrap_or_default(),
            )
            .arg(data);
        let answer: String = self.run(&step).await?;
        match answer.as_str() {
            "done" => Ok(DataKept::Done),
            "stale" => Ok(DataKept::Stale),
            "gone" => Ok(DataKept::Gone),
            _ => Err(StoreError::malformed()),
        }
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
        let name = name();
        let mut step = self.step("delete_all");
        step.arg(subject.as_str())
            .arg(keep.map(|id| id.to_string()).unwrap_or_default())
            .arg(&name);
        let ended = self.run(&step).await?;
        self.clear(&name).await?;
        Ok(ended)
    }

    async fn delete_everyone(&self) -> Result<u64, StoreError> {
        let name = name();
        let mut step = self.step("delete_everyone");
        step.arg(&name);
        let ended = self.run(&step).await?;
        self.clear(&name).await?;
        Ok(ended)
    }

    async fn list(
        &self,
        subject: &Subject,
        now: DateTime<Utc>,
    ) -> Result<Vec<SessionRecord>, StoreError> {
        let mut records = Vec::new();
        let mut from = Vec::new();
        loop {
            let mut step = self.step("list");
            step.arg(subject.as_str())
                .arg(digits(now))
                .arg(&from)
                .arg(&FIELDS);
            let question = RedisRequest::Script(&step);
            let (next, some): (Vec<u8>, Vec<RedisValues>) = self.shared.link.read(question).await?;
            for values in &some {
                records.push(record(values).ok_or(StoreError::malformed())?);
            }
            if next.is_empty() {
                break;
            }
            from = next;
        }
        records.sort_by_key(|record| (Reverse(record.created_at), record.id));
        Ok(records)
    }

    async fn deny(
        &self,
        id: SessionId,
        _: &Subject,
        until: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let add = async |which| {
            let mut command = redis::cmd("ZADD");
            command
                .arg(self.key("denials"))
                .arg(which)
                .arg(score(until))
                .arg(id.to_string());
            self.shared.link.ask(RedisRequest::Command(&command)).await
        };
        let new: i64 = add("NX").await?;
        if new == 0 {
            // The later of both ends is kept.
            let _: i64 = add("GT").await?;
        }
        Ok(new > 0)
    }

    async fn generations(&self, subject: &Subject, first: u64) -> Result<Generations, StoreError> {
        let mut step = self.step("generations");
        step.arg(subject.as_str()).arg(first);
        let answer: RedisValues = self.run(&step).await?;
        generations(&answer)?.ok_or(StoreError::malformed())
    }

    async fn raise_generation(
        &self,
        subject: Option<&Subject>,
        amount: u64,
    ) -> Result<(), StoreError> {
        let mut step = self.step("raise_generation");
        // The empty name stands for everyone: no subject is empty.
        step.arg(subject.map_or("", Subject::as_str)).arg(amount);
        self.run::<i64>(&step).await.map(|_| ())
    }

    async fn raise_generation_from(
        &self,
        subject: &Subject,
        from: u64,
        amount: u64,
    ) -> Result<bool, StoreError> {
        let mut step = self.step("raise_generation_from");
        step.arg(subject.as_str()).arg(from).arg(amount);
        self.run(&step).await
    }

    async fn cut_off(
        &self,
        subject: Option<&Subject>,
        cut_off: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut step = self.step("cut_off");
        // The empty name stands for everyone: no subject is empty.
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
            .arg("")
            .cmd("HMGET")
            .arg(self.key("generations"))
            .arg("")
            .arg(subject.as_str());
        let question = RedisRequest::Together(&both);
        let (denied, cut_offs, counters): (Option<f64>, RedisValues, RedisValues) =
            self.shared.link.read(question).await?;
        let mut latest = None;
        for cut_off in cut_offs.iter().filter(|cut_off| cut_off.is_some()) {
            latest = latest.max(Some(instant(Some(cut_off)).ok_or(StoreError::malformed())?));
        }
        Ok(Standing {
            denied: denied.is_some(),
            cut_off: latest,
            generations: generations(&counters)?,
        })
    }

    async fn sweep(&self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let mut notes = self.step("sweep_notes");
        notes.arg(score(now));
        self.repeat(&notes).await?;
        // Finishes the deletions of programs that were killed before.
        let cleared = self.clear("").await?;
        let mut sessions = self.step("sweep");
        sessions.arg(digits(now)).arg(score(now));
        Ok(cleared.saturating_add(self.repeat(&sessions).await?))
    }
}
