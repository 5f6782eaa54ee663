//! What a guarded read returns: R, T and DT rows.

use clearance::dto::Shape;
use clearance::{Dto, Field, Result};
use serde_json::json;

use crate::support::*;

async fn profile(directory: &Directory, slug: &str) -> Result<Profile> {
    let access = read().await;
    directory
        .db
        .reader(&access)
        .one(Profile::select().lookup(Person::SLUG, slug))
        .await
}

async fn profiles(directory: &Directory) -> Vec<Profile> {
    let access = read().await;
    let query = Profile::select().order(Profile::ID.asc());
    directory.db.reader(&access).all(query).await.unwrap()
}

#[tokio::test]
async fn r1_t_3_mixed_list_shows_a_field_on_some_rows_in_one_query() {
    let directory = directory().await;
    let (statements, _guard) = Statements::listen();
    let rows = as_viewer(editor(), profiles(&directory)).await;
    let shown: Vec<_> = rows.iter().map(|row| (row.id, row.phone.clone())).collect();
    assert_eq!(
        shown,
        [
            (1, Field::Visible(Some("+49 30 555001".into()))),
            (2, Field::Visible(Some("+49 30 555002".into()))),
            (3, Field::Hidden),
            (4, Field::Hidden),
            (5, Field::Visible(None)),
        ]
    );
    statements.one();
}

#[tokio::test]
async fn r2_a_field_that_the_dto_leaves_out_is_absent_and_its_rule_is_not_asked() {
    thread_local! {
        static ASKED: Counter = Counter::default();
    }
    fn expensive(viewer: &Member) -> bool {
        ASKED.with(Counter::increment);
        viewer.id == 0
    }

    #[derive(Dto)]
    #[dto(entity = Person, default = visible)]
    struct Full {
        id: i64,
        #[visible_if(expensive(viewer))]
        salary: Field<i64>,
    }

    #[derive(Dto)]
    #[dto(entity = Person, default = visible)]
    struct Name {
        username: String,
    }

    let directory = directory().await;
    let (statements, _guard) = Statements::listen();
    let rows = as_viewer(stranger(), async {
        let access = read().await;
        directory.db.reader(&access).all(Name::select()).await
    })
    .await
    .unwrap();
    assert_eq!(rows[0].username, "user1");
    assert_eq!(ASKED.with(Counter::count), 0);
    assert!(!statements.one().contains("salary"));

    // The same request for the whole shows that the rule would have been counted.
    let rows = as_viewer(stranger(), async {
        let access = read().await;
        directory.db.reader(&access).all(Full::select()).await
    })
    .await
    .unwrap();
    assert_eq!((rows[0].id, rows[0].salary), (1, Field::Hidden));
    assert_eq!(ASKED.with(Counter::count), 1);
}

#[tokio::test]
async fn r3_columns_read_only_for_a_rule_are_not_in_the_output() {
    let directory = directory().await;
    let (statements, _guard) = Statements::listen();
    let rows = as_viewer(editor(), profiles(&directory)).await;
    let json = serde_json::to_value(&rows[0]).unwrap();
    assert_eq!(
        json,
        json!({"id": 1, "username": "user1", "phone": "+49 30 555001"})
    );
    // The rule reads `team`, but no result column is made of it.
    let selected = statements.one();
    let selected = selected.split(" FROM ").next().unwrap();
    assert!(!selected.contains("AS \"team\""), "{selected}");
}

#[tokio::test]
async fn r4_a_row_that_is_denied_is_absent_though_its_fields_are_allowed() {
    let directory = directory().await;
    // Person 6 is suspended, and of the editor's own team.
    let rows = as_viewer(editor(), profiles(&directory)).await;
    assert!(rows.iter().all(|row| row.id != 6));
    let rows = as_viewer(admin(), profiles(&directory)).await;
    assert!(rows.iter().any(|row| row.id == 6));
}

#[tokio::test]
async fn r6_allow_only_deny_only_both_and_none_are_exact() {
    #[derive(Dto)]
    #[dto(entity = Person, default = visible)]
    struct Card {
        id: i64,
        // None.
        username: String,
        // Allow only.
        #[visible_if(row.salary > 2_000)]
        email: Field<Option<String>>,
        // Deny only: a false condition must not hide.
        #[hidden_if(row.salary > 2_000)]
        phone: Field<Option<String>>,
        // Both.
        #[visible_if(row.salary > 1_000)]
        #[hidden_if(row.salary > 2_000)]
        salary: Field<i64>,
    }

    let directory = directory_of((1..=3).map(|id| person(id, None)).collect()).await;
    let rows = as_viewer(stranger(), async {
        let access = read().await;
        let query = Card::select().order(Card::ID.asc());
        directory.db.reader(&access).all(query).await
    })
    .await
    .unwrap();
    let shown: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                row.username.as_str(),
                row.email.is_hidden(),
                row.phone.is_hidden(),
                row.salary.is_hidden(),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("user1", true, false, true),
            ("user2", true, false, false),
            ("user3", false, true, true),
        ]
    );
    assert_eq!(rows[0].id, 1);
}

#[tokio::test]
async fn r7_several_rules_on_one_field_must_all_allow() {
    #[derive(Dto)]
    #[dto(entity = Person, default = visible)]
    struct Card {
        id: i64,
        #[visible_if(row.salary >= 2_000)]
        #[visible_if(row.salary <= 3_000)]
        #[visible_if(viewer.role >= Role::Editor)]
        salary: Field<i64>,
    }

    async fn visible(directory: &Directory) -> Vec<i64> {
        let access = read().await;
        let query = Card::select().order(Card::ID.asc());
        let rows = directory.db.reader(&access).all(query).await.unwrap();
        rows.iter()
            .filter(|row| !row.salary.is_hidden())
            .map(|row| row.id)
            .collect()
    }

    let directory = directory_of((1..=4).map(|id| person(id, None)).collect()).await;
    assert_eq!(as_viewer(editor(), visible(&directory)).await, [2, 3]);
    assert_eq!(as_viewer(stranger(), visible(&directory)).await, [0; 0]);
}

#[tokio::test]
async fn r10_x3_a_null_that_may_be_seen_differs_from_a_hidden_one() {
    let directory = directory_of(vec![
        Person {
            phone: None,
            ..person(1, Some("red"))
        },
        Person {
            phone: None,
            ..person(2, Some("blue"))
        },
    ])
    .await;
    let rows = as_viewer(editor(), profiles(&directory)).await;
    assert_eq!(rows[0].phone, Field::Visible(None));
    assert_eq!(rows[1].phone, Field::Hidden);
    let json = serde_json::to_value(&rows).unwrap();
    assert_eq!(json[0]["phone"], json!(null));
    assert!(json[1].get("phone").is_none());
}

#[tokio::test]
async fn dt_01_dt_12_only_listed_fields_are_in_the_json_even_after_a_new_column() {
    let directory = directory().await;
    execute(
        &directory.pool,
        "ALTER TABLE people ADD COLUMN passport TEXT DEFAULT 'X1234567'",
    )
    .await;
    let person = as_viewer(admin(), profile(&directory, "person-1"))
        .await
        .unwrap();
    let json = serde_json::to_string(&person).unwrap();
    assert_eq!(
        json,
        r#"{"id":1,"username":"user1","phone":"+49 30 555001","salary":1000}"#
    );
}

#[tokio::test]
async fn dt_02_vs_06_the_select_names_the_columns_of_the_dto_only() {
    let directory = directory().await;
    let (statements, _guard) = Statements::listen();
    as_viewer(admin(), profile(&directory, "person-1"))
        .await
        .unwrap();
    insta::assert_snapshot!(statements.one(), @r#"SELECT "t0"."id" AS "id", "t0"."username" AS "username", "t0"."phone" AS "phone", "t0"."salary" AS "salary" FROM "people" AS "t0" WHERE "t0"."slug" = ? AND ("t0"."slug" COLLATE BINARY) = ? LIMIT ?"#);
}

#[tokio::test]
async fn dt_03_dt_04_a_named_rule_lets_admin_and_team_mate_see_the_phone() {
    let directory = directory().await;
    let phone = Field::Visible(Some("+49 30 555001".to_owned()));
    for (viewer, expected) in [
        (admin(), phone.clone()),
        (editor(), phone),
        (
            Member {
                team: Some("blue".into()),
                ..editor()
            },
            Field::Hidden,
        ),
    ] {
        let profile = as_viewer(viewer, profile(&directory, "person-1"))
            .await
            .unwrap();
        assert_eq!(profile.phone, expected);
    }
}

#[tokio::test]
async fn dt_06_a_profile_by_slug_is_one_query() {
    let directory = directory().await;
    let (statements, _guard) = Statements::listen();
    let profile = as_viewer(stranger(), profile(&directory, "person-3"))
        .await
        .unwrap();
    assert_eq!(profile.username, "user3");
    assert!(profile.phone.is_hidden());
    statements.one();
}

#[tokio::test]
async fn dt_07_two_unset_teams_grant_nothing() {
    let directory = directory().await;
    let profile = as_viewer(stranger(), profile(&directory, "person-4"))
        .await
        .unwrap();
    assert_eq!(profile.phone, Field::Hidden);
}

#[tokio::test]
async fn dt_08_a_shape_by_hand_gives_the_json_of_the_derive() {
    #[derive(Dto)]
    #[dto(entity = Person, default = visible)]
    struct Card {
        id: i64,
        username: String,
        #[visible_if(rule = same_team_or_admin)]
        phone: Field<Option<String>>,
        status: Status,
        published_at: Option<chrono::DateTime<chrono::Utc>>,
    }

    let directory = directory().await;
    let shape = Shape::<Person>::builder("Card")
        .visible(Person::ID)
        .visible(Person::USERNAME)
        .visible_if(Person::PHONE, same_team_or_admin())
        .visible(Person::STATUS)
        .visible(Person::PUBLISHED_AT)
        .build()
        .unwrap();
    for viewer in [admin(), editor(), stranger()] {
        let (derived, built) = as_viewer(viewer, async {
            let access = read().await;
            let reader = directory.db.reader(&access);
            (
                reader.all(Card::select()).await.unwrap(),
                reader.all(shape.select()).await.unwrap(),
            )
        })
        .await;
        assert!(!derived.is_empty());
        assert_eq!(
            serde_json::to_value(&derived).unwrap(),
            serde_json::to_value(&built).unwrap()
        );
        assert_eq!((derived[0].id, derived[0].username.as_str()), (1, "user1"));
    }
}

#[tokio::test]
async fn t_2_rows_in_memory_are_shown_as_the_database_shows_them() {
    let directory = directory().await;
    for viewer in [admin(), editor(), stranger()] {
        let (selected, projected) = as_viewer(viewer, async {
            let access = read().await;
            let query = Profile::select().order(Profile::ID.asc());
            (
                directory.db.reader(&access).all(query).await.unwrap(),
                access.project::<Profile>(people()).await.unwrap(),
            )
        })
        .await;
        assert_eq!(
            serde_json::to_value(&selected).unwrap(),
            serde_json::to_value(&projected).unwrap()
        );
    }
}

/// Phones by whether there is a team, and salaries by whether there is none.
#[derive(Debug, PartialEq, Dto)]
#[dto(entity = Person, default = visible)]
struct ByNull {
    id: i64,
    #[visible_if(row.team.is_some())]
    phone: Field<Option<String>>,
    #[visible_if(row.team.is_none())]
    salary: Field<i64>,
}

#[tokio::test]
async fn t_2_n1_a_test_for_null_means_the_same_of_rows_in_memory() {
    let directory = directory().await;
    as_viewer(stranger(), async {
        let access = read().await;
        let query = ByNull::select().order(ByNull::ID.asc());
        let selected = directory.db.reader(&access).all(query).await.unwrap();
        assert_eq!(selected, access.project::<ByNull>(people()).await.unwrap());
        let seen = selected.iter().filter(|row| !row.phone.is_hidden()).count();
        assert_eq!((selected.len(), seen), (5, 4));
    })
    .await;
}

#[tokio::test]
async fn p14_a_denied_row_is_404_or_403_where_the_query_says_so() {
    let directory = directory().await;
    async fn find(directory: &Directory, slug: &str, openly: bool) -> u16 {
        let access = read().await;
        let mut query = Profile::select().lookup(Person::SLUG, slug);
        if openly {
            query = query.forbidden_if_denied();
        }
        match directory.db.reader(&access).one(query).await {
            Ok(_) => 200,
            Err(error) => error.status(),
        }
    }
    for (slug, openly, status) in [
        ("person-1", false, 200),
        ("person-1", true, 200),
        ("person-6", false, 404),
        ("person-6", true, 403),
        ("nobody", false, 404),
        ("nobody", true, 404),
    ] {
        let found = as_viewer(editor(), find(&directory, slug, openly)).await;
        assert_eq!(found, status, "{slug} {openly}");
    }
    // Without a lookup nothing says whose existence may be told.
    let error = as_viewer(editor(), async {
        let access = read().await;
        let query = Profile::select()
            .filter(Profile::ID.eq(77))
            .forbidden_if_denied();
        directory.db.reader(&access).one(query).await
    })
    .await
    .unwrap_err();
    assert!(error.is_misuse());
}

#[tokio::test]
async fn one_and_optional_refuse_several_rows() {
    let directory = directory().await;
    let error = as_viewer(admin(), async {
        let access = read().await;
        directory
            .db
            .reader(&access)
            .optional(Profile::select())
            .await
    })
    .await
    .unwrap_err();
    assert_eq!(error.status(), 500);
    assert!(error.to_string().contains("unique column"));
}

#[tokio::test]
async fn stream_gives_what_all_gives() {
    use futures_util::TryStreamExt as _;

    let directory = directory().await;
    let (streamed, all) = as_viewer(editor(), async {
        let access = read().await;
        let reader = directory.db.reader(&access);
        let query = || Profile::select().order(Profile::ID.desc()).limit(4);
        let streamed: Vec<Profile> = reader
            .stream(query())
            .await
            .unwrap()
            .try_collect()
            .await
            .unwrap();
        (streamed, reader.all(query()).await.unwrap())
    })
    .await;
    assert_eq!(streamed.len(), 4);
    assert_eq!(
        serde_json::to_value(&streamed).unwrap(),
        serde_json::to_value(&all).unwrap()
    );
}

#[tokio::test]
async fn dt_10_a_secret_is_read_inside_the_repository_under_the_row_rule() {
    let directory = directory().await;
    let hash = async |slug: &str| {
        let access = public();
        let reader = directory.db.reader(&access);
        reader
            .secret(Person::PASSWORD_HASH, Person::SLUG, slug)
            .await
            .unwrap()
    };
    as_nobody(async {
        let found = hash("person-3").await.unwrap();
        assert_eq!(found.expose_secret(), "hash-of-3");
        assert_eq!(format!("{found:?}"), "Secret(..)");
        assert!(hash("nobody").await.is_none());
        // Suspended: only an admin may read the row.
        assert!(hash("person-6").await.is_none());
    })
    .await;
    let of_suspended = as_viewer(admin(), async {
        let access = read().await;
        let reader = directory.db.reader(&access);
        reader
            .secret(Person::PASSWORD_HASH, Person::ID, 6)
            .await
            .unwrap()
    })
    .await;
    assert_eq!(of_suspended.unwrap().expose_secret(), "hash-of-6");
}

#[tokio::test]
async fn rb_05_a_stored_text_outside_its_set_reads_as_no_value() {
    #[derive(Dto)]
    #[dto(entity = Account, default = visible)]
    struct AccountCard {
        id: i64,
        role: Option<Role>,
    }

    #[derive(clearance::Entity)]
    #[entity(table = "accounts", viewer = Member, rows = open, reason = "a test of roles")]
    struct Account {
        #[entity(key)]
        id: i64,
        role: Option<Role>,
    }

    let directory = empty_directory(
        "CREATE TABLE accounts (id INTEGER PRIMARY KEY, role TEXT);
         INSERT INTO accounts VALUES (1, 'admin'), (2, 'superadmin'), (3, NULL), (4, 'ADMIN')",
    )
    .await;
    let access = system();
    let query = AccountCard::select().order(AccountCard::ID.asc());
    let rows = directory.db.reader(&access).all(query).await.unwrap();
    let roles: Vec<_> = rows.iter().map(|row| (row.id, row.role)).collect();
    assert_eq!(
        roles,
        [(1, Some(Role::Admin)), (2, None), (3, None), (4, None)]
    );
    let none = AccountCard::select()
        .filter(AccountCard::ROLE.is_null())
        .order(AccountCard::ID.asc());
    let rows = directory.db.reader(&access).all(none).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [2, 3, 4]);
}
