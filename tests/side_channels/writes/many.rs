//! Updates of all that a query finds.

use clearance::{Access, Db, Result, Write};

use super::attempt::Attempt;
use super::clients::edit_of;
use super::{set_cell, set_task_cell, set_what_rules_read, shown, told};
use crate::model::{Cell, Member, Person, PersonView, TaskView};
use crate::queries::{CONDITIONS, found, task_filter};

pub async fn written(db: &Db, access: &Access<Write<Member>>, attempt: &Attempt) -> String {
    match attempt.production() {
        "many permitted" => people(db, access, attempt, false, false).await,
        "many or none" => people(db, access, attempt, true, false).await,
        "many permitted by a patch" => people(db, access, attempt, false, true).await,
        "many or none by a patch" => people(db, access, attempt, true, true).await,
        "many tasks" => tasks(db, access, attempt).await,
        other => panic!("no production `{other}`"),
    }
}

/// The kinds of conditions that can compare with what stands in the cell.
fn kinds(attempt: &Attempt) -> &'static [&'static str] {
    match attempt.cell {
        _ if !attempt.is_aimed() => &CONDITIONS,
        Cell::Name | Cell::Phone | Cell::Note => &[
            "filter",
            "not filter",
            "and",
            "or of negations",
            "search",
            "constant_time",
            "refuse_hidden",
        ],
        Cell::Salary | Cell::Born => &["filter", "not filter", "constant_time"],
        Cell::Card => &["search"],
        Cell::Email => &["filter_column", "not filter_column"],
        Cell::Title | Cell::Points | Cell::Secret => &[
            "exists through a relation",
            "all through a relation",
            "is_empty through a relation",
        ],
    }
}

/// How many people the viewer finds, and how many of them were touched.
///
/// What is hidden stands in the question, or it is what is replaced where the question is of all.
pub async fn people(
    db: &Db,
    access: &Access<Write<Member>>,
    attempt: &Attempt,
    or_none: bool,
    by_patch: bool,
) -> String {
    let Attempt { pick, flag, .. } = attempt;
    let kinds = kinds(attempt);
    let kind = kinds[pick.production % kinds.len()];
    let query = || {
        let query = if *flag {
            found(kind, pick)
        } else {
            PersonView::select()
        };
        match attempt.other_id {
            ..3 => query.lookup(Person::ID, attempt.id),
            _ => query,
        }
    };
    let (cell, needle) = match flag {
        true => (attempt.other_cell, &attempt.other_needle),
        false => (attempt.cell, &attempt.needle),
    };
    let count = db.reader(access).count(query()).await;
    let update = db.writer(access).update_many(query());
    let update = if by_patch {
        match edit_of(access, cell, needle) {
            Ok(patch) => update.patch(patch),
            Err(refused) => return told::<()>(Err(refused)),
        }
    } else {
        match pick.size {
            1 => set_what_rules_read!(update, attempt),
            _ => set_cell!(update, cell, needle),
        }
    };
    let touched = match or_none {
        true => update.execute_all().await,
        false => update.execute_permitted().await,
    };
    answer(count, touched, or_none)
}

async fn tasks(db: &Db, access: &Access<Write<Member>>, attempt: &Attempt) -> String {
    let query = || match attempt.flag {
        true => TaskView::select().filter(task_filter(&attempt.pick)),
        false => TaskView::select(),
    };
    let (cell, needle) = match attempt.flag {
        // Whoever may update a task sees its title, if it can be read.
        true => (Cell::Title, &attempt.other_needle),
        false => (attempt.cell, &attempt.needle),
    };
    let count = db.reader(access).count(query()).await;
    let update = db.writer(access).update_many(query());
    let update = set_task_cell!(update, cell, needle);
    let or_none = attempt.pick.flag;
    let touched = match or_none {
        true => update.execute_all().await,
        false => update.execute_permitted().await,
    };
    answer(count, touched, or_none)
}

/// What is touched is what the query finds for the viewer, or some of it.
fn answer(count: Result<u64>, touched: Result<u64>, or_none: bool) -> String {
    match (count, touched) {
        (Err(refused), Err(error)) if refused.is_invalid() && error.is_invalid() => {
            "hidden;".to_owned()
        }
        (count, touched) => {
            let count = count.unwrap();
            if let Ok(touched) = touched {
                assert!(
                    touched == count || (touched < count && !or_none),
                    "{touched} of {count}"
                );
            }
            format!("{count} rows; {}", shown(touched))
        }
    }
}
