//! Columns that hold one of a declared set: the order is the one of the declaration, and text
//! outside of it is nowhere told from a null.

use clearance::dto::Order;
use clearance::policy::Value;
use clearance::repository::Page;
use clearance::{Dto, Entity, Field, TextEnum};

use crate::support::*;

#[derive(Debug, Clone, Copy, PartialEq, Eq, TextEnum)]
enum State {
    Open,
    Blocked,
    Closed,
}

impl serde::Serialize for State {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.name().serialize(serializer)
    }
}

#[derive(Debug, Entity)]
#[entity(table = "tasks", viewer = Member, rows = open, reason = "columns are under test")]
struct Task {
    #[entity(key)]
    id: i64,
    state: Option<State>,
    role: Role,
}

#[derive(Debug, Dto)]
#[dto(entity = Task, default = visible)]
struct TaskView {
    id: i64,
    state: Option<State>,
    role: Role,
}

async fn tasks() -> Directory {
    empty_directory(
        "CREATE TABLE tasks (id INTEGER PRIMARY KEY, state KEYTEXT8 COLLATE NOCASE, role TEXT NOT NULL);
        INSERT INTO tasks (id, state, role) VALUES
            (1, 'closed', 'admin'), (2, NULL, 'viewer'), (3, 'a secret', 'editor'), (4, 'open', 'viewer'),
            (5, 'z secret', 'admin'), (6, 'blocked', 'editor'), (7, 'OPEN', 'viewer');",
    )
    .await
}

async fn ordered(directory: &Directory, order: Order<TaskView>) -> Vec<i64> {
    as_viewer(stranger(), async {
        let access = read().await;
        let reader = directory.db.reader(&access);
        let query = TaskView::select().order(order);
        let rows = reader.all(query.clone()).await.unwrap();
        let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
        // Pages of two are the same, whatever the cursor stands on.
        let mut paged = Vec::new();
        let mut page = Page::first(2);
        loop {
            let slice = reader.page(query.clone(), page).await.unwrap();
            paged.extend(slice.rows.iter().map(|row| row.id));
            match slice.next {
                Some(next) => page = Page::after(2, &next),
                None => break,
            }
        }
        assert_eq!(ids, paged);
        ids
    })
    .await
}

#[tokio::test]
async fn s3_n7_a_declared_set_is_ordered_as_it_is_declared() {
    let directory = tasks().await;
    let asc = ordered(&directory, TaskView::STATE.asc()).await;
    assert_eq!(asc, [4, 6, 1, 2, 3, 5, 7]);
    let desc = ordered(&directory, TaskView::STATE.desc()).await;
    assert_eq!(desc, [1, 6, 4, 2, 3, 5, 7]);
    let roles = ordered(&directory, TaskView::ROLE.desc()).await;
    assert_eq!(roles, [1, 5, 3, 6, 2, 4, 7]);
}

#[tokio::test]
async fn s7_n7_text_outside_a_declared_set_is_no_group_and_leaves_by_none() {
    let directory = tasks().await;
    as_viewer(stranger(), async {
        let access = read().await;
        let reader = directory.db.reader(&access);
        let text = |text: &str| Field::Visible(Value::Text(text.into()));
        let null = || Field::Visible(Value::Null);
        let states = reader.distinct(TaskView::select(), TaskView::STATE).await;
        assert_eq!(
            states.unwrap(),
            [text("open"), text("blocked"), text("closed"), null()]
        );
        let wanted = (TaskView::ID.count(), TaskView::STATE.count());
        let groups = reader
            .groups(TaskView::select(), TaskView::STATE, wanted)
            .await
            .unwrap();
        let groups: Vec<_> = groups
            .into_iter()
            .map(|group| (group.keys[0].clone(), group.values))
            .collect();
        assert_eq!(
            groups,
            [
                (text("open"), (1, 1)),
                (text("blocked"), (1, 1)),
                (text("closed"), (1, 1)),
                (null(), (4, 0)),
            ]
        );
        let unset = TaskView::select().filter(TaskView::STATE.is_null());
        assert_eq!(reader.count(unset).await.unwrap(), 4);
    })
    .await;
}

#[tokio::test]
async fn any_number_of_rows_can_be_asked_for() {
    let directory = tasks().await;
    as_viewer(stranger(), async {
        let access = read().await;
        let reader = directory.db.reader(&access);
        let query = TaskView::select().limit(u64::MAX);
        assert_eq!(reader.all(query.clone()).await.unwrap().len(), 7);
        let states = reader.distinct(query.clone(), TaskView::STATE).await;
        assert_eq!(states.unwrap().len(), 4);
        assert_eq!(reader.count(query).await.unwrap(), 7);
    })
    .await;
}

#[tokio::test]
async fn n8_a_test_of_text_asks_the_declared_set() {
    let directory = tasks().await;
    as_viewer(stranger(), async {
        let access = read().await;
        let reader = directory.db.reader(&access);
        let found = async |filter| {
            let query = TaskView::select().filter(filter).order(TaskView::ID.asc());
            let rows = reader.all(query).await.unwrap();
            rows.iter().map(|row| row.id).collect::<Vec<_>>()
        };
        assert_eq!(found(TaskView::STATE.contains("lo")).await, [1, 6]);
        assert_eq!(found(TaskView::STATE.starts_with("o")).await, [4]);
        assert_eq!(found(TaskView::STATE.ends_with("ed")).await, [1, 6]);
        // Text outside of it is none, so it does not lack the needle either.
        assert_eq!(found(!TaskView::STATE.contains("lo")).await, [4]);
        assert_eq!(
            found(TaskView::STATE.contains("secret")).await,
            Vec::<i64>::new()
        );
    })
    .await;
}
