//! A write of the row behind a viewer is seen by the next verified use.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use clearance::audit::SqlAuditSink;
use clearance::{
    Access, Db, Dto, Entity, Error, Key, RequestContext, Result, Roles, Sessions, SourceError,
    Subject, Viewer, ViewerSource, Write, async_trait, repository,
};
use uuid::Uuid;

use crate::support::{Directory, empty_directory, system};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Roles, serde::Serialize)]
enum Grade {
    Clerk,
    Manager,
}

#[derive(Debug, Clone, Viewer)]
struct Colleague {
    id: Uuid,
    grade: Grade,
}

/// The row of a colleague.
#[derive(Debug, Clone, Entity)]
#[entity(
    table = "accounts",
    viewer = Colleague,
    viewer_of,
    rows = open,
    reason = "writes are under test",
    create_if(viewer.grade >= Grade::Manager),
    update_if(viewer.grade >= Grade::Manager),
    delete_if(viewer.grade >= Grade::Manager && row.grade < Grade::Manager)
)]
struct Account {
    #[entity(key)]
    id: Uuid,
    grade: Grade,
}

/// The same rows, of which nobody said whose they are.
#[derive(Debug, Clone, Entity)]
#[entity(
    table = "accounts",
    viewer = Colleague,
    rows = open,
    reason = "writes are under test",
    update_if(viewer.grade >= Grade::Manager)
)]
struct PlainAccount {
    #[entity(key)]
    id: Uuid,
    grade: Grade,
}

#[derive(Debug, Dto)]
#[dto(entity = Account, default = visible)]
struct AccountView {
    id: Uuid,
    grade: Grade,
}

struct Colleagues {
    db: Db,
    loads: Arc<AtomicUsize>,
}

#[async_trait]
impl ViewerSource<Colleague> for Colleagues {
    async fn load(&self, subject: &Subject) -> Result<Option<Colleague>, SourceError> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        let access = Access::system("the viewer of a session is loaded")?;
        let found = AccountView::select().lookup(Account::ID, subject.parse::<Uuid>()?);
        let found = self.db.reader(&access).optional(found).await?;
        Ok(found.map(|AccountView { id, grade }| Colleague { id, grade }))
    }
}

#[derive(Clone)]
struct Accounts {
    db: Db,
}

#[repository(viewer = Colleague)]
impl Accounts {
    #[authenticated(access: Write)]
    async fn set(&self, id: Uuid, grade: Grade) -> Result<()> {
        let update = self.db.writer(&access).update::<Account>(id);
        update.set(Account::GRADE, grade).execute().await
    }

    #[authorize(access, if viewer.grade >= Grade::Manager)]
    async fn manage(&self) -> Result<()> {
        let _ = (&self.db, &access);
        Ok(())
    }
}

const MANAGER: Uuid = Uuid::from_u128(1);
const OTHER: Uuid = Uuid::from_u128(2);
const CLERK: Uuid = Uuid::from_u128(3);
const NOBODY_YET: Uuid = Uuid::from_u128(4);

/// An office whose sessions are cached for so long that nothing is loaded again by itself.
struct Office {
    _directory: Directory,
    accounts: Accounts,
    sessions: Sessions<Colleague>,
    loads: Arc<AtomicUsize>,
}

async fn office() -> Office {
    let schema = "CREATE TABLE accounts (id ID16 PRIMARY KEY, grade TEXT NOT NULL)";
    let directory = empty_directory(schema).await;
    let db = directory.db.clone();
    db.migrate().await.unwrap();
    let rows = [
        (MANAGER, Grade::Manager),
        (OTHER, Grade::Manager),
        (CLERK, Grade::Clerk),
    ];
    let rows = rows.map(|(id, grade)| Account { id, grade });
    db.writer(&system()).insert_many(rows).await.unwrap();
    let loads = Arc::new(AtomicUsize::new(0));
    let source = Colleagues {
        db: db.clone(),
        loads: Arc::clone(&loads),
    };
    // The same each time: under some keys two of the office are in one group, and change together.
    let key = Key::from_bytes(b"the colleagues are sorted by this").unwrap();
    let sessions = Sessions::builder(key, db.session_store(), source)
        .app_url("https://office.example")
        .cache_bound(Duration::from_secs(3_600))
        .build()
        .unwrap();
    Office {
        _directory: directory,
        accounts: Accounts { db },
        sessions,
        loads,
    }
}

impl Office {
    async fn sign_in(&self, id: Uuid) -> String {
        let session = self.sessions.create(&Subject::new(id)).await.unwrap();
        let cookie = session.into_set_cookies().remove(0);
        let pair = cookie.to_str().unwrap().split(';').next().unwrap();
        pair.to_owned()
    }

    fn request(&self, cookie: &str) -> RequestContext {
        let mut headers = http::HeaderMap::new();
        headers.insert(http::header::COOKIE, cookie.parse().unwrap());
        RequestContext::new(&self.sessions, &headers)
    }

    /// The grade that a new request with this cookie sees.
    async fn grade(&self, cookie: &str) -> Result<Grade> {
        grade_in(&self.request(cookie)).await
    }

    /// Does something as the manager.
    async fn manager<T>(&self, work: impl AsyncFnOnce(Access<Write<Colleague>>) -> T) -> T {
        let cookie = self.sign_in(MANAGER).await;
        let work = async { work(Access::<Write<Colleague>>::authenticated().await.unwrap()).await };
        self.request(&cookie).scope(work).await
    }

    fn take_loads(&self) -> usize {
        self.loads.swap(0, Ordering::SeqCst)
    }
}

async fn grade_in(request: &RequestContext) -> Result<Grade> {
    let verified = request.verify_session::<Colleague>().await?;
    Ok(verified.viewer().grade)
}

fn is_gone(outcome: Result<Grade>) -> bool {
    outcome.is_err_and(|error| error.is_unauthenticated())
}

#[tokio::test]
async fn sd_14_a_role_that_a_guarded_update_lowers_is_lowered_in_every_request_at_once() {
    let office = office().await;
    let cookie = office.sign_in(OTHER).await;
    let in_progress = office.request(&cookie);
    assert_eq!(grade_in(&in_progress).await.unwrap(), Grade::Manager);
    office
        .manager(async |access| {
            let update = office.accounts.db.writer(&access).update::<Account>(OTHER);
            let update = update.set(Account::GRADE, Grade::Clerk);
            update.execute().await.unwrap();
        })
        .await;
    assert_eq!(office.grade(&cookie).await.unwrap(), Grade::Clerk);
    assert_eq!(grade_in(&in_progress).await.unwrap(), Grade::Clerk);

    // And once more, through one's own row, in one request.
    let cookie = office.sign_in(MANAGER).await;
    let accounts = &office.accounts;
    let lowered = office.request(&cookie).scope(async {
        accounts.manage().await.unwrap();
        accounts.set(MANAGER, Grade::Clerk).await.unwrap();
        accounts.manage().await
    });
    assert!(lowered.await.unwrap_err().is_forbidden());
    assert_eq!(office.grade(&cookie).await.unwrap(), Grade::Clerk);
}

#[tokio::test]
async fn sd_14_without_the_word_the_cache_keeps_what_it_has() {
    let office = office().await;
    let cookie = office.sign_in(OTHER).await;
    assert_eq!(office.grade(&cookie).await.unwrap(), Grade::Manager);
    office
        .manager(async |access| {
            let writer = office.accounts.db.writer(&access);
            let update = writer.update::<PlainAccount>(OTHER);
            let update = update.set(PlainAccount::GRADE, Grade::Clerk);
            update.execute().await.unwrap();
        })
        .await;
    assert_eq!(office.grade(&cookie).await.unwrap(), Grade::Manager);
    // Nor does the program itself, which has no sessions: it says so.
    let access = system();
    let writer = office.accounts.db.writer(&access);
    let update = writer.update::<Account>(OTHER);
    let update = update.set(Account::GRADE, Grade::Clerk);
    update.execute().await.unwrap();
    assert_eq!(office.grade(&cookie).await.unwrap(), Grade::Manager);
    office.sessions.viewer_changed(&Subject::new(OTHER));
    assert_eq!(office.grade(&cookie).await.unwrap(), Grade::Clerk);
}

/// What the cache keeps of a viewer who is loaded between the statement and the end of its
/// transaction.
async fn loaded_in_between(office: &Office, db: &Db, commit: bool) -> Grade {
    let cookie = office.sign_in(OTHER).await;
    assert_eq!(office.grade(&cookie).await.unwrap(), Grade::Manager);
    office
        .manager(async |access| {
            let transaction = db.begin(&access).await.unwrap();
            let update = transaction.writer().update::<Account>(OTHER);
            let update = update.set(Account::GRADE, Grade::Clerk);
            update.execute().await.unwrap();
            // The row as it was, because nobody else sees it yet.
            office.take_loads();
            assert_eq!(office.grade(&cookie).await.unwrap(), Grade::Manager);
            assert_eq!(office.take_loads(), 1);
            assert_eq!(office.grade(&cookie).await.unwrap(), Grade::Manager);
            assert_eq!(office.take_loads(), 0);
            if commit {
                transaction.commit().await.unwrap();
            } else {
                transaction.rollback().await.unwrap();
            }
        })
        .await;
    office.grade(&cookie).await.unwrap()
}

#[tokio::test]
async fn sd_14_who_is_loaded_before_the_commit_is_loaded_again_after_it() {
    let office = office().await;
    let plain = office.accounts.db.clone();
    let audited = plain.audited(SqlAuditSink::new());
    for db in [plain, audited] {
        let kept = loaded_in_between(&office, &db, false).await;
        assert_eq!(kept, Grade::Manager);
        let kept = loaded_in_between(&office, &db, true).await;
        assert_eq!(kept, Grade::Clerk);
        office
            .manager(async |access| {
                let update = db.writer(&access).update::<Account>(OTHER);
                let update = update.set(Account::GRADE, Grade::Manager);
                update.execute().await.unwrap();
            })
            .await;
    }
}

#[tokio::test]
async fn sd_14_a_row_that_is_deleted_or_created_ends_or_brings_its_viewer() {
    let office = office().await;
    let clerk = office.sign_in(CLERK).await;
    let early = office.sign_in(NOBODY_YET).await;
    assert_eq!(office.grade(&clerk).await.unwrap(), Grade::Clerk);
    assert!(is_gone(office.grade(&early).await));
    office
        .manager(async |access| {
            let writer = office.accounts.db.writer(&access);
            writer.delete::<Account>(CLERK).await.unwrap();
            let row = Account {
                id: NOBODY_YET,
                grade: Grade::Clerk,
            };
            writer.insert(row).await.unwrap();
        })
        .await;
    assert!(is_gone(office.grade(&clerk).await));
    assert_eq!(office.grade(&early).await.unwrap(), Grade::Clerk);
}

#[tokio::test]
async fn sd_14_a_change_of_many_rows_reaches_each_viewer() {
    let office = office().await;
    let others = [office.sign_in(OTHER).await, office.sign_in(CLERK).await];
    let early = office.sign_in(NOBODY_YET).await;
    let set = async |grade: Grade, all: bool| {
        office
            .manager(async |access| {
                let ids = [OTHER, CLERK];
                let found = AccountView::select().filter(AccountView::ID.is_in(ids));
                let update = office.accounts.db.writer(&access).update_many(found);
                let update = update.set(Account::GRADE, grade);
                let touched = if all {
                    update.execute_all().await
                } else {
                    update.execute_permitted().await
                };
                assert_eq!(touched.unwrap(), 2);
            })
            .await;
    };
    for (grade, all) in [
        (Grade::Manager, true),
        (Grade::Clerk, false),
        (Grade::Manager, false),
        (Grade::Clerk, true),
    ] {
        set(grade, all).await;
        for cookie in &others {
            assert_eq!(office.grade(cookie).await.unwrap(), grade);
        }
    }
    assert!(is_gone(office.grade(&early).await));
    office
        .manager(async |access| {
            let rows = [NOBODY_YET, Uuid::from_u128(5)];
            let rows = rows.map(|id| Account {
                id,
                grade: Grade::Clerk,
            });
            let writer = office.accounts.db.writer(&access);
            writer.insert_many(rows).await.unwrap();
        })
        .await;
    assert_eq!(office.grade(&early).await.unwrap(), Grade::Clerk);
}

#[tokio::test]
async fn sd_14_an_attempt_that_is_refused_has_nobody_loaded_again() {
    let office = office().await;
    let other = office.sign_in(OTHER).await;
    assert_eq!(office.grade(&other).await.unwrap(), Grade::Manager);
    let clerk = office.sign_in(CLERK).await;
    let refused: Result<(), Error> = office
        .request(&clerk)
        .scope(office.accounts.set(OTHER, Grade::Clerk))
        .await;
    assert!(refused.unwrap_err().is_not_found());
    office
        .manager(async |access| {
            let writer = office.accounts.db.writer(&access);
            // A statement that finds no row it may delete.
            let refused = writer.delete::<Account>(OTHER).await;
            assert!(refused.unwrap_err().is_not_found());
        })
        .await;
    office.take_loads();
    assert_eq!(office.grade(&other).await.unwrap(), Grade::Manager);
    assert_eq!(office.take_loads(), 0);
}
