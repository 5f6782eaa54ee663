//! Insert, update and delete by key, behind a session that is current.

use std::sync::Arc;

use clearance::session::MemorySessionStore;
use clearance::{Access, Dto, Entity, Field, Key, Result, Sessions, Viewer, Write};

use crate::support::*;

async fn rename(directory: &Directory, id: i64, name: &str) -> Result<()> {
    let access = Access::<Write<Member>>::authenticated().await?;
    directory
        .db
        .writer(&access)
        .update::<Person>(id)
        .set(Person::USERNAME, name)
        .execute()
        .await
}

async fn names(directory: &Directory) -> Vec<String> {
    let access = system();
    let query = Profile::select().order(Profile::ID.asc());
    let rows = directory.db.reader(&access).all(query).await.unwrap();
    rows.into_iter().map(|row| row.username).collect()
}

#[tokio::test]
async fn vs_15_a_create_rule_compares_the_new_row_with_the_viewer() {
    let directory = directory_of(Vec::new()).await;
    let create = async |author: i64| {
        let access = write().await;
        let person = Person {
            author,
            ..person(1, None)
        };
        directory.db.writer(&access).insert(person).await
    };
    let error = as_viewer(stranger(), create(3)).await.unwrap_err();
    assert!(error.is_forbidden());
    let error = as_viewer(editor(), create(1)).await.unwrap_err();
    assert!(error.is_forbidden());
    assert_eq!(names(&directory).await, [""; 0]);
    as_viewer(editor(), create(2)).await.unwrap();
    assert_eq!(names(&directory).await, ["user1"]);
    // The same key again: a conflict that says no more.
    let error = as_viewer(editor(), create(2)).await.unwrap_err();
    assert!(error.is_conflict());
    assert_eq!(error.to_string(), "conflicts with what is stored");
}

#[tokio::test]
async fn an_update_touches_only_what_its_rule_allows() {
    let directory = directory_of(vec![
        person(1, None),
        Person {
            author: 1,
            ..person(2, None)
        },
    ])
    .await;
    as_viewer(editor(), rename(&directory, 1, "Ada"))
        .await
        .unwrap();
    for (id, what) in [(2, "another's"), (77, "absent")] {
        let error = as_viewer(editor(), rename(&directory, id, "Eve"))
            .await
            .unwrap_err();
        assert!(error.is_not_found(), "{what}");
    }
    assert_eq!(names(&directory).await, ["Ada", "user2"]);
    as_viewer(admin(), rename(&directory, 2, "Bob"))
        .await
        .unwrap();
    assert_eq!(names(&directory).await, ["Ada", "Bob"]);
}

#[tokio::test]
async fn p14_an_update_says_403_where_it_is_told_to() {
    let directory = directory_of(vec![Person {
        author: 1,
        ..person(1, None)
    }])
    .await;
    let status = async |id: i64| {
        let access = write().await;
        directory
            .db
            .writer(&access)
            .update::<Person>(id)
            .set(Person::USERNAME, "Eve")
            .forbidden_if_denied()
            .execute()
            .await
            .unwrap_err()
            .status()
    };
    assert_eq!(as_viewer(editor(), status(1)).await, 403);
    assert_eq!(as_viewer(editor(), status(77)).await, 404);
}

#[tokio::test]
async fn updates_set_clear_and_refuse_nonsense() {
    #[derive(Dto)]
    #[dto(entity = Person, default = visible)]
    struct Card {
        email: Option<String>,
        team: Option<String>,
        status: Status,
        #[visible_if(viewer.role >= Role::Viewer)]
        salary: Field<i64>,
    }

    let directory = directory_of(vec![person(1, Some("red"))]).await;
    as_viewer(editor(), async {
        let access = write().await;
        let writer = directory.db.writer(&access);
        writer
            .update::<Person>(1)
            .clear(Person::EMAIL)
            .set(Person::TEAM, Some("blue".to_owned()))
            .set(Person::STATUS, Status::Away)
            .set(Person::PASSWORD_HASH, clearance::Secret::new("new".into()))
            .execute()
            .await
            .unwrap();
        let card = writer
            .one(Card::select().lookup(Person::ID, 1))
            .await
            .unwrap();
        assert_eq!((card.email, card.team.as_deref()), (None, Some("blue")));
        assert_eq!(
            (card.status, card.salary),
            (Status::Away, Field::Visible(1_000))
        );

        let nothing = writer.update::<Person>(1).execute().await.unwrap_err();
        assert!(nothing.is_misuse());
        let twice = writer
            .update::<Person>(1)
            .set(Person::SALARY, 1)
            .set(Person::SALARY, 2)
            .execute()
            .await
            .unwrap_err();
        assert!(twice.is_misuse());
    })
    .await;
}

#[tokio::test]
async fn a_delete_removes_one_row_by_its_rule() {
    let directory = directory_of(vec![person(1, None), person(2, None)]).await;
    let delete = async |id: i64| {
        let access = write().await;
        directory.db.writer(&access).delete::<Person>(id).await
    };
    assert!(
        as_viewer(editor(), delete(1))
            .await
            .unwrap_err()
            .is_not_found()
    );
    as_viewer(admin(), delete(1)).await.unwrap();
    assert_eq!(names(&directory).await, ["user2"]);
}

#[tokio::test]
async fn sd_06_a_write_checks_the_session_in_its_own_statement() {
    let directory = directory_of(vec![person(1, None)]).await;
    let sessions = sessions_beside(&directory).await;
    let request = signed_in(&sessions, &editor()).await;
    let (statements, _guard) = Statements::listen();
    // Verified first, so that the cache holds the session.
    request
        .scope(Access::<Write<Member>>::authenticated())
        .await
        .unwrap();
    statements.take();
    request.scope(rename(&directory, 1, "Ada")).await.unwrap();
    let update = statements.one();
    assert!(
        update.starts_with("UPDATE")
            && update.contains(r#"EXISTS(SELECT 1 FROM "clearance_sessions""#),
        "{update}"
    );

    // The session ends behind the library's back: reading still rests on the cache, writing on
    // the row that is gone.
    execute(&directory.pool, "DELETE FROM clearance_sessions").await;
    let error = request
        .scope(rename(&directory, 1, "Eve"))
        .await
        .unwrap_err();
    assert!(error.is_unauthenticated(), "{error}");
    let error = request
        .scope(async {
            let access = Access::<Write<Member>>::authenticated().await?;
            let person = person(9, None);
            directory.db.writer(&access).insert(person).await
        })
        .await
        .unwrap_err();
    assert!(error.is_unauthenticated(), "{error}");
    assert_eq!(names(&directory).await, ["Ada"]);
}

#[tokio::test]
async fn sd_06_a_write_asks_a_store_elsewhere_right_before_it() {
    let directory = directory_of(vec![person(1, None)]).await;
    let store = Arc::new(MemorySessionStore::new());
    let sessions = Sessions::builder(Key::generate().unwrap(), Arc::clone(&store), Members)
        .app_url("https://app.example")
        .build()
        .unwrap();
    let request = signed_in(&sessions, &editor()).await;
    let (statements, _guard) = Statements::listen();
    request.scope(rename(&directory, 1, "Ada")).await.unwrap();
    assert!(!statements.one().contains("clearance_sessions"));

    clearance::session::SessionStore::delete_all(&*store, &editor().subject(), None)
        .await
        .unwrap();
    let error = request
        .scope(rename(&directory, 1, "Eve"))
        .await
        .unwrap_err();
    assert!(error.is_unauthenticated());
    assert_eq!(statements.take(), [""; 0]);
}

#[tokio::test]
async fn rf_6_a_database_that_is_gone_is_unavailable() {
    let directory = directory().await;
    directory.db.close().await;
    let errors = as_viewer(editor(), async {
        let access = write().await;
        let writer = directory.db.writer(&access);
        [
            writer.all(Profile::select()).await.unwrap_err(),
            writer.insert(person(9, None)).await.unwrap_err(),
            rename(&directory, 1, "Ada").await.unwrap_err(),
        ]
    })
    .await;
    for error in errors {
        assert!(error.is_unavailable(), "{error}");
        assert_eq!(error.status(), 503);
    }
}

#[derive(Debug, Clone, Viewer)]
struct Agent {
    id: i64,
    key: uuid::Uuid,
    urgent: bool,
}

#[derive(Debug, Entity)]
#[entity(
    table = "tickets",
    viewer = Agent,
    read_if(row.agent == viewer.key),
    create_if(row.agent == viewer.key && row.urgent == viewer.urgent)
)]
struct Ticket {
    #[entity(key)]
    id: i64,
    agent: uuid::Uuid,
    urgent: bool,
}

#[tokio::test]
async fn n11_ids_and_flags_of_a_new_row_are_compared_as_what_they_are() {
    let directory = empty_directory(
        "CREATE TABLE tickets (id INTEGER PRIMARY KEY, agent ID16 NOT NULL, urgent BOOLEAN NOT NULL)",
    )
    .await;
    let key = uuid::Uuid::from_u128;
    let agent = Agent {
        id: 1,
        key: key(7),
        urgent: true,
    };
    let request = clearance::testing::as_viewer(agent);
    let outcomes = request.scope(async {
        let access = Access::<Write<Agent>>::authenticated().await.unwrap();
        let writer = directory.db.writer(&access);
        let mut outcomes = Vec::new();
        for (id, agent, urgent) in [(1, 7, true), (2, 8, true), (3, 7, false)] {
            let agent = key(agent);
            let ticket = Ticket { id, agent, urgent };
            outcomes.push(writer.insert(ticket).await.is_ok());
        }
        outcomes
    });
    assert_eq!(outcomes.await, [true, false, false]);
}
