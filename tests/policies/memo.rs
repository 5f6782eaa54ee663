//! What `#[memo]` methods remember, and for whom.

use std::cell::RefCell;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use clearance::{Db, Dto, Error, RequestContext, Result, repository, testing, verify_session};
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use tokio::sync::Semaphore;

use crate::support::*;

thread_local! {
    /// Lets one stalled method of this thread's test go on for each permit.
    static STALL: RefCell<Arc<Semaphore>> = RefCell::new(Arc::new(Semaphore::new(0)));
    static RAN: Counter = Counter::default();
}

async fn stall() {
    let stall = STALL.with_borrow(Arc::clone);
    stall.acquire().await.unwrap().forget();
}

pub fn go_on(permits: usize) {
    STALL.with_borrow(|stall| stall.add_permits(permits));
}

/// Polls a call of `slow` until it has read what it will give.
pub async fn until_stalled(call: &mut (impl Future + Unpin)) {
    let before = ran();
    while ran() == before {
        assert!(futures_util::poll!(&mut *call).is_pending());
        tokio::task::yield_now().await;
    }
}

pub fn ran() -> usize {
    RAN.with(Counter::count)
}

#[derive(Debug)]
enum AppError {
    Clearance(Error),
    Refused,
}

impl From<Error> for AppError {
    fn from(error: Error) -> Self {
        Self::Clearance(error)
    }
}

/// Every value has the same hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colliding(u8);

impl std::hash::Hash for Colliding {
    fn hash<H: std::hash::Hasher>(&self, _: &mut H) {}
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Users {
    db: Db,
}

#[repository(viewer = Member)]
impl Users {
    #[authenticated(access)]
    #[memo]
    pub async fn profile(&self, slug: &str) -> Result<Profile> {
        let query = Profile::select().lookup(Person::SLUG, slug);
        self.db.reader(&access).one(query).await
    }

    /// The same arguments, another method.
    #[memo]
    #[authenticated(access)]
    pub async fn find(&self, slug: &str) -> Result<Option<Profile>> {
        let query = Profile::select().lookup(Person::SLUG, slug);
        self.db.reader(&access).optional(query).await
    }

    #[authorize(access, if viewer.role >= Role::Admin)]
    #[clearance::memo]
    pub async fn all(&self) -> Result<Vec<Profile>> {
        self.db.reader(&access).all(Profile::select()).await
    }

    /// Reads, and gives what it read once the test lets it go on.
    #[authenticated(access)]
    #[memo]
    pub async fn slow(&self, slug: String) -> Result<Profile> {
        let query = Profile::select().lookup(Person::SLUG, slug);
        let profile = self.db.reader(&access).one(query).await;
        RAN.with(Counter::increment);
        stall().await;
        profile
    }

    #[authenticated(access)]
    #[memo]
    pub async fn panics_first(&self) -> Result<usize> {
        drop(access);
        RAN.with(Counter::increment);
        stall().await;
        assert!(ran() > 1, "the first run fails");
        Ok(ran())
    }

    #[authenticated(access)]
    #[memo]
    pub async fn shown<D>(&self, slugs: &[String], limit: Option<u64>) -> Result<usize>
    where
        D: Dto<Entity = Person>,
    {
        drop(access);
        RAN.with(Counter::increment);
        let _ = (limit, std::any::type_name::<D>());
        Ok(slugs.len())
    }

    #[authenticated(access)]
    #[memo]
    pub async fn checked(&self, slug: &str) -> Result<String, AppError> {
        drop(access);
        RAN.with(Counter::increment);
        tokio::task::yield_now().await;
        if slug.is_empty() {
            return Err(AppError::Refused);
        }
        Ok(slug.to_owned())
    }

    #[authenticated(access)]
    #[memo]
    pub async fn colliding(&self, value: Colliding) -> Result<u8> {
        drop(access);
        Ok(value.0)
    }

    #[public(access, reason = "greets whoever is there")]
    #[memo]
    pub async fn greeting(&self) -> Result<String> {
        drop(access);
        RAN.with(Counter::increment);
        Ok(match verify_session::<Member>().await {
            Ok(member) => member.viewer().id.to_string(),
            Err(_) => "nobody".to_owned(),
        })
    }

    #[public(access, reason = "asks for itself who is there")]
    #[memo]
    pub async fn current(&self) -> Result<bool> {
        drop(access);
        RAN.with(Counter::increment);
        let request = RequestContext::current()?;
        Ok(request.verify_current::<Member>().await.is_ok())
    }

    #[authenticated(access: Write)]
    pub async fn rename(&self, id: i64, name: &str) -> Result<()> {
        let writer = self.db.writer(&access);
        writer
            .update::<Person>(id)
            .set(Person::USERNAME, name)
            .execute()
            .await
    }

    /// Reads while it may write.
    #[authenticated(access: Write)]
    pub async fn read_twice(&self, slug: &str) -> Result<()> {
        drop(self.profile(slug).await?);
        drop(self.profile(slug).await?);
        drop(access);
        Ok(())
    }
}

pub async fn users() -> (Users, Directory) {
    let directory = directory().await;
    let users = Users {
        db: directory.db.clone(),
    };
    (users, directory)
}

pub fn slug(id: i64) -> String {
    format!("person-{id}")
}

#[tokio::test]
async fn vs_06_two_calls_are_one_statement_with_exactly_the_columns_of_the_dto() {
    let (users, _directory) = users().await;
    let (statements, _guard) = Statements::listen();
    as_viewer(admin(), async {
        let first = users.profile("person-1").await.unwrap();
        let second = users.profile("person-1").await.unwrap();
        assert_eq!(first.username, second.username);
        insta::assert_snapshot!(statements.one(), @r#"SELECT "t0"."id" AS "id", "t0"."username" AS "username", "t0"."phone" AS "phone", "t0"."salary" AS "salary" FROM "people" AS "t0" WHERE "t0"."slug" = ? AND ("t0"."slug" COLLATE BINARY) = ? LIMIT ?"#);

        // Other arguments, or another method, are another value.
        assert_eq!(users.profile("person-2").await.unwrap().id, 2);
        statements.one();
        assert_eq!(users.find("person-1").await.unwrap().unwrap().id, 1);
        statements.one();
        assert_eq!(users.profile("person-1").await.unwrap().id, 1);
        assert_eq!(statements.take(), [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn vs_06_the_explicit_form_remembers_in_the_same_request() {
    let (users, _directory) = users().await;
    let (statements, _guard) = Statements::listen();
    let (one, other) = (testing::as_viewer(editor()), testing::as_viewer(editor()));
    users.with(&one).profile("person-1").await.unwrap();
    users.with(&one).profile("person-1").await.unwrap();
    one.scope(users.profile("person-1")).await.unwrap();
    statements.one();
    users.with(&other).profile("person-1").await.unwrap();
    statements.one();
}

#[tokio::test]
async fn p7_nothing_is_shared_between_viewers_and_requests() {
    let (users, _directory) = users().await;
    let (statements, _guard) = Statements::listen();
    let see = async |viewer: Member| {
        as_viewer(viewer, async {
            let first = users.profile("person-3").await.unwrap();
            tokio::task::yield_now().await;
            let second = users.profile("person-3").await.unwrap();
            assert_eq!(first.salary, second.salary);
            !second.salary.is_hidden()
        })
        .await
    };
    let seen = tokio::join!(see(admin()), see(editor()), see(stranger()), see(admin()));
    assert_eq!(seen, (true, false, false, true));
    assert_eq!(statements.take().len(), 4);
}

#[tokio::test]
async fn x9_two_databases_in_one_request_do_not_share() {
    let (one, _directory) = users().await;
    let directory = directory_of(vec![renamed_person(1)]).await;
    assert!(one.db == one.db.clone() && one.db != directory.db);
    as_viewer(admin(), async {
        assert_eq!(one.profile("person-1").await.unwrap().username, "user1");
        // At the address of one that is gone, too.
        for (db, name) in [(&directory.db, "another"), (&one.db, "user1")] {
            let users = Users { db: db.clone() };
            assert_eq!(users.profile("person-1").await.unwrap().username, name);
        }
    })
    .await;
}

fn renamed_person(id: i64) -> Person {
    Person {
        username: "another".into(),
        ..person(id, None)
    }
}

#[tokio::test]
async fn x9_type_parameters_and_every_argument_tell_values_apart() {
    #[derive(Debug, Clone, Dto)]
    #[dto(entity = Person, default = visible)]
    struct Name {
        username: String,
    }

    let (users, _directory) = users().await;
    as_viewer(admin(), async {
        let slugs = [slug(1), slug(2)];
        for _ in 0..2 {
            assert_eq!(users.shown::<Profile>(&slugs, None).await.unwrap(), 2);
            assert_eq!(users.shown::<Name>(&slugs, None).await.unwrap(), 2);
            assert_eq!(users.shown::<Name>(&slugs, Some(1)).await.unwrap(), 2);
            assert_eq!(users.shown::<Name>(&slugs[..1], None).await.unwrap(), 1);
        }
        assert_eq!(ran(), 4);
    })
    .await;
}

#[tokio::test]
async fn x9_arguments_are_compared_and_not_only_hashed() {
    let (users, _directory) = users().await;
    as_viewer(admin(), async {
        for value in [1, 2, 1] {
            assert_eq!(users.colliding(Colliding(value)).await.unwrap(), value);
        }
    })
    .await;
}

#[tokio::test]
async fn p7_fifty_callers_at_once_are_one_statement() {
    let (users, _directory) = users().await;
    let (statements, _guard) = Statements::listen();
    as_viewer(admin(), async {
        go_on(1);
        let calls = (0..50).map(|_| users.slow(slug(1)));
        for profile in join_all(calls).await {
            assert_eq!(profile.unwrap().id, 1);
        }
        statements.one();
        // So are callers who find nothing.
        go_on(1);
        let calls = (0..50).map(|_| users.slow("nobody".into()));
        for missing in join_all(calls).await {
            assert!(missing.unwrap_err().is_not_found());
        }
        statements.one();
        assert!(
            users
                .slow("nobody".into())
                .await
                .unwrap_err()
                .is_not_found()
        );
        assert_eq!(statements.take(), [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn p7_when_the_running_caller_gives_up_another_takes_over() {
    let (users, _directory) = users().await;
    let (statements, _guard) = Statements::listen();
    as_viewer(admin(), async {
        let mut first = Box::pin(users.slow(slug(1)));
        let mut second = Box::pin(users.slow(slug(1)));
        until_stalled(&mut first).await;
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(first);
        go_on(1);
        assert_eq!(second.await.unwrap().id, 1);
        assert_eq!(users.slow(slug(1)).await.unwrap().id, 1);
        assert_eq!(statements.take().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn p7_a_panic_leaves_nothing_behind() {
    let (users, _directory) = users().await;
    as_viewer(admin(), async {
        go_on(2);
        let first = AssertUnwindSafe(users.panics_first()).catch_unwind();
        let (first, second) = tokio::join!(first, users.panics_first());
        assert!(first.is_err());
        assert_eq!(second.unwrap(), 2);
        assert_eq!(users.panics_first().await.unwrap(), 2);
    })
    .await;
}

#[tokio::test]
async fn p7_a_write_empties_the_memo_of_its_request() {
    let (users, _directory) = users().await;
    let (statements, _guard) = Statements::listen();
    as_viewer(admin(), async {
        assert_eq!(users.profile("person-1").await.unwrap().username, "user1");
        users.rename(1, "Ada").await.unwrap();
        assert_eq!(users.profile("person-1").await.unwrap().username, "Ada");
        assert_eq!(statements.take().len(), 3);
        // Nothing is remembered while an access to write is held, only afterwards.
        users.read_twice("person-1").await.unwrap();
        assert_eq!(statements.take().len(), 2);
        users.profile("person-1").await.unwrap();
        users.profile("person-1").await.unwrap();
        statements.one();
        // Even one that writes nothing: it may write by ways that the library does not see.
        drop(write().await);
        users.profile("person-1").await.unwrap();
        statements.one();
    })
    .await;
}

#[tokio::test]
async fn p7_what_was_read_before_a_write_is_not_kept_after_it() {
    let (users, _directory) = users().await;
    let (statements, _guard) = Statements::listen();
    as_viewer(admin(), async {
        let mut reading = Box::pin(users.slow(slug(1)));
        until_stalled(&mut reading).await;
        users.rename(1, "Ada").await.unwrap();
        // It waits for the one that reads, and must not take what that one read.
        let waiting = users.slow(slug(1));
        go_on(2);
        let (old, new) = tokio::join!(reading, waiting);
        assert_eq!(old.unwrap().username, "user1");
        assert_eq!(new.unwrap().username, "Ada");
        assert_eq!(users.slow(slug(1)).await.unwrap().username, "Ada");
        assert_eq!(statements.take().len(), 3);
    })
    .await;
}

#[tokio::test]
async fn p7_what_is_read_during_a_write_is_not_kept() {
    let (users, _directory) = users().await;
    let (statements, _guard) = Statements::listen();
    as_viewer(admin(), async {
        let access = write().await;
        go_on(1);
        users.slow(slug(1)).await.unwrap();
        drop(access);
        go_on(1);
        users.slow(slug(1)).await.unwrap();
        assert_eq!(statements.take().len(), 2);

        // One that began before the access was taken, and ended while it is held.
        let mut reading = Box::pin(users.slow(slug(2)));
        until_stalled(&mut reading).await;
        let access = write().await;
        go_on(1);
        reading.await.unwrap();
        drop(access);
        go_on(1);
        users.slow(slug(2)).await.unwrap();
        assert_eq!(statements.take().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn p7_after_a_write_that_was_given_up_nothing_is_remembered_on_sqlite() {
    let (users, directory) = users().await;
    let (statements, _guard) = Statements::listen();
    as_viewer(admin(), async {
        users.profile("person-1").await.unwrap();
        // It cannot end while another connection holds the file.
        let lock = directory
            .pool
            .sqlite()
            .begin_with("BEGIN EXCLUSIVE")
            .await
            .unwrap();
        assert!(users.rename(1, "Ada").now_or_never().is_none());
        lock.rollback().await.unwrap();
        statements.take();
        // The statement may still be on its way.
        users.profile("person-1").await.unwrap();
        users.profile("person-1").await.unwrap();
        assert_eq!(statements.take().len(), 2);
    })
    .await;
}

/// People in a file that is found locked at once.
async fn lockable() -> (Users, sqlx::SqlitePool, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(folder.path().join("people.db"))
        .create_if_missing(true)
        .busy_timeout(std::time::Duration::ZERO);
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    let schema = crate::engines::Engine::Sqlite.schema(SCHEMA);
    TestPool::Sqlite(pool.clone()).execute(&schema).await;
    let db = Db::unguarded_pool(pool.clone(), "the test locks its own tables");
    db.writer(&system()).insert(person(1, None)).await.unwrap();
    (Users { db }, pool, folder)
}

#[tokio::test]
async fn p8_an_outage_is_told_to_those_who_waited_and_not_kept_on_sqlite() {
    let (users, pool, _folder) = lockable().await;
    let (statements, _guard) = Statements::listen();
    as_viewer(admin(), async {
        let lock = pool.begin_with("BEGIN EXCLUSIVE").await.unwrap();
        let calls = (0..10).map(|_| users.profile("person-1"));
        for call in join_all(calls).await {
            assert!(call.unwrap_err().is_unavailable());
        }
        // Whoever asks after the answer came, be it at once, asks anew.
        assert!(!statements.take().is_empty());
        let again = users.profile("person-1").await.unwrap_err();
        assert!(again.is_unavailable());
        statements.one();
        lock.rollback().await.unwrap();
        users.profile("person-1").await.unwrap();
        users.profile("person-1").await.unwrap();
        statements.one();
    })
    .await;
}

#[tokio::test]
async fn p8_after_a_write_without_an_answer_nothing_is_remembered() {
    let (users, pool, _folder) = lockable().await;
    let (statements, _guard) = Statements::listen();
    as_viewer(admin(), async {
        let lock = pool.begin_with("BEGIN EXCLUSIVE").await.unwrap();
        assert!(users.rename(1, "Ada").await.unwrap_err().is_unavailable());
        lock.rollback().await.unwrap();
        statements.take();
        users.profile("person-1").await.unwrap();
        users.profile("person-1").await.unwrap();
        assert_eq!(statements.take().len(), 2);
    })
    .await;
    // A write that was refused for good did not happen.
    as_viewer(admin(), async {
        assert!(users.rename(77, "Ada").await.unwrap_err().is_not_found());
        statements.take();
        users.profile("person-1").await.unwrap();
        users.profile("person-1").await.unwrap();
        statements.one();
    })
    .await;
}

#[tokio::test]
async fn an_error_of_ones_own_is_not_remembered_and_a_value_beside_it_is() {
    let (users, _directory) = users().await;
    as_viewer(admin(), async {
        for _ in 0..3 {
            assert_eq!(users.checked("a").await.unwrap(), "a");
        }
        assert_eq!(ran(), 1);
        for _ in 0..3 {
            let refused = users.checked("").await.unwrap_err();
            assert!(matches!(refused, AppError::Refused));
        }
        assert_eq!(ran(), 4);
    })
    .await;
    let Err(AppError::Clearance(error)) = as_nobody(users.checked("a")).await else {
        panic!("checked for nobody");
    };
    assert!(error.is_unauthenticated());
}
