//! What is tried, and what it is aimed at.

use proptest::prelude::*;

use super::PRODUCTIONS;
use crate::model::{
    Cell, Member, Needle, Rows, differ, held_in_person, held_in_task, is_beyond_reach,
    is_task_in_reach, needle,
};
use crate::queries::{self, Pick};

/// What a write is put together from.
#[derive(Debug, Clone)]
pub struct Attempt {
    pub production: usize,
    pub id: i64,
    pub cell: Cell,
    pub needle: Needle,
    /// What a second write of the same attempt is of.
    pub other_id: i64,
    pub other_cell: Cell,
    pub other_needle: Needle,
    pub flag: bool,
    /// What an update by version expects.
    pub version: i64,
    pub pick: Pick,
    /// Which of the cells that differ the attempt is aimed at, with what stands there in one
    /// database or the other.
    aim: Option<(usize, bool)>,
}

pub fn attempt() -> impl Strategy<Value = Attempt> {
    let cell = || proptest::sample::select(Cell::OF_PERSON.to_vec());
    (
        0..PRODUCTIONS.len(),
        (1..9_i64, cell(), needle()),
        (1..9_i64, cell(), needle()),
        any::<bool>(),
        1..4_i64,
        queries::pick(),
        proptest::option::weighted(0.6, (any::<usize>(), any::<bool>())),
    )
        .prop_map(
            |(
                production,
                (id, cell, needle),
                (other_id, other_cell, other_needle),
                flag,
                version,
                pick,
                aim,
            )| {
                Attempt {
                    production,
                    id,
                    cell,
                    needle,
                    other_id,
                    other_cell,
                    other_needle,
                    flag,
                    version,
                    pick,
                    aim,
                }
            },
        )
}

impl Attempt {
    pub fn production(&self) -> &'static str {
        PRODUCTIONS[self.production]
    }

    /// The key of the row that is updated or created.
    pub fn new_id(&self) -> i64 {
        if self.id > 100 {
            self.id
        } else {
            100 + self.other_id
        }
    }

    /// Whether its cell is one that differs.
    pub fn is_aimed(&self) -> bool {
        self.aim.is_some()
    }

    /// Whether the row that it changes by `id` is a task.
    fn is_of_task(&self) -> bool {
        let production = self.production();
        production.contains("task") && !production.contains("insert")
    }

    /// Points it at one of the differences, or at a row of the viewer's own.
    pub fn point(&mut self, differences: &[Difference], sides: [&Rows; 2], viewer: &Member) {
        let mut side = 0;
        if let Some((index, in_other)) = self.aim {
            // What is hidden on rows that may be updated is the rarer and the more telling.
            let production = self.production();
            let newer = production.starts_with("client") || production.starts_with("many");
            let often = self.flag || (newer && !index.is_multiple_of(4));
            let in_reach = differences
                .iter()
                .filter(|it| often && it.in_reach && it.of_task == self.is_of_task());
            let in_reach: Vec<&Difference> = in_reach.collect();
            let difference = match in_reach.len() {
                0 => &differences[index % differences.len()],
                some => in_reach[index % some],
            };
            side = usize::from(in_other);
            self.id = difference.id;
            self.cell = difference.cell;
            self.needle = difference.held[side].clone();
            self.pick.needle = self.needle.clone();
        } else {
            // What stands somewhere, so that a query finds something where it is visible.
            let people = &sides[0].people;
            let somebody = &people[self.pick.production % people.len()];
            self.pick.needle = held_in_person(somebody, self.cell);
            // A row that the viewer may write to, most of the time.
            if self.flag && self.is_of_task() {
                let mut tasks = sides[0].tasks.iter();
                let task = tasks.find(|task| is_task_in_reach(task, viewer, people));
                self.id = task.map_or(self.id, |task| task.id);
            } else if self.flag {
                self.id = viewer.id;
            }
        }
        self.pick.field = queries::field_of(self.cell).unwrap_or(self.pick.field);
        let mut people = sides[side].people.iter();
        if self.pick.flag
            && let Some(person) = people.find(|person| person.id == self.id)
        {
            self.version = person.version;
        }
    }
}

/// A cell that differs, and what stands there in each database.
pub struct Difference {
    id: i64,
    cell: Cell,
    held: [Needle; 2],
    of_task: bool,
    /// Whether the viewer may update the row.
    in_reach: bool,
}

pub fn differences(one: &Rows, other: &Rows, viewer: &Member) -> Vec<Difference> {
    let mut all = Vec::new();
    let people = one.people.iter().zip(&other.people);
    for (person, other) in people {
        all.extend(Cell::OF_PERSON.map(|cell| Difference {
            id: person.id,
            cell,
            held: [held_in_person(person, cell), held_in_person(other, cell)],
            of_task: false,
            in_reach: !is_beyond_reach(person, viewer),
        }));
    }
    for (task, other) in one.tasks.iter().zip(&other.tasks) {
        all.extend(Cell::OF_TASK.map(|cell| Difference {
            id: task.id,
            cell,
            held: [held_in_task(task, cell), held_in_task(other, cell)],
            of_task: true,
            in_reach: is_task_in_reach(task, viewer, &one.people),
        }));
    }
    all.retain(|it| differ(it.cell, &it.held[0], &it.held[1]));
    all
}
