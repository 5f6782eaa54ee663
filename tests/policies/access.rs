//! Nothing runs without a proof: VS rows, X5, and the repository attribute.

use std::sync::Mutex;

use clearance::repository::Rows;
use clearance::{Access, Db, Error, Read, RequestContext, Result, Write, repository, testing};

use crate::support::*;

/// What a method's own error type must be able to hold.
#[derive(Debug)]
enum AppError {
    Clearance(Error),
    Other,
}

impl From<Error> for AppError {
    fn from(error: Error) -> Self {
        Self::Clearance(error)
    }
}

struct Users {
    db: Db,
    /// The methods whose bodies ran.
    ran: Mutex<Vec<&'static str>>,
}

impl Users {
    fn new(db: Db) -> Self {
        Self {
            db,
            ran: Mutex::default(),
        }
    }

    fn mark(&self, method: &'static str) {
        self.ran.lock().unwrap().push(method);
    }
}

#[repository(viewer = Member)]
impl Users {
    #[authenticated(access)]
    pub async fn profile(&self, slug: &str) -> Result<Profile> {
        self.mark("profile");
        let query = Profile::select().lookup(Person::SLUG, slug);
        self.db.reader(&access).one(query).await
    }

    #[authorize(access, if viewer.role >= Role::Editor)]
    pub async fn names(&self) -> Result<Vec<Profile>> {
        self.mark("names");
        self.db.reader(&access).all(Profile::select()).await
    }

    /// The rule may name the arguments.
    #[authorize(access: Write, if viewer.id == author || viewer.role >= Role::Admin)]
    pub async fn rename(&self, id: i64, author: i64, name: &str) -> Result<(), AppError> {
        self.mark("rename");
        if name.is_empty() {
            return Err(AppError::Other);
        }
        self.db
            .writer(&access)
            .update::<Person>(id)
            .set(Person::USERNAME, name)
            .execute()
            .await?;
        Ok(())
    }

    #[public(access, reason = "the sign-in page counts the people")]
    pub async fn count(&self) -> Result<usize> {
        self.mark("count");
        Ok(self.db.reader(&access).all(Profile::select()).await?.len())
    }

    #[authenticated(access)]
    pub async fn feed(&self) -> Result<Rows<Profile>> {
        self.db.reader(&access).stream(Profile::select()).await
    }
}

async fn users() -> (Users, Directory) {
    let directory = directory().await;
    (Users::new(directory.db.clone()), directory)
}

#[tokio::test]
async fn vs_05_a_call_outside_a_request_is_refused_before_any_query() {
    let (users, _directory) = users().await;
    let (statements, _guard) = Statements::listen();
    let error = users.profile("person-1").await.unwrap_err();
    assert!(error.is_misuse(), "{error}");
    assert!(users.count().await.unwrap_err().is_misuse());
    assert!(
        Access::<Read<Member>>::authenticated()
            .await
            .unwrap_err()
            .is_misuse()
    );
    assert_eq!(statements.take(), [""; 0]);
    assert!(users.ran.lock().unwrap().is_empty());
}

#[tokio::test]
async fn vs_08_vs_16_every_method_verifies_first_and_its_body_does_not_run_otherwise() {
    let (users, _directory) = users().await;
    let (statements, _guard) = Statements::listen();
    as_nobody(async {
        assert!(
            users
                .profile("person-1")
                .await
                .unwrap_err()
                .is_unauthenticated()
        );
        assert!(users.names().await.unwrap_err().is_unauthenticated());
        let Err(AppError::Clearance(error)) = users.rename(1, 2, "x").await else {
            panic!("renamed by nobody");
        };
        assert!(error.is_unauthenticated());
        assert!(users.feed().await.unwrap_err().is_unauthenticated());
    })
    .await;
    // Signed in, but not allowed.
    as_viewer(stranger(), async {
        assert!(users.names().await.unwrap_err().is_forbidden());
        let Err(AppError::Clearance(error)) = users.rename(1, 2, "x").await else {
            panic!("renamed by a stranger");
        };
        assert!(error.is_forbidden());
    })
    .await;
    assert!(users.ran.lock().unwrap().is_empty());
    assert_eq!(statements.take(), [""; 0]);

    // The permitted viewer gets there.
    as_viewer(editor(), async {
        users.profile("person-1").await.unwrap();
        users.names().await.unwrap();
        users.rename(1, 2, "Ada").await.unwrap();
        assert!(matches!(users.rename(1, 2, "").await, Err(AppError::Other)));
    })
    .await;
    assert_eq!(as_nobody(users.count()).await.unwrap(), 5);
    assert_eq!(
        *users.ran.lock().unwrap(),
        ["profile", "names", "rename", "rename", "count"]
    );
}

#[tokio::test]
async fn vs_08_with_gives_a_context_by_hand() {
    let (users, _directory) = users().await;
    let context = testing::as_viewer(editor());
    let profile = users.with(&context).profile("person-2").await.unwrap();
    assert_eq!(profile.username, "user2");
    assert_eq!(users.with(&context).names().await.unwrap().len(), 5);
    let nobody = testing::as_nobody();
    let error = users.with(&nobody).profile("person-2").await.unwrap_err();
    assert!(error.is_unauthenticated());
    assert_eq!(users.with(&nobody).count().await.unwrap(), 5);
    // Inside another request the given one counts.
    let profile = as_viewer(stranger(), users.with(&context).profile("person-2")).await;
    assert!(!profile.unwrap().phone.is_hidden());
}

#[tokio::test]
async fn vs_08_the_guards_work_without_macros() {
    let directory = directory().await;
    as_viewer(editor(), async {
        let access = Access::<Read<Member>>::authorized(|viewer, _| viewer.role >= Role::Editor)
            .await
            .unwrap();
        assert_eq!(access.viewer().id, 2);
        let rows = directory.db.reader(&access).all(Profile::select()).await;
        assert_eq!(rows.unwrap().len(), 5);
        let refused =
            Access::<Write<Member>>::authorized(|viewer, _| viewer.role >= Role::Admin).await;
        assert!(refused.unwrap_err().is_forbidden());
    })
    .await;
}

#[tokio::test]
async fn vs_05_an_access_is_refused_outside_its_request() {
    let directory = directory().await;
    let (statements, _guard) = Statements::listen();
    let access = as_viewer(admin(), read()).await;
    // No request at all.
    let error = directory.db.reader(&access).all(Profile::select()).await;
    assert!(error.unwrap_err().is_misuse());
    // Another request, whoever's it is.
    let error = as_viewer(admin(), async {
        directory.db.reader(&access).all(Profile::select()).await
    })
    .await;
    assert!(error.unwrap_err().is_misuse());

    // Another request while its own still runs.
    let first = testing::as_viewer(admin());
    let access = first.scope(read()).await;
    let error = as_viewer(stranger(), async {
        directory.db.reader(&access).all(Profile::select()).await
    })
    .await;
    assert!(error.unwrap_err().is_misuse());
    assert_eq!(statements.take(), [""; 0]);
    let rows = first
        .scope(async { directory.db.reader(&access).all(Profile::select()).await })
        .await;
    assert_eq!(rows.unwrap().len(), 6);
}

#[tokio::test]
async fn vs_11_the_guard_runs_without_any_layer_around_it() {
    // No layer, no context: refused. A context of nobody: refused.
    let (users, _directory) = users().await;
    assert!(users.profile("person-1").await.is_err());
    assert!(as_nobody(users.profile("person-1")).await.is_err());
}

#[tokio::test]
async fn rf_13_a_spawned_task_has_no_viewer_and_the_librarys_spawn_inherits() {
    let directory = directory().await;
    let db = directory.db.clone();
    as_viewer(admin(), async move {
        let call = |db: Db| async move {
            let users = Users::new(db);
            users.profile("person-1").await
        };
        let alone = tokio::spawn(call(db.clone())).await.unwrap();
        assert!(alone.unwrap_err().is_misuse());
        let inherited = clearance::spawn(call(db)).unwrap().await.unwrap();
        assert_eq!(inherited.unwrap().id, 1);
    })
    .await;
    assert!(RequestContext::current().is_err());
}

#[tokio::test]
async fn vs_08_async_trait_repositories_are_guarded() {
    #[clearance::async_trait]
    trait Names {
        async fn names(&self) -> Result<Vec<Profile>>;
    }

    struct Guarded(Db);

    #[repository(viewer = Member)]
    #[clearance::async_trait]
    impl Names for Guarded {
        #[authenticated(access)]
        async fn names(&self) -> Result<Vec<Profile>> {
            self.0.reader(&access).all(Profile::select()).await
        }
    }

    let directory = directory().await;
    let names: Box<dyn Names> = Box::new(Guarded(directory.db.clone()));
    assert!(
        as_nobody(names.names())
            .await
            .unwrap_err()
            .is_unauthenticated()
    );
    assert_eq!(as_viewer(editor(), names.names()).await.unwrap().len(), 5);
}
