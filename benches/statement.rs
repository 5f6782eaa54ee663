//! The text of a statement for a DTO of 30 fields: made once, and then remembered.
//!
//! What is measured is everything between a query and its text with values: the rules of the
//! request looked up, the query's structure written down, its text found, its values bound.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a benchmark that fails has nothing to report"
)]

mod support;

use std::hint::black_box;
use std::time::{Duration, Instant};

use clearance::repository::Select;
use clearance::{Access, Db, Dto, Entity, Field, Read, Roles, Viewer, testing};

use support::{Comparison, Judged, Report};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Roles)]
enum Role {
    Member,
    Admin,
}

#[derive(Debug, Clone, Viewer)]
struct Member {
    id: i64,
    role: Role,
    team: Option<String>,
}

#[derive(Entity)]
#[entity(table = "records", viewer = Member, read_if(!row.hidden || viewer.role >= Role::Admin))]
struct Record {
    #[entity(key)]
    id: i64,
    team: Option<String>,
    hidden: bool,
    field_0: i64,
    field_1: String,
    field_2: Option<String>,
    field_3: bool,
    field_4: i64,
    field_5: String,
    field_6: Option<String>,
    field_7: bool,
    field_8: i64,
    field_9: String,
    field_10: Option<String>,
    field_11: bool,
    field_12: i64,
    field_13: String,
    field_14: Option<String>,
    field_15: bool,
    field_16: i64,
    field_17: String,
    field_18: Option<String>,
    field_19: bool,
    field_20: i64,
    field_21: String,
    field_22: Option<String>,
    field_23: bool,
    salary: i64,
    national_id: String,
    phone: Option<String>,
    birthday: Option<String>,
    address: String,
}

#[derive(Dto)]
#[dto(entity = Record, default = visible)]
struct Sheet {
    id: i64,
    field_0: i64,
    field_1: String,
    field_2: Option<String>,
    field_3: bool,
    field_4: i64,
    field_5: String,
    field_6: Option<String>,
    field_7: bool,
    field_8: i64,
    field_9: String,
    field_10: Option<String>,
    field_11: bool,
    field_12: i64,
    field_13: String,
    field_14: Option<String>,
    field_15: bool,
    field_16: i64,
    field_17: String,
    field_18: Option<String>,
    field_19: bool,
    field_20: i64,
    field_21: String,
    field_22: Option<String>,
    field_23: bool,
    #[visible_if(viewer.role >= Role::Admin)]
    salary: Field<i64>,
    #[visible_if(viewer.role >= Role::Admin)]
    national_id: Field<String>,
    #[visible_if(viewer.role >= Role::Admin || same(viewer.team, row.team))]
    phone: Field<Option<String>>,
    #[visible_if(viewer.role >= Role::Admin || same(viewer.team, row.team))]
    birthday: Field<Option<String>>,
    #[visible_if(viewer.role >= Role::Admin || row.id == viewer.id)]
    address: Field<String>,
}

const OPERATIONS: u32 = 1_000;

async fn text(db: &Db, query: &Select<Sheet>) -> Duration {
    let access = Access::<Read<Member>>::authenticated().await.unwrap();
    let reader = db.reader(&access);
    let queries: Vec<_> = (0..OPERATIONS).map(|_| query.clone()).collect();
    let start = Instant::now();
    for query in queries {
        black_box(reader.__text(query).unwrap());
    }
    start.elapsed()
}

/// What somebody does who wrote the text down: copies it, and puts the values into a list.
fn by_hand(text: &str) -> Duration {
    let start = Instant::now();
    for _ in 0..OPERATIONS {
        let values = vec![String::from("Research"); 9];
        black_box((black_box(text).to_owned(), black_box(values)));
    }
    start.elapsed()
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let db = runtime.block_on(Db::connect("sqlite::memory:")).unwrap();
    let viewer = Member {
        id: 7,
        role: Role::Member,
        team: Some("Research".into()),
    };
    let request = testing::as_viewer(viewer);
    let mut report = Report::default();
    for (name, query) in [
        ("text of 30 fields, all rows", Sheet::select()),
        (
            "text of 30 fields, filtered and ordered",
            Sheet::select()
                .filter(
                    Sheet::FIELD_1
                        .starts_with("ada")
                        .and(Sheet::PHONE.is_not_null()),
                )
                .order(Sheet::FIELD_1.asc())
                .limit(20),
        ),
    ] {
        let sql = runtime
            .block_on(request.scope(async {
                let access = Access::<Read<Member>>::authenticated().await.unwrap();
                db.reader(&access).__text(query.clone())
            }))
            .unwrap()
            .unwrap();
        report.compare(
            Comparison {
                name,
                target: None,
                judged: Judged::Median,
                rounds: 200,
                operations: OPERATIONS,
            },
            || runtime.block_on(request.scope(text(&db, &query))),
            || by_hand(&sql),
        );
    }
    println!("{report}");
    runtime.block_on(db.close());
}
