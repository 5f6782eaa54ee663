//! Writes beside and between rows: W9, W14, W15, W17, W18, W22, VS-14.

use std::sync::atomic::{AtomicUsize, Ordering};

use clearance::input::Assign;
use clearance::{Access, Dto, Entity, Input, Patch, Result, Untrusted, Viewer, Write, testing};
use garde::Validate;

use crate::support::{Directory, Statements, empty_directory, system};

#[derive(Debug, Clone, Viewer)]
struct Maker {
    id: i64,
    chief: bool,
}

#[derive(Debug, Clone, Entity)]
#[entity(
    table = "projects",
    viewer = Maker,
    rows = open,
    reason = "writes are under test",
    create_if(row.owner == viewer.id),
    update_if(row.owner == viewer.id),
    delete_if(row.owner == viewer.id || viewer.chief)
)]
struct Project {
    #[entity(key)]
    id: i64,
    owner: i64,
    open: bool,
}

#[derive(Debug, Clone, Entity)]
#[entity(
    table = "tasks",
    viewer = Maker,
    rows = open,
    reason = "writes are under test",
    belongs_to(project: Project, by = project_id),
    create_if(viewer.id > 0),
    update_if(row.owner == viewer.id)
)]
struct Task {
    #[entity(key)]
    id: i64,
    owner: i64,
    title: String,
    project_id: Option<i64>,
}

#[derive(Debug, PartialEq, Dto)]
#[dto(entity = Task, default = visible)]
struct TaskView {
    id: i64,
    title: String,
    project_id: Option<i64>,
}

#[derive(Debug, PartialEq, Dto)]
#[dto(entity = Project, default = visible)]
struct ProjectView {
    id: i64,
    owner: i64,
    open: bool,
}

#[derive(Input, Validate)]
#[input(entity = Task)]
#[preset(owner = viewer.id)]
struct NewTask {
    #[writable]
    #[garde(custom(counted))]
    title: String,
    #[writable_if(row.project_id.is_none() || exists(row.project, |project| project.open))]
    #[writable_if(viewer.id != 13)]
    #[garde(skip)]
    project_id: Assign<Option<i64>>,
}

/// A task goes into a project of whoever puts it there, or out of every project.
#[derive(Patch)]
#[patch(entity = Task, reads = TaskView)]
struct MoveTask {
    #[writable]
    title: Assign<String>,
    #[writable_if(
        row.project_id.is_none() || exists(row.project, |project| project.owner == viewer.id)
    )]
    project_id: Assign<Option<i64>>,
}

static COUNTED: AtomicUsize = AtomicUsize::new(0);

/// Something of the application's own.
fn counted(title: &str, (): &()) -> garde::Result {
    if title == "counted" {
        COUNTED.fetch_add(1, Ordering::SeqCst);
    }
    Ok(())
}

const SCHEMA: &str = "
    CREATE TABLE projects (id INTEGER PRIMARY KEY, owner INTEGER NOT NULL, open BOOLEAN NOT NULL);
    CREATE TABLE tasks (
        id AUTOKEY, owner INTEGER NOT NULL, title KEYTEXT NOT NULL, project_id INTEGER
    );
";

/// Project 1 is by 7 and open, 2 is by 8 and open, 3 is by 7 and closed. Task 1 is by 7, in 1.
async fn workshop() -> Directory {
    let directory = empty_directory(SCHEMA).await;
    let access = system();
    let writer = directory.db.writer(&access);
    for (id, owner, open) in [(1, 7, true), (2, 8, true), (3, 7, false)] {
        writer.insert(Project { id, owner, open }).await.unwrap();
    }
    let task = Task {
        id: 1,
        owner: 7,
        title: "first".into(),
        project_id: Some(1),
    };
    writer.insert(task).await.unwrap();
    directory
}

fn maker(id: i64) -> Maker {
    Maker { id, chief: false }
}

async fn writing<T>(who: Maker, work: impl AsyncFnOnce(Access<Write<Maker>>) -> T) -> T {
    testing::as_viewer(who)
        .scope(async { work(Access::<Write<Maker>>::authenticated().await.unwrap()).await })
        .await
}

async fn add(directory: &Directory, who: Maker, body: &str) -> Result<TaskView> {
    let body = Untrusted::<NewTask>::json(body);
    writing(who, async |access| {
        let task = body.open(&access)?;
        directory.db.writer(&access).create(task).returning().await
    })
    .await
}

async fn put(directory: &Directory, who: Maker, body: &str) -> Result<TaskView> {
    let body = Untrusted::<MoveTask>::json(body);
    writing(who, async |access| {
        let patch = body.open(&access)?;
        let update = directory.db.writer(&access).update::<Task>(1);
        update.patch(patch).returning().await
    })
    .await
}

#[tokio::test]
async fn w9_w14_a_rule_that_only_related_rows_can_answer_stands_in_the_statement() {
    let directory = workshop().await;
    let task = add(&directory, maker(7), r#"{"title":"a","project_id":2}"#).await;
    assert_eq!(task.unwrap().project_id, Some(2));
    let (statements, _guard) = Statements::listen();
    let error = add(&directory, maker(7), r#"{"title":"b","project_id":3}"#).await;
    assert!(error.unwrap_err().is_forbidden());
    let inserts = statements.take();
    let inserts = inserts.iter().filter(|text| text.starts_with("INSERT"));
    assert_eq!(inserts.count(), 1, "it was the statement that refused");
    // One that is not there is none to ask a rule of.
    let error = add(&directory, maker(7), r#"{"title":"b","project_id":99}"#).await;
    assert!(error.unwrap_err().is_unprocessable());
    // A field that is absent asks no rule.
    assert_eq!(
        add(&directory, maker(7), r#"{"title":"c"}"#)
            .await
            .unwrap()
            .project_id,
        None
    );
}

#[tokio::test]
async fn w15_nothing_of_the_applications_own_runs_before_the_viewer_may_set_it() {
    let directory = workshop().await;
    let refused = r#"{"title":"counted","project_id":1}"#;
    let error = add(&directory, maker(13), refused).await.unwrap_err();
    assert!(error.is_forbidden(), "{error}");
    let nobody = testing::as_nobody()
        .scope(Access::<Write<Maker>>::authenticated())
        .await;
    assert!(nobody.unwrap_err().is_unauthenticated());
    assert_eq!(COUNTED.load(Ordering::SeqCst), 0);
    add(&directory, maker(13), r#"{"title":"counted"}"#)
        .await
        .unwrap();
    assert_eq!(COUNTED.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn w18_a_row_is_joined_and_parted_by_the_rule_of_the_column_that_joins_it() {
    let directory = workshop().await;
    // Somebody else's project; one that is not there.
    for (project, status) in [(2, 404), (99, 422)] {
        let body = format!(r#"{{"title":"moved","project_id":{project}}}"#);
        let error = put(&directory, maker(7), &body).await.unwrap_err();
        assert_eq!(error.status(), status, "{error}");
    }
    let task = put(&directory, maker(7), r#"{"project_id":3}"#)
        .await
        .unwrap();
    assert_eq!((task.title.as_str(), task.project_id), ("first", Some(3)));
    let task = put(&directory, maker(7), r#"{"project_id":null}"#)
        .await
        .unwrap();
    assert_eq!(task.project_id, None);
    // Seen from the project: its owner joins no task of somebody else.
    let error = put(&directory, maker(8), r#"{"project_id":2}"#)
        .await
        .unwrap_err();
    assert!(error.is_not_found(), "{error}");
}

#[tokio::test]
async fn w17_a_row_beside_another_one_is_written_by_its_own_rules_or_neither_is() {
    let directory = workshop().await;
    let close = async |who: Maker, project: i64| -> Result<()> {
        writing(who, async |access| {
            let transaction = directory.db.begin(&access).await?;
            let db = transaction.db();
            let writer = db.writer(&access);
            let close = writer.update::<Project>(project).set(Project::OPEN, false);
            close.execute().await?;
            let rename = writer.update::<Task>(1).set(Task::TITLE, "closed");
            rename.execute().await?;
            transaction.commit().await
        })
        .await
    };
    // The project is theirs, and the task is not.
    assert!(close(maker(8), 2).await.unwrap_err().is_not_found());
    let access = system();
    let reader = directory.db.reader(&access);
    let project = ProjectView::select().lookup(Project::ID, 2);
    assert!(reader.one(project).await.unwrap().open);
    close(maker(7), 1).await.unwrap();
}

#[tokio::test]
async fn w22_vs_14_each_operation_has_its_own_rule_in_its_own_statement() {
    let directory = workshop().await;
    let delete = async |who: Maker, project: i64| {
        writing(who, async |access| {
            directory
                .db
                .writer(&access)
                .delete::<Project>(project)
                .await
        })
        .await
    };
    let chief = Maker { id: 1, chief: true };
    // A chief may delete what others own, and neither change it nor make it.
    let error = writing(chief.clone(), async |access| {
        let update = directory.db.writer(&access).update::<Project>(1);
        update.set(Project::OPEN, false).execute().await
    });
    assert!(error.await.unwrap_err().is_not_found());
    let (statements, guard) = Statements::listen();
    assert!(delete(maker(8), 1).await.unwrap_err().is_not_found());
    assert!(statements.one().contains(r#""owner" = ?"#));
    drop(guard);
    delete(maker(7), 1).await.unwrap();
    delete(chief, 2).await.unwrap();
    assert!(delete(maker(7), 1).await.unwrap_err().is_not_found());
    let access = system();
    let left = directory
        .db
        .reader(&access)
        .all(ProjectView::select())
        .await;
    assert_eq!(left.unwrap().len(), 1);
}
