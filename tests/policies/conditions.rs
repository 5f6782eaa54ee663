//! What the condition of a method comes to, and the reasons that are stated: T-22, T-23, X21.

use clearance::registry::Guard;
use clearance::{Access, Db, Result, repository};
use clearance_matrix::Matrix;

use crate::engines::TestPool;
use crate::support::*;

macro_rules! leave {
    ($value:expr) => {
        return $value
    };
}

struct Desk;

#[repository(viewer = Member)]
impl Desk {
    #[authorize(access, if viewer.role >= Role::Editor, if viewer.team.is_some() || viewer.id == 9)]
    pub async fn both(&self) -> Result<i64> {
        drop(access);
        Ok(1)
    }

    #[authorize(access: Write, if viewer.id == id || viewer.role >= Role::Admin, if id > 1, if context.address.is_none())]
    pub async fn three(&self, id: i64) -> Result<i64> {
        drop(access);
        Ok(id)
    }

    /// What the macro returns is what the condition comes to.
    #[authorize(access, if leave!(viewer.role >= Role::Admin))]
    pub async fn returned(&self) -> Result<i64> {
        drop(access);
        Ok(1)
    }
}

clearance::app! {
    static DESK = {
        viewer: Member,
        dtos: [],
        repositories: [Desk],
    };
}

fn everybody() -> [Member; 4] {
    let teamless_editor = Member {
        team: None,
        ..editor()
    };
    let reader_of_a_team = Member {
        team: Some("red".into()),
        ..stranger()
    };
    [admin(), editor(), teamless_editor, reader_of_a_team]
}

#[tokio::test]
async fn t_22_each_condition_of_a_method_must_hold() {
    let mut allowed = Vec::new();
    for viewer in everybody() {
        let outcome = as_viewer(viewer, Desk.both()).await;
        assert!(
            outcome
                .as_ref()
                .err()
                .is_none_or(clearance::Error::is_forbidden)
        );
        allowed.push(outcome.is_ok());
    }
    assert_eq!(allowed, [false, true, false, false]);
    // An argument in one of them, whichever it is.
    for (viewer, id, expected) in [
        (admin(), 1, false),
        (admin(), 3, true),
        (editor(), 2, true),
        (editor(), 3, false),
        (stranger(), 3, true),
    ] {
        let outcome = as_viewer(viewer, Desk.three(id)).await;
        assert_eq!(outcome.is_ok(), expected, "{id}");
    }
}

#[test]
fn t_22_the_matrix_shows_every_condition_and_asks_all_of_them() {
    let repositories = DESK.repositories();
    let guards: Vec<_> = repositories[0]
        .methods()
        .iter()
        .map(|it| it.guard())
        .collect();
    assert_eq!(
        guards[..2],
        [
            Guard::Authorize(
                "viewer.role >= Role::Editor && (viewer.team.is_some() || viewer.id == 9)"
            ),
            Guard::Authorize(
                "(viewer.id == id || viewer.role >= Role::Admin) && id > 1 && context.address.is_none()"
            ),
        ]
    );
    let [admin, editor, teamless, reader] = everybody();
    let matrix = Matrix::of(&DESK)
        .viewer("admin", &admin)
        .viewer("editor", &editor)
        .viewer("teamless", &teamless)
        .viewer("reader", &reader)
        .build()
        .unwrap();
    let matrix = crate::matrix::json(&matrix);
    let cells = matrix["repositories"][0]["methods"][0]["cells"]
        .as_array()
        .unwrap();
    let answers: Vec<_> = cells
        .iter()
        .map(|cell| cell["answer"].as_str().unwrap())
        .collect();
    assert_eq!(answers, ["no", "no", "no", "yes", "no", "no"]);
}

#[tokio::test]
async fn t_23_what_a_macro_returns_in_a_condition_is_the_condition() {
    let refused = as_viewer(editor(), Desk.returned()).await.unwrap_err();
    assert!(refused.is_forbidden());
    assert_eq!(as_viewer(admin(), Desk.returned()).await.unwrap(), 1);
}

#[tokio::test]
async fn x21_x11_an_access_without_a_reason_is_refused() {
    for reason in ["", " \n\t"] {
        let error = as_nobody(async { Access::public(reason).unwrap_err() }).await;
        assert!(error.is_misuse() && error.to_string().contains("reason"));
        let error = Access::system(reason).unwrap_err();
        assert!(error.is_misuse() && error.to_string().contains("reason"));
    }
    as_nobody(async { Access::public("the front page").unwrap() }).await;
}

#[tokio::test]
async fn x21_a_pool_without_a_reason_runs_nothing() {
    let directory = directory().await;
    let wrapped = |reason| match &directory.pool {
        TestPool::Sqlite(pool) => Db::unguarded_pool(pool.clone(), reason),
        TestPool::Postgres(pool) => Db::unguarded_pool(pool.clone(), reason),
        TestPool::Mysql(pool) => Db::unguarded_pool(pool.clone(), reason),
    };
    let (statements, _guard) = Statements::listen();
    for reason in ["", "  "] {
        let db = wrapped(reason);
        let misuse = |error: clearance::Error| {
            assert!(
                error.is_misuse() && error.to_string().contains("reason"),
                "{error}"
            );
        };
        misuse(db.migrate().await.unwrap_err());
        let access = system();
        misuse(db.reader(&access).all(Profile::select()).await.unwrap_err());
        misuse(db.writer(&access).delete::<Person>(1).await.unwrap_err());
        misuse(db.begin(&access).await.map(drop).unwrap_err());
    }
    assert!(
        statements
            .take()
            .iter()
            .all(|text| !text.starts_with("BEGIN"))
    );
    let db = wrapped("a test of the same pool");
    let access = system();
    assert_eq!(
        db.reader(&access)
            .all(Profile::select())
            .await
            .unwrap()
            .len(),
        6
    );
}
