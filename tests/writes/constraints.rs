//! What the database itself refuses: W46, W47.

use clearance::input::Assign;
use clearance::policy::Context;
use clearance::{
    Access, Db, Entity, Error, Input, Patch, Result, Untrusted, Viewer, Write, testing,
};

use crate::engines::{Engine, TestPool, engine};
use crate::support::{Directory, empty_directory, instant, system};

#[derive(Debug, Clone, Viewer)]
struct Clerk {
    id: i64,
}

#[derive(Debug, Clone, Entity)]
#[entity(table = "lots", viewer = Clerk, rows = open, reason = "constraints are under test")]
#[entity(create_if(true), update_if(true), delete_if(true))]
struct Lot {
    #[entity(key)]
    id: i64,
    code: String,
    pieces: i64,
    weight: f64,
    spare: Option<f64>,
}

#[derive(Debug, Clone, Entity)]
#[entity(table = "bids", viewer = Clerk, rows = open, reason = "constraints are under test")]
#[entity(create_if(true))]
struct Bid {
    #[entity(key)]
    id: i64,
    lot_id: i64,
}

/// The same table, through a view that lets few lots through.
#[derive(Debug, Clone, Entity)]
#[entity(table = "small_lots", viewer = Clerk, rows = open, reason = "constraints are under test")]
#[entity(create_if(true), update_if(true))]
struct SmallLot {
    #[entity(key)]
    id: i64,
    code: String,
    pieces: i64,
    weight: f64,
}

#[derive(Input)]
#[input(entity = Lot)]
#[serde(rename_all = "camelCase")]
struct NewLot {
    #[writable]
    code: String,
    #[writable]
    pieces: Assign<i64>,
    #[writable]
    #[serde(rename = "grossWeight")]
    weight: f64,
    #[writable]
    spare: Assign<Option<f64>>,
}

#[derive(Patch)]
#[patch(entity = Lot)]
struct EditLot {
    #[writable(blind)]
    weight: Assign<f64>,
    #[writable(blind)]
    spare: Assign<Option<f64>>,
}

const SCHEMA: &str = "
    CREATE TABLE lots (
        id AUTOKEY, code KEYTEXT NOT NULL UNIQUE, pieces INTEGER NOT NULL CHECK (pieces < 100),
        weight FLOAT8 NOT NULL, spare FLOAT8
    );
    CREATE TABLE bids (
        id AUTOKEY, lot_id INTEGER NOT NULL, FOREIGN KEY (lot_id) REFERENCES lots (id) ON DELETE RESTRICT
    );
";

fn lot(id: i64) -> Lot {
    Lot {
        id,
        code: format!("lot {id}"),
        pieces: 1,
        weight: 0.5,
        spare: None,
    }
}

/// Lots 1 and 2, and a bid for lot 1.
async fn auction() -> Directory {
    let directory = empty_directory(SCHEMA).await;
    let access = system();
    let writer = directory.db.writer(&access);
    writer.insert_many([lot(1), lot(2)]).await.unwrap();
    writer.insert(Bid { id: 1, lot_id: 1 }).await.unwrap();
    directory
}

async fn writing<T>(work: impl AsyncFnOnce(Access<Write<Clerk>>) -> T) -> T {
    testing::as_viewer_in(Clerk { id: 1 }, Context::new(instant(1)))
        .scope(async { work(Access::<Write<Clerk>>::authenticated().await.unwrap()).await })
        .await
}

const CONFLICT: &str = r#"{"status":409,"title":"Conflict","type":"about:blank"}"#;
const FORBIDDEN: &str = r#"{"status":403,"title":"Forbidden","type":"about:blank"}"#;

fn told<T>(outcome: Result<T>) -> String {
    match outcome {
        Ok(_) => "done".to_owned(),
        Err(error) => error.to_response().into_body(),
    }
}

#[tokio::test]
async fn w47_what_a_constraint_refuses_is_a_conflict_that_says_no_more() {
    let directory = auction().await;
    writing(async |access| {
        let writer = directory.db.writer(&access);
        let taken = Lot {
            code: "lot 2".into(),
            ..lot(3)
        };
        assert_eq!(told(writer.insert(taken).await), CONFLICT, "UNIQUE");
        let many = Lot {
            pieces: 100,
            ..lot(3)
        };
        assert_eq!(told(writer.insert(many).await), CONFLICT, "CHECK");
        let body = r#"{"code":"x","grossWeight":1.0}"#;
        let none = Untrusted::<NewLot>::json(body).open(&access).unwrap();
        let none = writer.create(none).execute().await;
        assert_eq!(told(none), CONFLICT, "NOT NULL");
        let astray = Bid { id: 2, lot_id: 9 };
        assert_eq!(told(writer.insert(astray).await), CONFLICT, "FOREIGN KEY");
        assert_eq!(told(writer.delete::<Lot>(1).await), CONFLICT, "RESTRICT");
        writer.delete::<Lot>(2).await.unwrap();
    })
    .await;
    if engine() == Engine::Postgres {
        let excluded = "ALTER TABLE lots ADD CONSTRAINT one EXCLUDE USING btree (weight WITH =)";
        directory.pool.execute(excluded).await;
        writing(async |access| {
            let writer = directory.db.writer(&access);
            assert_eq!(told(writer.insert(lot(3)).await), CONFLICT, "EXCLUDE");
        })
        .await;
    }
}

#[tokio::test]
async fn w47_what_the_database_denies_beneath_the_rules_is_not_allowed() {
    let directory = auction().await;
    let small = |id| SmallLot {
        id,
        code: format!("small {id}"),
        pieces: id,
        weight: 0.5,
    };
    match engine() {
        // It has neither: a trigger that raises is a constraint of the application's own.
        Engine::Sqlite => {
            let trigger = "CREATE TRIGGER no_lots BEFORE INSERT ON lots WHEN NEW.pieces > 9
                BEGIN SELECT RAISE(ABORT, 'a secret of the trigger'); END";
            directory.pool.execute(trigger).await;
            let many = Lot {
                pieces: 10,
                ..lot(3)
            };
            writing(async |access| {
                let writer = directory.db.writer(&access);
                assert_eq!(told(writer.insert(many).await), CONFLICT);
                writer.insert(lot(3)).await.unwrap();
            })
            .await;
            return;
        }
        Engine::Postgres | Engine::Mysql => {}
    }
    let view = "CREATE VIEW small_lots AS SELECT id, code, pieces, weight FROM lots
        WHERE pieces < 10 WITH CASCADED CHECK OPTION";
    directory.pool.execute(view).await;
    let check = async |db: &Db| {
        writing(async |access| {
            let writer = db.writer(&access);
            assert_eq!(told(writer.insert(small(10)).await), FORBIDDEN);
            writer.insert(small(9)).await.unwrap();
            let update = writer.update::<SmallLot>(9).set(SmallLot::PIECES, 10);
            assert_eq!(told(update.execute().await), FORBIDDEN);
        })
        .await;
    };
    check(&directory.db).await;
    if let TestPool::Postgres(pool) = &directory.pool {
        row_security(&directory, pool).await;
    }
}

/// Row security of PostgreSQL's own, for an account that is not above it.
async fn row_security(directory: &Directory, pool: &sqlx::PgPool) {
    let role = format!("clerk_{}", uuid::Uuid::new_v4().simple());
    let sql = format!(
        "CREATE ROLE {role};
         GRANT SELECT, INSERT, UPDATE ON lots TO {role};
         ALTER TABLE lots ENABLE ROW LEVEL SECURITY;
         CREATE POLICY few ON lots USING (true) WITH CHECK (pieces < 50);"
    );
    directory.pool.execute(&sql).await;
    let options = (*pool.connect_options()).clone();
    let set_role = format!("SET ROLE {role}");
    let beneath = sqlx::postgres::PgPoolOptions::new()
        .max_connections(1)
        .after_connect(move |connection, _| {
            let set_role = set_role.clone();
            Box::pin(async move { run(connection, set_role).await })
        })
        .connect_lazy_with(options);
    let db = Db::unguarded_pool(beneath.clone(), "the test makes its own tables");
    writing(async |access| {
        let writer = db.writer(&access);
        let many = Lot {
            pieces: 60,
            ..lot(20)
        };
        assert_eq!(told(writer.insert(many).await), FORBIDDEN);
        writer.insert(lot(20)).await.unwrap();
        let update = writer.update::<Lot>(20).set(Lot::PIECES, 60);
        assert_eq!(told(update.execute().await), FORBIDDEN);
        // A right that the account does not have at all.
        let deleted: Result<(), Error> = writer.delete::<Lot>(20).await;
        assert_eq!(told(deleted), FORBIDDEN);
    })
    .await;
    beneath.close().await;
    let sql = format!("DROP OWNED BY {role}; DROP ROLE {role};");
    directory.pool.execute(&sql).await;
}

#[expect(clippy::disallowed_methods, reason = "a test chooses its own role")]
async fn run(connection: &mut sqlx::PgConnection, sql: String) -> sqlx::Result<()> {
    let statement = sqlx::raw_sql(sqlx::AssertSqlSafe(sql));
    statement.execute(connection).await.map(|_| ())
}

#[tokio::test]
async fn w46_a_number_that_json_does_not_have_is_an_error_of_its_field() {
    let directory = auction().await;
    let new = |weight, spare| NewLot {
        code: "new".into(),
        pieces: 1.into(),
        weight,
        spare,
    };
    writing(async |access| {
        let writer = directory.db.writer(&access);
        for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            for (lot, key) in [
                (new(number, Assign::Absent), "grossWeight"),
                (new(1.0, Some(number).into()), "spare"),
            ] {
                let error = Untrusted::from(lot).open(&access).unwrap_err();
                assert!(error.is_unprocessable(), "{error}");
                assert_eq!(error.fields()[0].field(), key);
                assert_eq!(error.fields().len(), 1);
                assert!(!error.to_string().contains("NaN"), "{error}");
            }
            let patch = EditLot {
                weight: Assign::Absent,
                spare: Some(number).into(),
            };
            let error = Untrusted::from(patch).open(&access).unwrap_err();
            assert_eq!(error.fields()[0].field(), "spare");
        }
        // A null is no such number, and neither is the largest.
        let lot = Untrusted::from(new(f64::MAX, None.into()));
        let lot = lot.open(&access).unwrap();
        writer.create(lot).execute().await.unwrap();
        let patch = EditLot {
            weight: (-0.0).into(),
            spare: Some(f64::MIN_POSITIVE).into(),
        };
        let patch = Untrusted::from(patch).open(&access).unwrap();
        let update = writer.update::<Lot>(1).patch(patch);
        update.execute().await.unwrap();
    })
    .await;
}
