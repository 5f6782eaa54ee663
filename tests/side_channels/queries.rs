//! Every kind of question that a caller can ask, each with an answer as text.

use clearance::dto::{Aggregate, Filter, Grouping, Order};
use clearance::repository::{Cursor, Page, Reads, Select};
use clearance::{Access, Db, Error, FieldName};
use futures_util::StreamExt as _;
use proptest::prelude::*;

use crate::model::{Cell, Member, Needle, Person, PersonRow, PersonView, TaskView, needle};

/// What a question is put together from.
#[derive(Debug, Clone)]
pub struct Pick {
    pub production: usize,
    pub field: usize,
    pub other_field: usize,
    pub test: usize,
    pub size: u64,
    pub flag: bool,
    pub needle: Needle,
    /// Whether the needle is taken from a cell that was changed.
    pub from_change: bool,
}

pub fn pick() -> impl Strategy<Value = Pick> {
    (
        0..PRODUCTIONS.len(),
        0..5_usize,
        0..5_usize,
        0..14_usize,
        1..4_u64,
        any::<bool>(),
        needle(),
        proptest::bool::weighted(0.7),
    )
        .prop_map(
            |(production, field, other_field, test, size, flag, needle, from_change)| Pick {
                production,
                field,
                other_field,
                test,
                size,
                flag,
                needle,
                from_change,
            },
        )
}

pub const PRODUCTIONS: [&str; 30] = [
    "all",
    "filter",
    "not filter",
    "and",
    "or of negations",
    "search",
    "filter_column",
    "not filter_column",
    "order",
    "order by two",
    "order and limit",
    "lookup",
    "forbidden_if_denied",
    "pages",
    "pages in two orders",
    "cursor of the other database",
    "count",
    "aggregates",
    "aggregates with a filter",
    "distinct",
    "groups",
    "groups having",
    "exists through a relation",
    "all through a relation",
    "is_empty through a relation",
    "order over a relation",
    "refuse_hidden",
    "constant_time",
    "stream",
    "tasks",
];

fn token(field: usize) -> FieldName<PersonView> {
    match field {
        0 => PersonView::NAME.untyped(),
        1 => PersonView::PHONE.untyped(),
        2 => PersonView::SALARY.untyped(),
        3 => PersonView::NOTE.untyped(),
        _ => PersonView::BORN.untyped(),
    }
}

fn filter(field: usize, pick: &Pick) -> Filter<PersonView> {
    let token = token(field);
    let Needle {
        text,
        number,
        instant,
        ..
    } = &pick.needle;
    match pick.test {
        0 => return token.is_null(),
        1 => return token.is_not_null(),
        2 if field < 2 || field == 3 => return token.contains(text.as_str()),
        3 if field < 2 || field == 3 => return token.starts_with(text.as_str()),
        4 if field < 2 || field == 3 => return token.ends_with(text.as_str()),
        _ => {}
    }
    macro_rules! compared {
        ($value:expr, $list:expr) => {
            match pick.test {
                5 => token.ne($value),
                6 => token.lt($value),
                7 => token.le($value),
                8 => token.gt($value),
                9 => token.ge($value),
                10 => token.is_in($list),
                11 => token.is_not_in($list),
                _ => token.eq($value),
            }
        };
    }
    match field {
        2 => compared!(*number, [*number, 3]),
        4 => compared!(*instant, [*instant]),
        _ => compared!(text.as_str(), [text.as_str(), "q"]),
    }
}

fn order(field: usize, flag: bool) -> Order<PersonView> {
    if flag {
        token(field).asc()
    } else {
        token(field).desc()
    }
}

/// What kind of query of [`PRODUCTIONS`] finds people by a condition.
pub const CONDITIONS: [&str; 12] = [
    "filter",
    "not filter",
    "and",
    "or of negations",
    "search",
    "filter_column",
    "not filter_column",
    "exists through a relation",
    "all through a relation",
    "is_empty through a relation",
    "refuse_hidden",
    "constant_time",
];

/// The query of this kind.
pub fn found(kind: &str, pick: &Pick) -> Select<PersonView> {
    let query = PersonView::select();
    let one = filter(pick.field, pick);
    let two = filter(pick.other_field, pick);
    let related = |tasks: Filter<PersonView>| if pick.flag { tasks } else { !tasks };
    match kind {
        "filter" => query.filter(one),
        "not filter" => query.filter(!one),
        "and" => query.filter(one.and(!two)),
        "or of negations" => query.filter((!one).or(two)),
        "search" => query.search(pick.needle.text.as_str()),
        "filter_column" => query.filter_column(Person::EMAIL.eq(pick.needle.text.as_str())),
        "not filter_column" => query.filter_column(!Person::EMAIL.eq(pick.needle.text.as_str())),
        "exists through a relation" => {
            query.filter(related(PersonView::TASKS.exists(task_filter(pick))))
        }
        "all through a relation" => query.filter(related(PersonView::TASKS.all(task_filter(pick)))),
        "is_empty through a relation" => query.filter(related(PersonView::TASKS.is_empty())),
        "refuse_hidden" => query.filter(one).refuse_hidden(),
        "constant_time" => query.filter(one).constant_time(),
        other => panic!("no condition `{other}`"),
    }
}

/// The field of a query that compares with what stands in the cell, if there is one.
pub fn field_of(cell: Cell) -> Option<usize> {
    match cell {
        Cell::Name | Cell::Title => Some(0),
        Cell::Phone | Cell::Secret => Some(1),
        Cell::Salary => Some(2),
        Cell::Note | Cell::Points => Some(3),
        Cell::Born => Some(4),
        Cell::Card | Cell::Email => None,
    }
}

pub fn task_filter(pick: &Pick) -> Filter<TaskView> {
    match pick.field {
        0 => TaskView::TITLE.contains(pick.needle.text.as_str()),
        1 => TaskView::SECRET.eq(pick.needle.text.as_str()),
        2 => TaskView::SECRET.is_null(),
        3 => TaskView::POINTS.ge(pick.needle.number),
        _ => !TaskView::POINTS.eq(pick.needle.number),
    }
}

fn told<T: serde::Serialize>(answer: Result<T, Error>) -> String {
    match answer {
        Ok(answer) => serde_json::to_string(&answer).unwrap(),
        Err(error) => format!("{} {error}", error.status()),
    }
}

fn shown<T: std::fmt::Debug>(answer: Result<T, Error>) -> String {
    match answer {
        Ok(answer) => format!("{answer:?}"),
        Err(error) => format!("{} {error}", error.status()),
    }
}

/// The answer of `db`, in bytes. `other` is the database that it is compared with.
pub async fn answer<P: Reads<Member>>(
    db: &Db,
    other: &Db,
    access: &Access<P>,
    pick: &Pick,
) -> String {
    let reader = db.reader(access);
    let by_id = || PersonView::select().order(PersonView::ID.asc());
    let one = filter(pick.field, pick);
    let Pick {
        size, flag, field, ..
    } = *pick;
    match PRODUCTIONS[pick.production] {
        "all" => told(reader.all(by_id()).await),
        kind if CONDITIONS.contains(&kind) => {
            let query = found(kind, pick).order(PersonView::ID.asc());
            told(reader.all(query).await)
        }
        "order" => told(
            reader
                .all(PersonView::select().order(order(field, flag)))
                .await,
        ),
        "order by two" => {
            let query = PersonView::select().order(order(field, flag));
            told(
                reader
                    .all(query.order(order(pick.other_field, !flag)))
                    .await,
            )
        }
        "order and limit" => {
            let query = PersonView::select().order(order(field, flag));
            told(reader.all(query.limit(size)).await)
        }
        "lookup" => {
            let query = PersonView::select().lookup(Person::ID, pick.needle.number);
            told(reader.one(query).await)
        }
        "forbidden_if_denied" => {
            let id = i64::try_from(size + 2).unwrap();
            let query = PersonView::select().lookup(Person::ID, id).filter(one);
            told(reader.one(query.forbidden_if_denied()).await)
        }
        "pages" => {
            let query = || PersonView::select().order(order(field, flag));
            pages(db, access, &query, size).await
        }
        "pages in two orders" => {
            let query = || {
                let query = PersonView::select().order(order(field, flag));
                query
                    .order(order(pick.other_field, flag))
                    .filter(PersonView::ID.gt(1))
            };
            pages(db, access, &query, size).await
        }
        "cursor of the other database" => {
            let query = || PersonView::select().order(order(field, flag));
            let first = other.reader(access).page(query(), Page::first(size)).await;
            match first.map(|slice| slice.next) {
                Ok(Some(cursor)) => told(
                    reader
                        .page(query(), Page::after(size, &cursor))
                        .await
                        .map(|slice| slice.rows),
                ),
                Ok(None) => "no second page".to_owned(),
                Err(error) => told::<()>(Err(error)),
            }
        }
        "count" => told(reader.count(PersonView::select().filter(one)).await),
        "aggregates" => {
            let sums = (
                PersonView::SALARY.sum(),
                PersonView::SALARY.avg(),
                PersonView::SALARY.count(),
            );
            let texts = (
                PersonView::PHONE.min(),
                PersonView::PHONE.max(),
                PersonView::PHONE.count_distinct(),
            );
            let others = (
                PersonView::BORN.min(),
                PersonView::NOTE.count(),
                Aggregate::<PersonView, _>::rows(),
            );
            format!(
                "{} {} {}",
                shown(reader.aggregate(PersonView::select(), sums).await),
                shown(reader.aggregate(PersonView::select(), texts).await),
                shown(reader.aggregate(PersonView::select(), others).await),
            )
        }
        "aggregates with a filter" => {
            let found = reader
                .aggregate(PersonView::select(), PersonView::SALARY.sum().filter(one))
                .await;
            shown(found)
        }
        "distinct" => shown(reader.distinct(PersonView::select(), token(field)).await),
        "groups" => {
            let grouping = Grouping::by([token(field)]);
            match reader
                .groups(PersonView::select(), grouping, PersonView::SALARY.max())
                .await
            {
                Ok(found) => format!("{found:?}"),
                Err(error) => told::<()>(Err(error)),
            }
        }
        "groups having" => {
            let having = Aggregate::<PersonView, _>::rows().ge(2);
            let grouping = Grouping::by([token(field)]).having(having);
            match reader
                .groups(PersonView::select(), grouping, PersonView::PHONE.count())
                .await
            {
                Ok(found) => format!("{found:?}"),
                Err(error) => told::<()>(Err(error)),
            }
        }
        "order over a relation" => {
            let value = match field {
                0 => PersonView::TASKS.count(),
                1 => PersonView::TASKS.min(TaskView::POINTS),
                2 => PersonView::TASKS.max(TaskView::SECRET),
                _ => PersonView::TASKS.max(TaskView::TITLE),
            };
            let order = if flag { value.asc() } else { value.desc() };
            told(
                reader
                    .all(PersonView::select().order(order).limit(size + 2))
                    .await,
            )
        }
        "stream" => match reader
            .stream(PersonRow::select().order(PersonRow::PHONE.asc()))
            .await
        {
            Ok(rows) => {
                let rows: Vec<_> = rows.collect().await;
                told(rows.into_iter().collect::<Result<Vec<_>, _>>())
            }
            Err(error) => told::<()>(Err(error)),
        },
        "tasks" => {
            let query = TaskView::select().filter(task_filter(pick));
            told(reader.all(query.order(TaskView::POINTS.desc())).await)
        }
        other => panic!("no production `{other}`"),
    }
}

/// The rows of every page, and where pages end.
async fn pages<P: Reads<Member>>(
    db: &Db,
    access: &Access<P>,
    query: &dyn Fn() -> Select<PersonView>,
    size: u64,
) -> String {
    let reader = db.reader(access);
    let mut told_pages = Vec::new();
    let mut cursor: Option<Cursor> = None;
    loop {
        let page = match &cursor {
            None => Page::first(size),
            Some(cursor) => Page::after(size, cursor),
        };
        match reader.page(query(), page).await {
            Ok(slice) => {
                told_pages.push(serde_json::to_string(&slice.rows).unwrap());
                match slice.next {
                    // A cursor is sealed anew each time; its length could tell something.
                    Some(next) => {
                        told_pages.push(format!("{} bytes", next.as_str().len()));
                        cursor = Some(next);
                    }
                    None => return told_pages.join("\n"),
                }
            }
            Err(error) => return told::<()>(Err(error)),
        }
    }
}
