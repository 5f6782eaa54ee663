//! How many texts the statements of a program come to, whatever a client asks for: a server keeps each one
//! prepared for each connection, and has room for so many.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use clearance::repository::Page;
use clearance::{Access, Dto, Entity, Read, Result, Viewer, Write, testing};
use proptest::prelude::*;

use crate::engines::{Database, database};
use crate::support::{Statements, system};

#[derive(Debug, Clone, Viewer)]
struct Keeper {
    id: i64,
    boxes: Vec<i64>,
    labels: Vec<String>,
}

#[derive(Debug, Clone, Entity)]
#[entity(
    table = "parcels",
    viewer = Keeper,
    read_if(viewer.boxes.contains(&row.lot) || !viewer.labels.contains(&row.label)),
    create_if(true),
    update_if(true),
    has_many(same_lot: Parcel, on(lot = lot)),
    has_many(alike: Parcel, on(lot = lot, label = label))
)]
struct Parcel {
    #[entity(key)]
    id: i64,
    lot: i64,
    #[entity(lookup(many))]
    label: String,
    note: Option<String>,
    weight: Option<i64>,
    sealed: Option<bool>,
    at: Option<DateTime<Utc>>,
    mark: Option<uuid::Uuid>,
    bytes: Option<Vec<u8>>,
}

#[derive(Debug, Dto)]
#[dto(entity = Parcel, default = visible)]
struct Line {
    id: i64,
    lot: i64,
    label: String,
    weight: Option<i64>,
    at: Option<DateTime<Utc>>,
}

#[derive(Debug, Dto)]
#[dto(entity = Parcel, default = visible)]
struct Around {
    id: i64,
    lot: i64,
    label: String,
    #[dto(related)]
    same_lot: Vec<Line>,
    #[dto(related)]
    alike: Vec<Line>,
}

const SCHEMA: &str = "
    CREATE TABLE parcels (
        id INTEGER PRIMARY KEY, lot INTEGER NOT NULL, label KEYTEXT NOT NULL, note TEXT,
        weight INTEGER, sealed BOOLEAN, at INSTANT, mark ID16, bytes BYTES
    );
    CREATE INDEX parcels_by_label ON parcels (label)";

/// Any length of a list that a client chooses, short ones as often as long ones.
fn length() -> impl Strategy<Value = usize> {
    prop_oneof![1_usize..=9, 1_usize..=70, 1_usize..=1_100]
}

/// A parcel of which the bits say what is not set.
fn parcel(id: i64, unset: u8) -> Parcel {
    let is_set = |bit: u8| unset & (1 << bit) == 0;
    Parcel {
        id,
        lot: id % 60,
        label: format!("label {}", id % 90),
        note: is_set(0).then(|| "a note".to_owned()),
        weight: is_set(1).then_some(id),
        sealed: is_set(2).then_some(id % 2 == 0),
        at: is_set(3).then(|| DateTime::from_timestamp(id, 0).unwrap()),
        mark: is_set(4).then(|| uuid::Uuid::from_u128(id.unsigned_abs().into())),
        bytes: is_set(5).then(|| vec![1, 2, 3]),
    }
}

fn numbers(length: usize) -> Vec<i64> {
    (0..).take(length).collect()
}

fn labels(length: usize) -> Vec<String> {
    numbers(length)
        .iter()
        .map(|number| format!("label {number}"))
        .collect()
}

fn keeper(length: usize) -> Keeper {
    Keeper {
        id: 1,
        boxes: numbers(length),
        labels: labels(length),
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// The texts that `call` comes to with each of many lengths, on one database.
fn texts(call: impl AsyncFn(&Database, usize, u8) -> Result<()>) -> BTreeSet<String> {
    let runtime = runtime();
    let database = runtime.block_on(database(SCHEMA));
    let (statements, guard) = Statements::listen();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 120,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let found = std::cell::RefCell::new(BTreeSet::new());
    runner
        .run(&(length(), any::<u8>()), |(length, bits)| {
            runtime.block_on(call(&database, length, bits)).unwrap();
            found.borrow_mut().extend(statements.take());
            Ok(())
        })
        .unwrap();
    drop(guard);
    found.into_inner()
}

/// The lengths of a list by which statements differ: each power of two, and all that are longer.
const SIZES: usize = 12;

#[test]
fn av_42_a_list_of_any_length_comes_to_a_few_texts() {
    let found = texts(async |database, length, bits| {
        let access = system();
        let reader = database.db.reader(&access);
        let filter = match bits % 6 {
            0 => Line::LOT.is_in(numbers(length)),
            1 => Line::LOT.is_not_in(numbers(length)),
            2 => Line::LABEL.is_in(labels(length)),
            3 => !Line::LABEL.is_in(labels(length)),
            4 => Line::AT.is_in(
                numbers(length)
                    .iter()
                    .map(|at| DateTime::from_timestamp(*at, 0).unwrap()),
            ),
            // What an engine cannot hold is left out of the list.
            _ => Line::LABEL.is_in(labels(length).into_iter().chain(["a\0b".to_owned()])),
        };
        let query = Line::select()
            .filter(filter)
            .order(Line::LABEL.desc())
            .order(Line::ID.asc());
        reader.all(query.clone()).await?;
        reader.count(query).await.map(|_| ())
    });
    // Five conditions, of rows and of their number.
    assert!(found.len() <= 2 * 5 * SIZES, "{}", found.len());
}

#[test]
fn av_42_a_list_of_the_viewers_comes_to_a_few_texts() {
    let found = texts(async |database, length, _| {
        let request = testing::as_viewer(keeper(length));
        request
            .scope(async {
                let access = Access::<Read<Keeper>>::authenticated().await?;
                let reader = database.db.reader(&access);
                reader.all(Line::select()).await?;
                let slice = reader.page(Line::select(), Page::first(2)).await?;
                if let Some(next) = slice.next {
                    reader.page(Line::select(), Page::after(2, &next)).await?;
                }
                Ok(())
            })
            .await
    });
    assert!(found.len() <= 3 * SIZES, "{}", found.len());
}

#[test]
fn av_42_conditions_of_any_number_come_to_a_few_texts() {
    let found = texts(async |database, length, bits| {
        let access = system();
        let reader = database.db.reader(&access);
        let conditions = labels(length.min(900))
            .into_iter()
            .map(|label| Line::LABEL.contains(label));
        let filter = if bits % 2 == 0 {
            conditions.reduce(|one, other| one.or(other))
        } else {
            conditions.reduce(|one, other| one.and(other))
        };
        reader
            .all(Line::select().filter(filter.unwrap()))
            .await
            .map(|_| ())
    });
    // Up to eight there is a text for each number.
    assert!(found.len() <= 2 * (8 + SIZES), "{}", found.len());
}

#[test]
fn av_42_rows_of_any_number_are_inserted_by_a_few_texts() {
    let next = std::cell::Cell::new(0);
    let found = texts(async |database, length, bits| {
        let access = system();
        let first = next.replace(next.get() + 2_000);
        let rows = numbers(length).into_iter().map(|number| {
            parcel(
                first + number,
                bits.rotate_left(u32::try_from(number % 8).unwrap()),
            )
        });
        database.db.writer(&access).insert_many(rows).await?;
        let new = Line::ID.ge(first).and(Line::ID.lt(first + 2_000));
        let found = database
            .db
            .reader(&access)
            .count(Line::select().filter(new))
            .await?;
        assert_eq!(found, u64::try_from(length).unwrap());
        Ok(())
    });
    let inserts = found
        .iter()
        .filter(|text| text.starts_with("INSERT"))
        .count();
    // Nine for each decimal digit.
    assert!(inserts <= 4 * 9, "{inserts}");
}

#[test]
fn av_42_a_row_that_leaves_columns_unset_is_written_by_the_text_of_one_that_sets_them() {
    let found = texts(async |database, length, bits| {
        let request = testing::as_viewer(keeper(1));
        request
            .scope(async {
                let access = Access::<Write<Keeper>>::authenticated().await?;
                let writer = database.db.writer(&access);
                let id = i64::try_from(length).unwrap() * 256 + i64::from(bits);
                let row = parcel(id, bits);
                match writer.insert(row.clone()).await {
                    Ok(()) => {}
                    Err(error) if error.is_conflict() => {}
                    Err(error) => return Err(error),
                }
                let update = writer
                    .update::<Parcel>(id)
                    .set(Parcel::NOTE, row.note)
                    .set(Parcel::WEIGHT, row.weight)
                    .set(Parcel::SEALED, row.sealed)
                    .set(Parcel::AT, row.at)
                    .set(Parcel::MARK, row.mark)
                    .set(Parcel::BYTES, row.bytes);
                update.execute().await
            })
            .await
    });
    let of = |verb: &str| found.iter().filter(|text| text.starts_with(verb)).count();
    assert_eq!((of("INSERT"), of("UPDATE")), (1, 1), "{found:#?}");
}

#[test]
fn av_42_related_rows_and_changes_of_many_rows_come_to_a_few_texts() {
    let filled = std::cell::Cell::new(false);
    let found = texts(async |database, length, _| {
        let access = system();
        let writer = database.db.writer(&access);
        if !filled.replace(true) {
            writer
                .insert_many((0..1_100).map(|id| parcel(id, 0)))
                .await?;
        }
        let few = || Line::select().filter(Line::ID.lt(i64::try_from(length).unwrap()));
        let around =
            Around::select().filter(Around::ID.lt(i64::try_from(length.min(120)).unwrap()));
        let around = writer.all(around).await?;
        assert!(
            around
                .iter()
                .all(|row| row.alike.iter().any(|alike| alike.id == row.id))
        );
        let update = writer.update_many(few()).set(Parcel::WEIGHT, Some(1));
        assert_eq!(update.execute_all().await?, u64::try_from(length).unwrap());
        let listed = Line::select().filter(Line::LABEL.is_in(labels(length)));
        let update = writer.update_many(listed).set(Parcel::WEIGHT, None);
        update.execute_permitted().await.map(|_| ())
    });
    let count = |part: &str| found.iter().filter(|text| text.contains(part)).count();
    assert!(count("UPDATE") <= 2 * SIZES, "{}", count("UPDATE"));
    assert!(
        count("joined_by_lot") <= 2 * SIZES,
        "{}",
        count("joined_by_lot")
    );
}

/// What a row has under an order is a value, a null or a cell that is too long for a cursor.
#[test]
fn av_42_pages_of_any_size_come_to_a_few_texts() {
    let filled = std::cell::Cell::new(false);
    let found = texts(async |database, length, bits| {
        let access = system();
        let writer = database.db.writer(&access);
        if !filled.replace(true) {
            let rows = (0..300).map(|id| parcel(id, if id % 3 == 0 { 0xff } else { 0 }));
            writer.insert_many(rows).await?;
        }
        let rows = u64::try_from(length).unwrap();
        let query = match bits % 2 {
            0 => Line::select().order(Line::WEIGHT.asc()),
            _ => Line::select().order(Line::WEIGHT.desc()),
        };
        let slice = writer.page(query.clone(), Page::first(rows)).await?;
        if let Some(next) = slice.next {
            writer.page(query, Page::after(rows, &next)).await?;
        }
        Ok(())
    });
    // The numbers of rows that stand in texts of PostgreSQL are each power of two, and up to it.
    let pages = found.iter().filter(|text| text.starts_with("SELECT"));
    assert!(pages.count() <= 2 * 3 * 2 * SIZES);
}

/// A list that is one value is looked for by the index of the column, whose collation is not that of bytes.
#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    reason = "a test asks the engine for its plan"
)]
async fn av_42_the_index_of_a_text_serves_a_list_that_is_one_value() {
    use crate::engines::{Engine, TestPool, engine};

    let collation = match engine() {
        Engine::Sqlite => "COLLATE NOCASE",
        Engine::Postgres => "COLLATE \"en-x-icu\"",
        Engine::Mysql => return,
    };
    let schema = SCHEMA.replace("label KEYTEXT", &format!("label KEYTEXT8 {collation}"));
    let database = database(&schema).await;
    let access = system();
    let rows = (0..5_000).map(|id| Parcel {
        label: format!("label {id}"),
        ..parcel(id, 0)
    });
    database.db.writer(&access).insert_many(rows).await.unwrap();
    database.pool.execute("ANALYZE").await;
    let query = || Line::select().filter(Line::LABEL.is_in(labels(300)));
    let text = testing::as_viewer(keeper(1))
        .scope(async {
            let access = Access::<Write<Keeper>>::authenticated().await.unwrap();
            database
                .db
                .reader(&access)
                .__text(query())
                .unwrap()
                .unwrap()
        })
        .await;
    let found = database.db.reader(&access).all(query()).await.unwrap();
    assert_eq!(found.len(), 300);
    let json = serde_json::to_string(&labels(300)).unwrap();
    let plan: Vec<String> = match &database.pool {
        TestPool::Sqlite(pool) => {
            let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {text}"));
            let lines: Vec<(i64, i64, i64, String)> =
                sqlx::query_as(explain).fetch_all(pool).await.unwrap();
            lines.into_iter().map(|(.., line)| line).collect()
        }
        TestPool::Postgres(pool) => {
            let explain = sqlx::AssertSqlSafe(format!("EXPLAIN {text}"));
            let mut connection = pool.acquire().await.unwrap();
            // Of few rows it would read all.
            let dear = sqlx::raw_sql("SET enable_seqscan = off");
            let _ = dear.execute(&mut *connection).await.unwrap();
            // What comes first is the viewer's own lot, and their label.
            let lines = sqlx::query_scalar(explain).bind(0_i64).bind("label 0");
            let lines = lines.bind(&json).bind(&json);
            lines.fetch_all(&mut *connection).await.unwrap()
        }
        TestPool::Mysql(_) => unreachable!("left out above"),
    };
    assert!(
        plan.iter().any(|line| line.contains("parcels_by_label")),
        "{plan:#?}"
    );
}
