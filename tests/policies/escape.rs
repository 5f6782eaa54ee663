//! `unguarded_sql`: the application's own query, whose rows the rules still decide.

use std::sync::{Arc, Mutex};

use clearance::policy::Context;
use clearance::{Access, Dto, Entity, Error, Field, Read, Result, testing};
use serde_json::{Value, json};
use tracing::field::{Field as TracedField, Visit};
use tracing_subscriber::layer::{Context as LayerContext, Layer};

use crate::engines::placeholders;
use crate::support::*;

pub const REASON: &str = "a test of the escape hatch";

/// What `sql` gives to `viewer` as `D`.
pub async fn own<D>(directory: &Directory, viewer: Member, sql: &'static str) -> Result<Vec<D>>
where
    D: Dto,
    D::Entity: Entity<Viewer = Member>,
{
    as_viewer(viewer, async {
        let access = read().await;
        let reader = directory.db.reader(&access);
        reader
            .unguarded_sql::<D::Entity>(REASON, sql)
            .project()
            .await
    })
    .await
}

fn json_of(rows: &[impl serde::Serialize]) -> Vec<Value> {
    rows.iter()
        .map(|row| serde_json::to_value(row).unwrap())
        .collect()
}

/// Every kind of output.
#[derive(Debug, Dto)]
#[dto(entity = Person, default = visible)]
struct Card {
    id: i64,
    username: String,
    #[visible_if(rule = same_team_or_admin)]
    phone: Field<Option<String>>,
    #[visible_if(viewer.role >= Role::Admin)]
    salary: Field<i64>,
    #[visible_if(rule = same_team_or_admin)]
    #[dto(mask = last4)]
    email: Option<String>,
    #[visible_if(row.author == viewer.id && row.published_at.is_some())]
    team: Option<String>,
    #[visible_if(opaque(trusted))]
    status: Field<Status>,
    #[visible_if(row.status != Status::Left)]
    #[dto(hidden = null)]
    author: Option<i64>,
}

fn trusted(viewer: &Member, row: &Person, _: &Context) -> bool {
    viewer.role >= Role::Editor && row.id % 2 == 1
}

#[tokio::test]
async fn r22_rows_are_shown_as_a_guarded_query_shows_them() {
    let directory = directory().await;
    for viewer in [admin(), editor(), stranger()] {
        let own: Vec<Card> = own(
            &directory,
            viewer.clone(),
            "SELECT * FROM people ORDER BY id",
        )
        .await
        .unwrap();
        let guarded = as_viewer(viewer.clone(), async {
            let access = read().await;
            let query = Card::select().order(Card::ID.asc());
            directory.db.reader(&access).all(query).await.unwrap()
        })
        .await;
        assert!(!guarded.is_empty());
        assert_eq!(json_of(&own), json_of(&guarded), "{viewer:?}");
        let text = format!("{:?}", json_of(&own));
        assert!(!text.contains("hash-of"));
        assert_eq!(text.contains("+49 30 555003"), viewer.role == Role::Admin);
        assert_eq!(text.contains("user3@"), viewer.role == Role::Admin);
    }
}

#[tokio::test]
async fn r22_a_missing_policy_column_denies_the_row() {
    let directory = directory().await;
    let sql = "SELECT id, username, phone, salary, team FROM people ORDER BY id";
    let rows: Vec<Profile> = own(&directory, editor(), sql).await.unwrap();
    assert!(rows.is_empty());
    // Nothing of the row is asked for an admin, so nothing is missing.
    let rows: Vec<Profile> = own(&directory, admin(), sql).await.unwrap();
    assert_eq!(rows.len(), 6);
    // A column that is there and null decides as null does: not at all.
    let sql = "SELECT id, username, phone, salary, team, NULL AS suspended FROM people";
    let rows: Vec<Profile> = own(&directory, editor(), sql).await.unwrap();
    assert!(rows.is_empty());
}

#[tokio::test]
async fn r22_a_missing_column_of_a_field_rule_hides_the_field() {
    let directory = directory().await;
    let sql = "SELECT id, username, phone, salary, suspended FROM people ORDER BY id";
    let rows: Vec<Profile> = own(&directory, editor(), sql).await.unwrap();
    assert_eq!(rows.len(), 5);
    assert!(rows.iter().all(|row| row.phone.is_hidden()));
    let rows: Vec<Profile> = own(&directory, admin(), sql).await.unwrap();
    assert!(rows.iter().all(|row| !row.phone.is_hidden()));
}

#[tokio::test]
async fn r22_missing_is_not_null_and_no_condition_over_it_holds() {
    #[derive(Debug, Dto)]
    #[dto(entity = Person, default = visible)]
    struct First {
        id: i64,
        #[visible_if(row.team.is_none())]
        username: Field<String>,
        #[visible_if(row.team.is_some())]
        phone: Field<Option<String>>,
        #[visible_if(!row.team.is_none())]
        email: Field<Option<String>>,
        #[visible_if(row.team != "x")]
        salary: Field<i64>,
        #[visible_if(!["x"].contains(&row.team))]
        author: Field<i64>,
        #[visible_if(!(row.team == "x"))]
        published_at: Field<Option<chrono::DateTime<chrono::Utc>>>,
        #[visible_if(row.team.is_none() || row.team.is_some())]
        slug: Field<String>,
    }

    #[derive(Debug, Dto)]
    #[dto(entity = Person, default = visible)]
    struct Second {
        id: i64,
        #[visible_if(row.suspended)]
        username: Field<String>,
        #[visible_if(!row.suspended)]
        phone: Field<Option<String>>,
        #[visible_if(row.status != Status::Left)]
        email: Field<Option<String>>,
        #[visible_if(![Status::Left].contains(&row.status))]
        salary: Field<i64>,
        #[visible_if(row.slug == row.team)]
        author: Field<i64>,
        #[visible_if(row.salary < row.author)]
        published_at: Field<Option<chrono::DateTime<chrono::Utc>>>,
        #[visible_if(row.author > row.salary)]
        slug: Field<String>,
    }

    let directory = directory().await;
    let sql = "SELECT id, username, phone, email, published_at, slug, 1 AS salary, 2 AS author FROM people WHERE id IN (1, 4) ORDER BY id";
    let whole = "SELECT * FROM people WHERE id IN (1, 4) ORDER BY id";
    let first: Vec<First> = own(&directory, admin(), whole).await.unwrap();
    let hidden = |row: &First| {
        [
            row.username.is_hidden(),
            row.phone.is_hidden(),
            row.email.is_hidden(),
            row.salary.is_hidden(),
            row.author.is_hidden(),
            row.published_at.is_hidden(),
            row.slug.is_hidden(),
        ]
    };
    assert_eq!(
        hidden(&first[0]),
        [true, false, false, false, false, false, false]
    );
    // A null team is none, and every comparison with it is unknown.
    assert_eq!(
        hidden(&first[1]),
        [false, true, true, true, true, true, false]
    );
    let first: Vec<First> = own(&directory, admin(), sql).await.unwrap();
    assert_eq!(first.len(), 2);
    assert!(
        first
            .iter()
            .all(|row| hidden(row) == [true; 7] && row.id > 0)
    );

    let second: Vec<Second> = own(&directory, admin(), sql).await.unwrap();
    for row in &second {
        assert!(row.id > 0);
        assert!(row.username.is_hidden() && row.phone.is_hidden());
        assert!(row.email.is_hidden() && row.salary.is_hidden() && row.author.is_hidden());
        // Both sides are there.
        assert!(!row.published_at.is_hidden() && !row.slug.is_hidden());
    }
    // Either side of a comparison of columns.
    for sql in [
        "SELECT id, username, phone, email, published_at, slug, 1 AS salary FROM people",
        "SELECT id, username, phone, email, published_at, slug, 2 AS author FROM people",
    ] {
        let second: Vec<Second> = own(&directory, admin(), sql).await.unwrap();
        assert_eq!(second.len(), 6);
        assert!(
            second
                .iter()
                .all(|row| row.published_at.is_hidden() && row.slug.is_hidden())
        );
    }
}

#[tokio::test]
async fn r22_whatever_is_missing_nothing_more_is_shown() {
    const COLUMNS: [&str; 7] = [
        "phone",
        "team",
        "status",
        "suspended",
        "published_at",
        "author",
        "slug",
    ];

    #[derive(Debug, Dto)]
    #[dto(entity = Person, default = visible)]
    struct Line {
        id: i64,
        #[visible_if(rule = same_team_or_admin)]
        phone: Field<Option<String>>,
        #[visible_if(!(row.team == "red" && row.status == Status::Active) || row.author == viewer.id)]
        salary: Field<i64>,
        #[visible_if(row.published_at.is_some() || row.phone.is_none())]
        username: Field<String>,
        #[visible_if(opaque(trusted) || row.slug == "person-2")]
        email: Field<Option<String>>,
    }

    let directory = directory().await;
    for viewer in [admin(), editor(), stranger()] {
        let all: Vec<Line> = own(&directory, viewer.clone(), "SELECT * FROM people")
            .await
            .unwrap();
        let all = json_of(&all);
        let mut least = usize::MAX;
        for subset in 0..1_u32 << COLUMNS.len() {
            let given: Vec<&str> = COLUMNS
                .iter()
                .enumerate()
                .filter(|(index, _)| subset >> index & 1 == 1)
                .map(|(_, name)| *name)
                .collect();
            let columns = ["id", "salary", "username", "email", "password_hash"]
                .into_iter()
                .chain(given)
                .collect::<Vec<_>>()
                .join(", ");
            let sql = format!("SELECT {columns} FROM people").leak();
            let some: Vec<Line> = own(&directory, viewer.clone(), sql).await.unwrap();
            least = least.min(some.len());
            for row in json_of(&some) {
                let full = all.iter().find(|full| full["id"] == row["id"]).unwrap();
                for (key, value) in row.as_object().unwrap() {
                    assert_eq!(full.get(key), Some(value), "{columns}: {key}");
                }
            }
        }
        // Only an admin's row rule asks nothing of the row.
        assert_eq!(least > 0, viewer.role == Role::Admin);
        assert!(!all.is_empty());
    }
}

#[tokio::test]
async fn r22_a_field_without_its_column_is_hidden_or_refused_by_name() {
    #[derive(Debug, Dto)]
    #[dto(entity = Person, default = visible)]
    struct Strict {
        id: i64,
        #[visible_if(viewer.role >= Role::Editor)]
        #[dto(hidden = error)]
        salary: i64,
    }

    #[derive(Debug, Dto)]
    #[dto(entity = Person, default = visible)]
    struct Masked {
        id: i64,
        #[visible_if(viewer.role >= Role::Admin)]
        #[dto(mask = last4)]
        phone: Option<String>,
    }

    fn refused<T: std::fmt::Debug>(rows: Result<Vec<T>>, column: &str) {
        let error = rows.unwrap_err();
        assert!(error.is_misuse(), "{error}");
        let text = error.to_string();
        assert!(text.contains(&format!("`{column}`")), "{text}");
        assert!(
            !text.contains("user1") && !text.contains("SELECT"),
            "{text}"
        );
    }

    let directory = directory().await;
    let sql = "SELECT id, username, suspended FROM people WHERE id = 1";
    let rows: Vec<Profile> = own(&directory, admin(), sql).await.unwrap();
    assert_eq!(
        (rows[0].phone.clone(), rows[0].salary),
        (Field::Hidden, Field::Hidden)
    );
    let sql = "SELECT id, suspended FROM people WHERE id = 1";
    refused::<Profile>(own(&directory, admin(), sql).await, "username");
    refused::<Strict>(own(&directory, admin(), sql).await, "salary");
    refused::<Masked>(own(&directory, admin(), sql).await, "phone");
    let sql = "SELECT id, salary, suspended FROM people WHERE id = 1";
    let rows: Vec<Strict> = own(&directory, editor(), sql).await.unwrap();
    assert_eq!((rows[0].id, rows[0].salary), (1, 1_000));
    let forbidden = own::<Strict>(&directory, stranger(), sql).await;
    assert!(forbidden.unwrap_err().is_forbidden());
    let sql = "SELECT id, phone, suspended FROM people WHERE id = 1";
    for (viewer, phone) in [(admin(), "+49 30 555001"), (stranger(), "****5001")] {
        let rows: Vec<Masked> = own(&directory, viewer, sql).await.unwrap();
        assert_eq!((rows[0].id, rows[0].phone.as_deref()), (1, Some(phone)));
    }
}

#[tokio::test]
async fn r22_other_columns_are_ignored_and_two_of_one_name_refused_on_sqlite() {
    let directory = directory().await;
    let sql = "SELECT p.*, count(*) OVER () AS total, 7 AS PHONE_2 FROM people p WHERE id = 1";
    let rows: Vec<Profile> = own(&directory, admin(), sql).await.unwrap();
    assert_eq!(
        json_of(&rows),
        [json!({"id": 1, "username": "user1", "phone": "+49 30 555001", "salary": 1000})]
    );
    // Another spelling is another name.
    let sql = "SELECT id, username, phone, salary, team, 0 AS Suspended FROM people";
    assert_eq!(
        own::<Profile>(&directory, editor(), sql)
            .await
            .unwrap()
            .len(),
        0
    );
    // An alias that passes for a policy column cannot be told from a second one by accident.
    let sql = "SELECT *, 0 AS suspended FROM people";
    let error = own::<Profile>(&directory, editor(), sql).await.unwrap_err();
    assert!(error.is_misuse());
    assert!(error.to_string().contains("two columns `suspended`"));
}

#[tokio::test]
async fn r22_a_rule_in_rust_sees_whole_rows_only() {
    let directory = directory().await;
    let ids = |rows: Vec<Card>| {
        rows.iter()
            .filter(|row| !row.status.is_hidden())
            .map(|row| row.id)
            .collect::<Vec<_>>()
    };
    let sql = "SELECT * FROM people ORDER BY id";
    assert_eq!(
        ids(own(&directory, editor(), sql).await.unwrap()),
        [1, 3, 5]
    );
    // The function may read any column, so all of them must be there.
    let sql = "SELECT id, slug, username, phone, email, salary, team, status, suspended, published_at, author FROM people ORDER BY id";
    assert_eq!(
        ids(own(&directory, editor(), sql).await.unwrap()),
        [0_i64; 0]
    );
}

#[tokio::test]
async fn r22_values_are_bound() {
    let directory = directory().await;
    let sql = placeholders("SELECT * FROM people WHERE username = ? AND id < ? AND status = ?");
    let find = async |name: &str, below: i64| {
        as_viewer(editor(), async {
            let access = read().await;
            directory
                .db
                .reader(&access)
                .unguarded_sql::<Person>(REASON, sql)
                .bind(name)
                .bind(below)
                .bind(Status::Active)
                .project::<Profile>()
                .await
                .unwrap()
                .len()
        })
        .await
    };
    assert_eq!(find("user1", 10).await, 1);
    assert_eq!(find("user1", 1).await, 0);
    assert_eq!(find("user1' OR 'a' = 'a", 10).await, 0);
    // Too few: the database's null, not an error that tells of it.
    let access = system();
    let reader = directory.db.reader(&access);
    let by_null = placeholders("SELECT * FROM people WHERE username = ?");
    let rows: Vec<Profile> = reader
        .unguarded_sql::<Person>(REASON, by_null)
        .bind(None::<String>)
        .project()
        .await
        .unwrap();
    assert!(rows.is_empty());
}

#[tokio::test]
async fn r22_who_asks_decides_as_everywhere() {
    let directory = directory().await;
    let sql = "SELECT * FROM people";
    let nobody: Vec<Profile> = as_nobody(async {
        let access = public();
        let reader = directory.db.reader(&access);
        reader.unguarded_sql::<Person>(REASON, sql).project().await
    })
    .await
    .unwrap();
    assert_eq!(nobody.len(), 5);
    assert!(
        nobody
            .iter()
            .all(|row| row.phone.is_hidden() && row.salary.is_hidden())
    );
    let access = system();
    let reader = directory.db.reader(&access);
    let all: Vec<Card> = reader
        .unguarded_sql::<Person>(REASON, sql)
        .project()
        .await
        .unwrap();
    assert_eq!(all.len(), 6);
    assert!(all.iter().all(|row| !row.status.is_hidden()));

    // An access of another request proves nothing in this one.
    let stolen = testing::as_viewer(admin());
    let access = stolen
        .scope(Access::<Read<Member>>::authenticated())
        .await
        .unwrap();
    let (statements, _guard) = Statements::listen();
    let refused: Result<Vec<Profile>> = as_viewer(stranger(), async {
        let reader = directory.db.reader(&access);
        reader.unguarded_sql::<Person>(REASON, sql).project().await
    })
    .await;
    assert!(refused.unwrap_err().is_misuse());
    assert_eq!(statements.take(), [""; 0]);
}

#[tokio::test]
async fn r22_an_entity_that_this_viewer_may_not_read_costs_no_statement() {
    #[derive(clearance::Entity)]
    #[entity(table = "people", viewer = Member, read_if(viewer.role >= Role::Admin))]
    struct Closed {
        #[entity(key)]
        id: i64,
    }

    #[derive(Debug, Dto)]
    #[dto(entity = Closed, default = visible)]
    struct ClosedCard {
        id: i64,
    }

    let directory = directory().await;
    let (statements, _guard) = Statements::listen();
    let rows: Vec<ClosedCard> = own(&directory, stranger(), "SELECT id FROM people")
        .await
        .unwrap();
    assert!(rows.iter().all(|row| row.id == 0) && rows.is_empty());
    assert_eq!(statements.take(), [""; 0]);
}

/// The events of `clearance::access`, as text.
#[derive(Clone, Default)]
struct Events(Arc<Mutex<Vec<String>>>);

impl<S: tracing::Subscriber> Layer<S> for Events {
    fn on_event(&self, event: &tracing::Event<'_>, _: LayerContext<'_, S>) {
        struct Fields(String);

        impl Visit for Fields {
            fn record_debug(&mut self, field: &TracedField, value: &dyn std::fmt::Debug) {
                self.0.push_str(&format!("{}={value:?} ", field.name()));
            }
        }

        if event.metadata().target() == "clearance::access" {
            let mut fields = Fields(String::new());
            event.record(&mut fields);
            self.0.lock().unwrap().push(fields.0);
        }
    }
}

#[tokio::test]
async fn r22_each_use_is_an_event_with_its_reason() {
    let directory = directory().await;
    let events = Events::default();
    let _guard = listen_with(events.clone());
    for _ in 0..2 {
        let sql = "SELECT * FROM people WHERE username = 'user1'";
        own::<Profile>(&directory, admin(), sql).await.unwrap();
    }
    let seen = events.0.lock().unwrap().clone();
    assert_eq!(seen.len(), 2, "{seen:?}");
    for event in seen {
        assert!(event.contains("unguarded_sql") && event.contains(REASON));
        assert!(!event.contains("user1"), "{event}");
    }
}

#[tokio::test]
async fn r22_without_a_reason_or_a_query_nothing_runs() {
    let directory = directory().await;
    let (statements, _guard) = Statements::listen();
    let refused = async |reason: &'static str, sql: &'static str| -> Error {
        as_viewer(admin(), async {
            let access = read().await;
            let reader = directory.db.reader(&access);
            reader
                .unguarded_sql::<Person>(reason, sql)
                .project::<Profile>()
                .await
                .unwrap_err()
        })
        .await
    };
    for reason in ["", " \n"] {
        let error = refused(reason, "SELECT * FROM people").await;
        assert!(error.is_misuse() && error.to_string().contains("reason"));
    }
    for sql in [
        "",
        "DELETE FROM people RETURNING *",
        "UPDATE people SET salary = 0 RETURNING *",
        "selected",
    ] {
        let error = refused(REASON, sql).await;
        assert!(error.is_misuse() && error.to_string().contains("SELECT"));
    }
    assert_eq!(statements.take(), [""; 0]);
    let error = refused(REASON, "SELECT * FROM nowhere").await;
    assert!(!error.to_string().contains("nowhere"));
}
