//! Cells that an engine compares otherwise than their fields do: truth in several numbers, dates of zeros.

use chrono::{DateTime, Utc};
use clearance::{Dto, Entity, Field};

use crate::engines::{Engine, engine};
use crate::support::*;

#[derive(Debug, Clone, Entity)]
#[entity(table = "switches", viewer = Member, rows = open, reason = "comparisons are under test")]
struct Switch {
    #[entity(key)]
    id: i64,
    is_on: bool,
    wanted: bool,
    due: Option<DateTime<Utc>>,
    done: DateTime<Utc>,
    c1: i64,
    c2: i64,
    c3: i64,
    c4: i64,
    c5: i64,
    c6: i64,
    c7: i64,
    c8: i64,
    c9: i64,
}

/// Each field is visible where its condition holds.
#[derive(Debug, Clone, PartialEq, Dto)]
#[dto(entity = Switch, default = visible)]
struct Conditions {
    id: i64,
    is_on: bool,
    due: Option<DateTime<Utc>>,
    #[visible_if(row.is_on == row.wanted)]
    c1: Field<i64>,
    #[visible_if(row.is_on != row.wanted)]
    c2: Field<i64>,
    #[visible_if(!row.is_on)]
    c3: Field<i64>,
    #[visible_if(row.due < context.now)]
    c4: Field<i64>,
    #[visible_if(!(row.due >= context.now))]
    c5: Field<i64>,
    #[visible_if(row.due.is_none())]
    c6: Field<i64>,
    #[visible_if(row.due.is_some())]
    c7: Field<i64>,
    #[visible_if(row.due != row.done)]
    c8: Field<i64>,
    #[visible_if(row.due <= row.done)]
    c9: Field<i64>,
}

fn at(text: &str) -> Option<DateTime<Utc>> {
    Some(text.parse().unwrap())
}

/// Rows as the driver reads them, and what stands in their place.
fn rows() -> Vec<(Switch, String)> {
    let (known, later) = ("2020-01-01T00:00:00Z", "2020-01-01T00:00:01Z");
    let (instant, later_instant, zeros) = match engine() {
        Engine::Sqlite => ("1577836800000000", "1577836801000000", "NULL"),
        Engine::Postgres => ("'2020-01-01 00:00:00Z'", "'2020-01-01 00:00:01Z'", "NULL"),
        Engine::Mysql => (
            "'2020-01-01 00:00:00'",
            "'2020-01-01 00:00:01'",
            "'0000-00-00 00:00:00'",
        ),
    };
    let truth = match engine() {
        Engine::Sqlite | Engine::Mysql => [(false, "0"), (true, "1"), (true, "2"), (true, "-1")],
        Engine::Postgres => [
            (false, "FALSE"),
            (true, "TRUE"),
            (true, "TRUE"),
            (true, "TRUE"),
        ],
    };
    let instants = [(None, "NULL"), (None, zeros), (at(known), instant)];
    let dones = [
        (at(known).unwrap(), instant),
        (at(later).unwrap(), later_instant),
    ];
    let mut rows = Vec::new();
    for (is_on, stored_on) in truth {
        for (wanted, stored_wanted) in truth {
            for (due, stored_due) in instants {
                for (done, stored_done) in dones {
                    let id = i64::try_from(rows.len()).unwrap() + 1;
                    let switch = Switch {
                        id,
                        is_on,
                        wanted,
                        due,
                        done,
                        c1: 1,
                        c2: 2,
                        c3: 3,
                        c4: 4,
                        c5: 5,
                        c6: 6,
                        c7: 7,
                        c8: 8,
                        c9: 9,
                    };
                    let stored = format!(
                        "({id}, {}, {}, {stored_due}, {stored_done}, 1, 2, 3, 4, 5, 6, 7, 8, 9)",
                        stored_on, stored_wanted
                    );
                    rows.push((switch, stored));
                }
            }
        }
    }
    rows
}

async fn switches(rows: &[(Switch, String)]) -> Directory {
    let directory = empty_directory(
        "CREATE TABLE switches (id INTEGER PRIMARY KEY, is_on BOOLEAN NOT NULL, wanted BOOLEAN NOT NULL,
            due INSTANT, done INSTANT NOT NULL, c1 INTEGER NOT NULL, c2 INTEGER NOT NULL, c3 INTEGER NOT NULL,
            c4 INTEGER NOT NULL, c5 INTEGER NOT NULL, c6 INTEGER NOT NULL, c7 INTEGER NOT NULL,
            c8 INTEGER NOT NULL, c9 INTEGER NOT NULL)",
    )
    .await;
    let stored: Vec<_> = rows.iter().map(|(_, stored)| stored.as_str()).collect();
    // An application that is not strict may have written dates of zeros.
    let mode = match engine() {
        Engine::Sqlite | Engine::Postgres => "",
        Engine::Mysql => "SET SESSION sql_mode = '';",
    };
    let insert = format!("{mode} INSERT INTO switches VALUES {}", stored.join(", "));
    directory.pool.execute(&insert).await;
    directory
}

#[tokio::test]
async fn t_2_truth_in_several_numbers_and_dates_of_zeros_mean_the_same_in_sql() {
    let rows = rows();
    let directory = switches(&rows).await;
    as_viewer(editor(), async {
        let access = read().await;
        let reader = directory.db.reader(&access);
        let query = Conditions::select().order(Conditions::ID.asc());
        let found = reader.all(query).await.unwrap();
        let switches = rows.iter().map(|(switch, _)| switch.clone());
        let expected = access.project::<Conditions>(switches).await.unwrap();
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found, expected);
        }
        // The same as filters, against what the fields say.
        let count = async |filter| {
            let rows = reader.all(Conditions::select().filter(filter)).await;
            rows.unwrap().len()
        };
        let of = |holds: fn(&Conditions) -> bool| expected.iter().filter(|row| holds(row)).count();
        let now = Utc::now();
        assert_eq!(count(Conditions::IS_ON.eq(true)).await, of(|row| row.is_on));
        assert_eq!(
            count(Conditions::IS_ON.ne(true)).await,
            of(|row| !row.is_on)
        );
        assert_eq!(
            count(Conditions::DUE.is_null()).await,
            of(|row| row.due.is_none())
        );
        assert_eq!(
            count(Conditions::DUE.is_not_null()).await,
            of(|row| row.due.is_some())
        );
        assert_eq!(
            count(Conditions::DUE.lt(now)).await,
            of(|row| row.due.is_some())
        );
        assert_eq!(
            count(Conditions::DUE.ne(now)).await,
            of(|row| row.due.is_some())
        );
        assert_eq!(
            count(!Conditions::DUE.is_in([now])).await,
            of(|row| row.due.is_some())
        );
    })
    .await;
}
