//! What a viewer may not see cannot be told from any answer: pairs of databases that differ only in
//! cells hidden from the viewer give answers that are the same byte for byte.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unreachable,
    clippy::wildcard_enum_match_arm,
    unreachable_pub,
    dead_code,
    reason = "a test fails by panicking, and shares its support with others"
)]

mod database;
#[path = "../support/engines.rs"]
mod engines;
mod model;
mod queries;
mod references;
#[path = "../support/seeds.rs"]
mod seeds;
mod writes;

use std::cell::RefCell;

use clearance::{Access, Public, Read, System, testing};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use engines::Database;
use model::{Cell, Member, Needle, Rows, is_hidden_in_person, is_hidden_in_task};
use queries::{PRODUCTIONS, Pick, answer};

const PAIRS: u32 = 2_000;
const ASKED: usize = 5;

/// What the run has shown.
#[derive(Default)]
struct Tally {
    pairs: usize,
    /// How often each production was asked of a pair.
    asked: [usize; PRODUCTIONS.len()],
    /// In how many pairs one who may see everything does see a difference.
    seen: usize,
}

#[test]
fn s1_s2_s3_s4_s5_s6_s7_s8_s9_s10_s11_s14_s17_t_3_hidden_cells_change_no_answer() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (one, other) =
        runtime.block_on(async { (database::tables().await, database::tables().await) });
    let pairs = seeds::cases("SIDE_CHANNELS_CASES", PAIRS);
    let tally = RefCell::new(Tally::default());
    let strategy = (
        model::rows(),
        proptest::option::weighted(0.9, model::viewer()),
        proptest::collection::vec((any::<bool>(), model::needle()), 90),
        proptest::collection::vec(queries::pick(), ASKED),
    );
    seeds::runner(pairs)
        .run(&strategy, |(rows, viewer, changes, picks)| {
            runtime.block_on(pair(&one, &other, &rows, viewer, &changes, picks, &tally))
        })
        .unwrap();

    let tally = tally.into_inner();
    let least = tally.asked.iter().min().unwrap();
    println!(
        "{:?}: {} pairs, {} questions, each production at least {least} times, {} differences seen by the permitted",
        engines::engine(),
        tally.pairs,
        tally.asked.iter().sum::<usize>(),
        tally.seen,
    );
    if pairs >= PAIRS {
        assert!(tally.pairs >= 1_900, "only {} pairs", tally.pairs);
        for (production, asked) in PRODUCTIONS.iter().zip(tally.asked) {
            assert!(asked >= 50, "`{production}` was asked {asked} times");
        }
    }
    assert!(
        tally.seen * 10 >= tally.pairs * 9,
        "{} of {} pairs show a difference to the permitted",
        tally.seen,
        tally.pairs
    );
}

/// The same rows with hidden cells changed, and the values that stood and stand there.
fn changed(rows: &Rows, viewer: &Member, changes: &[(bool, Needle)]) -> (Rows, Vec<Needle>) {
    let mut other = rows.clone();
    let mut values = Vec::new();
    let mut changes = changes.iter();
    for person in &mut other.people {
        for cell in Cell::OF_PERSON {
            let Some((change, to)) = changes.next() else {
                continue;
            };
            if *change && is_hidden_in_person(person, cell, viewer) {
                values.push(to.clone());
                values.push(Needle {
                    text: match cell {
                        Cell::Phone => person.phone.clone().unwrap_or_default(),
                        Cell::Note => person.note.clone().unwrap_or_default(),
                        Cell::Email => person.email.clone(),
                        _ => person.name.clone(),
                    },
                    number: person.salary,
                    instant: person.born.unwrap_or_default(),
                    is_null: false,
                });
                model::set_in_person(person, cell, to);
            }
        }
    }
    let people = &rows.people;
    for task in &mut other.tasks {
        for cell in Cell::OF_TASK {
            let Some((change, to)) = changes.next() else {
                continue;
            };
            if *change && is_hidden_in_task(task, cell, viewer, people) {
                values.push(to.clone());
                model::set_in_task(task, cell, to);
            }
        }
    }
    (other, values)
}

async fn pair(
    one: &Database,
    other: &Database,
    rows: &Rows,
    viewer: Option<Member>,
    changes: &[(bool, Needle)],
    mut picks: Vec<Pick>,
    tally: &RefCell<Tally>,
) -> Result<(), TestCaseError> {
    // Nobody is of no company, and so reads no person; what nobody may see of a task is what one
    // without a team or a task may.
    let as_seen = viewer.clone().unwrap_or(Member {
        id: -1,
        company: -1,
        team: None,
    });
    let (other_rows, values) = changed(rows, &as_seen, changes);
    if values.is_empty() {
        return Ok(());
    }
    database::fill(one, rows).await;
    database::fill(other, &other_rows).await;
    for (index, pick) in picks.iter_mut().enumerate() {
        if pick.from_change {
            pick.needle = values[index * 7 % values.len()].clone();
        }
    }
    let answers = match viewer {
        Some(viewer) => {
            let request = testing::as_viewer(viewer);
            request
                .scope(async {
                    let access = Access::<Read<Member>>::authenticated().await.unwrap();
                    both(one, other, &access, &picks).await
                })
                .await
        }
        None => {
            let request = testing::as_nobody();
            request
                .scope(async {
                    let access = Access::<Public>::public("a test").unwrap();
                    both(one, other, &access, &picks).await
                })
                .await
        }
    };
    for (pick, (from_one, from_other)) in picks.iter().zip(&answers) {
        prop_assert_eq!(from_one, from_other, "{}", PRODUCTIONS[pick.production]);
    }
    // One who may see everything sees that the databases differ.
    let access: Access<System> = Access::system("a test").unwrap();
    let everything = [0, PRODUCTIONS.len() - 1].map(|production| Pick {
        production,
        field: 0,
        needle: Needle {
            text: String::new(),
            ..picks[0].needle.clone()
        },
        ..picks[0].clone()
    });
    let seen = both(one, other, &access, &everything).await;
    let differs = seen.iter().any(|(one, other)| one != other);
    let mut tally = tally.borrow_mut();
    tally.pairs += 1;
    tally.seen += usize::from(differs);
    for pick in &picks {
        tally.asked[pick.production] += 1;
    }
    Ok(())
}

async fn both<P: clearance::repository::Reads<Member>>(
    one: &Database,
    other: &Database,
    access: &Access<P>,
    picks: &[Pick],
) -> Vec<(String, String)> {
    let mut answers = Vec::new();
    for pick in picks {
        let from_one = answer(&one.db, &other.db, access, pick).await;
        let from_other = answer(&other.db, &one.db, access, pick).await;
        answers.push((from_one, from_other));
    }
    answers
}
