//! Every type of column, written and read back, and what no column should hold.

use chrono::{DateTime, Utc};
use clearance::{Access, Dto, Entity, System, TextEnum, Viewer};
use uuid::Uuid;

use crate::engines::{Engine, database, engine};

#[derive(Debug, Clone, Viewer)]
struct Nobody {
    id: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, TextEnum)]
enum Mood {
    Fine,
    SoSo,
}

impl serde::Serialize for Mood {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.name().serialize(serializer)
    }
}

#[derive(Debug, Clone, PartialEq, Entity)]
#[entity(table = "things", viewer = Nobody, rows = open, reason = "a test of types", create_if(true))]
struct Thing {
    #[entity(key)]
    id: Uuid,
    small: i16,
    medium: i32,
    large: i64,
    ratio: f64,
    text: String,
    bytes: Vec<u8>,
    at: DateTime<Utc>,
    sure: bool,
    mood: Option<Mood>,
    unset: Option<DateTime<Utc>>,
}

#[derive(Debug, PartialEq, Dto)]
#[dto(entity = Thing, default = visible)]
struct ThingView {
    id: Uuid,
    small: i16,
    medium: i32,
    large: i64,
    ratio: f64,
    text: String,
    bytes: Vec<u8>,
    at: DateTime<Utc>,
    sure: bool,
    mood: Option<Mood>,
    unset: Option<DateTime<Utc>>,
}

fn schema() -> &'static str {
    match engine() {
        Engine::Sqlite => {
            "CREATE TABLE things (
                id BLOB PRIMARY KEY, small INTEGER NOT NULL, medium INTEGER NOT NULL, large INTEGER NOT NULL,
                ratio REAL NOT NULL, text TEXT NOT NULL, bytes BLOB NOT NULL, at INTEGER NOT NULL,
                sure BOOLEAN NOT NULL, mood TEXT, unset INTEGER)"
        }
        Engine::Postgres => {
            "CREATE TABLE things (
                id UUID PRIMARY KEY, small SMALLINT NOT NULL, medium INT4 NOT NULL, large BIGINT NOT NULL,
                ratio REAL NOT NULL, text VARCHAR(80) NOT NULL, bytes BYTEA NOT NULL, at TIMESTAMPTZ NOT NULL,
                sure BOOLEAN NOT NULL, mood TEXT, unset TIMESTAMPTZ)"
        }
        Engine::Mysql => {
            "CREATE TABLE things (
                id BINARY(16) PRIMARY KEY, small SMALLINT NOT NULL, medium INT UNSIGNED NOT NULL,
                large BIGINT NOT NULL, ratio FLOAT NOT NULL, text VARCHAR(80) NOT NULL, bytes VARBINARY(80) NOT NULL,
                at TIMESTAMP(6) NOT NULL, sure BOOLEAN NOT NULL, mood VARCHAR(20), unset DATETIME(6))"
        }
    }
}

fn system() -> Access<System> {
    Access::system("a test of types").unwrap()
}

fn things() -> Vec<Thing> {
    let thing = |id: u128, large: i64| Thing {
        id: Uuid::from_u128(id),
        small: i16::MIN,
        medium: i32::MAX,
        large,
        ratio: 0.5,
        text: "a 'quoted' \"text\" ` ä 🦀 \\ %".to_owned(),
        bytes: vec![0, 1, 255, 39, 92],
        at: DateTime::from_timestamp_micros(1_767_225_600_000_001).unwrap(),
        sure: id.is_multiple_of(2),
        mood: (id == 2).then_some(Mood::SoSo),
        unset: None,
    };
    vec![thing(1, i64::MIN), thing(2, i64::MAX), thing(u128::MAX, 0)]
}

#[tokio::test]
async fn n11_n13_every_type_comes_back_as_it_was_written() {
    let database = database(schema()).await;
    let access = system();
    let writer = database.db.writer(&access);
    for thing in things() {
        writer.insert(thing).await.unwrap();
    }
    let query = ThingView::select().order(ThingView::ID.asc());
    let found = writer.all(query).await.unwrap();
    assert_eq!(found.len(), 3);
    for (found, thing) in found.into_iter().zip(things()) {
        let expected = access
            .project::<ThingView>([thing])
            .await
            .unwrap()
            .remove(0);
        assert_eq!(found, expected);
    }
}

#[tokio::test]
async fn n11_a_comparison_beyond_the_column_is_no_error() {
    let database = database(schema()).await;
    let access = system();
    let writer = database.db.writer(&access);
    for thing in things() {
        writer.insert(thing).await.unwrap();
    }
    let count = async |filter| {
        let rows = writer.all(ThingView::select().filter(filter)).await;
        rows.unwrap().len()
    };
    assert_eq!(count(ThingView::SMALL.eq(i64::MAX)).await, 0);
    assert_eq!(count(ThingView::SMALL.lt(i64::MAX)).await, 3);
    assert_eq!(count(ThingView::MEDIUM.gt(i64::MIN)).await, 3);
    assert_eq!(count(ThingView::LARGE.ge(i64::MAX)).await, 1);
    assert_eq!(count(ThingView::AT.gt(DateTime::<Utc>::MIN_UTC)).await, 3);
    assert_eq!(count(ThingView::AT.ne(DateTime::<Utc>::MIN_UTC)).await, 3);
    assert_eq!(count(ThingView::AT.ge(DateTime::<Utc>::MAX_UTC)).await, 0);
    assert_eq!(count(ThingView::AT.le(DateTime::<Utc>::MAX_UTC)).await, 3);
    assert_eq!(count(ThingView::TEXT.gt("a\0")).await, 3);
    assert_eq!(count(ThingView::TEXT.eq("a\0")).await, 0);
    let ids = things().into_iter().map(|thing| thing.id);
    assert_eq!(count(ThingView::ID.is_in(ids.collect::<Vec<_>>())).await, 3);
}

#[tokio::test]
async fn av_10_a_value_that_its_type_does_not_have_leaves_its_row_out_and_is_no_panic() {
    let database = database(schema()).await;
    let access = system();
    let writer = database.db.writer(&access);
    writer.insert(things().remove(0)).await.unwrap();
    let odd = match engine() {
        Engine::Sqlite => "UPDATE things SET unset = 9223372036854775807",
        Engine::Postgres => "UPDATE things SET unset = 'infinity'",
        Engine::Mysql => {
            "SET SESSION sql_mode = ''; UPDATE things SET unset = '0000-00-00 00:00:00'"
        }
    };
    database.pool.execute(odd).await;
    let rows = writer.all(ThingView::select()).await.unwrap();
    let one = writer.one(ThingView::select()).await;
    match engine() {
        Engine::Sqlite | Engine::Postgres => {
            assert!(rows.is_empty());
            assert_eq!(one.unwrap_err().status(), 500);
        }
        // The driver of MySQL reads a date of zeros as none.
        Engine::Mysql => assert_eq!(one.unwrap().unset, None),
    }
}
