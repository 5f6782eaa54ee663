//! Related rows that change while a write rests on them.

use std::pin::pin;

use clearance::repository::Writes;
use clearance::{Access, Db, Dto, Entity, Result, System, Write, testing};
use futures_util::future::join;

use crate::engines::{Engine, Isolation, engine};
use crate::races::{Raced, is_refused, let_go, race, until_it_waits};
use crate::support::*;

#[derive(Debug, Entity)]
#[entity(
    table = "projects",
    viewer = Member,
    rows = open,
    reason = "writes are under test",
    update_if(viewer.id > 0)
)]
struct Project {
    #[entity(key)]
    id: i64,
    open: bool,
    version: i64,
}

/// A task is changed in an open project only.
#[derive(Debug, Entity)]
#[entity(
    table = "tasks",
    viewer = Member,
    rows = open,
    reason = "writes are under test",
    belongs_to(project: Project, by = project_id),
    update_if(exists(row.project, |project| project.open))
)]
struct Task {
    #[entity(key)]
    id: i64,
    project_id: i64,
    title: String,
}

/// The day watch goes off duty only while the night watch is on.
#[derive(Debug, Entity)]
#[entity(
    table = "days",
    viewer = Member,
    rows = open,
    reason = "writes are under test",
    belongs_to(night: Night, by = night_id),
    update_if(exists(row.night, |night| night.on_duty))
)]
struct Day {
    #[entity(key)]
    id: i64,
    night_id: i64,
    on_duty: bool,
}

/// And the other way round.
#[derive(Debug, Entity)]
#[entity(
    table = "nights",
    viewer = Member,
    rows = open,
    reason = "writes are under test",
    belongs_to(day: Day, by = day_id),
    update_if(exists(row.day, |day| day.on_duty))
)]
struct Night {
    #[entity(key)]
    id: i64,
    day_id: i64,
    on_duty: bool,
}

#[derive(Debug, PartialEq, Dto)]
#[dto(entity = Task, default = visible)]
struct TaskView {
    title: String,
}

#[derive(Debug, PartialEq, Dto)]
#[dto(entity = Day, default = visible)]
struct DayView {
    on_duty: bool,
}

#[derive(Debug, PartialEq, Dto)]
#[dto(entity = Night, default = visible)]
struct NightView {
    on_duty: bool,
}

const SCHEMA: &str = "
    CREATE TABLE projects (id INTEGER PRIMARY KEY, open BOOLEAN NOT NULL, version INTEGER NOT NULL);
    CREATE TABLE tasks (id INTEGER PRIMARY KEY, project_id INTEGER NOT NULL, title TEXT NOT NULL);
    CREATE TABLE days (id INTEGER PRIMARY KEY, night_id INTEGER NOT NULL, on_duty BOOLEAN NOT NULL);
    CREATE TABLE nights (id INTEGER PRIMARY KEY, day_id INTEGER NOT NULL, on_duty BOOLEAN NOT NULL);
    INSERT INTO projects VALUES (1, TRUE, 1);
    INSERT INTO tasks VALUES (1, 1, 'as it was');
    INSERT INTO days VALUES (1, 1, TRUE);
    INSERT INTO nights VALUES (1, 1, TRUE);
";

async fn close(db: &Db) -> Result<()> {
    let access = system();
    let update = db.writer(&access).update::<Project>(1);
    update.set(Project::OPEN, false).execute().await
}

async fn rename<P>(db: &Db, access: &Access<P>, title: &str) -> Result<()>
where
    P: Writes<Member>,
{
    let update = db.writer(access).update::<Task>(1);
    update.set(Task::TITLE, title).execute().await
}

async fn day_off(db: &Db, access: &Access<Write<Member>>) -> Result<()> {
    let update = db.writer(access).update::<Day>(1);
    update.set(Day::ON_DUTY, false).execute().await
}

async fn night_off(db: &Db, access: &Access<Write<Member>>) -> Result<()> {
    let update = db.writer(access).update::<Night>(1);
    update.set(Night::ON_DUTY, false).execute().await
}

async fn at(level: Isolation) -> Directory {
    let mut directory = empty_directory(SCHEMA).await;
    directory.pool = directory.pool.at(level);
    directory.db = directory.pool.db();
    directory
}

async fn title(directory: &Directory) -> String {
    let access: Access<System> = system();
    let query = TaskView::select().lookup(Task::ID, 1);
    directory.db.reader(&access).one(query).await.unwrap().title
}

/// The project is closed while the write waits for somebody else's.
async fn close_while_it_waits(level: Isolation, commits: bool) {
    let directory = at(level).await;
    let request = testing::as_viewer(editor());
    let access = request.scope(write()).await;
    let other = system();
    let holder = directory.db.begin(&other).await.unwrap();
    rename(&holder.db(), &other, "held").await.unwrap();

    // It is closed before the write has read it, or that has to wait until the write is done.
    let work = request.scope(rename(&directory.db, &access, "renamed"));
    let raced = race(
        &directory,
        "a write",
        work,
        close(&directory.db),
        let_go(holder, commits),
    );
    let Raced {
        outcome,
        other: closed,
        other_waited: closing_waited,
    } = raced.await;
    closed.unwrap();
    let title = title(&directory).await;
    match outcome {
        Ok(()) => {
            // PostgreSQL has the project as it was when the statement began.
            assert!(closing_waited || engine() == Engine::Postgres, "{level:?}");
            assert_eq!(title, "renamed");
        }
        Err(error) => {
            assert!(is_refused(level, &error), "{level:?}: {error}");
            assert_eq!(title, if commits { "held" } else { "as it was" });
        }
    }
}

#[tokio::test]
async fn w48_asvs_15_4_2_a_related_row_is_what_it_is_when_the_write_is_done() {
    for level in Isolation::ALL {
        for commits in [true, false] {
            close_while_it_waits(level, commits).await;
        }
    }
}

/// The way out on PostgreSQL, which serves on every engine.
async fn write_the_project_first(level: Isolation, closed_before: bool) {
    let directory = at(level).await;
    let request = testing::as_viewer(editor());
    let access = request.scope(write()).await;
    if closed_before {
        close(&directory.db).await.unwrap();
    }
    let transaction = request.scope(directory.db.begin(&access)).await.unwrap();
    let touch = async {
        let update = transaction.writer().update::<Project>(1);
        update.set(Project::VERSION, 2).execute().await
    };
    request.scope(touch).await.unwrap();
    let mut closing = pin!(close(&directory.db));
    let closed = until_it_waits(&directory, 1, &mut closing).await;
    assert!(closed.is_none(), "closing did not wait");
    let db = transaction.db();
    let outcome = request.scope(rename(&db, &access, "renamed")).await;
    if closed_before {
        assert!(outcome.unwrap_err().is_not_found());
        transaction.rollback().await.unwrap();
    } else {
        outcome.unwrap();
        transaction.commit().await.unwrap();
    }
    if let Err(error) = closing.await {
        // Whoever waited for a change is the one that gives way.
        assert!(is_refused(level, &error), "{level:?}: {error}");
    }
    let renamed = title(&directory).await == "renamed";
    assert_eq!(renamed, !closed_before);
}

#[tokio::test]
async fn w48_asvs_15_4_2_a_related_row_that_the_transaction_has_written_stays_as_it_is() {
    for level in Isolation::ALL {
        for closed_before in [true, false] {
            write_the_project_first(level, closed_before).await;
        }
    }
}

/// Each write reads what the other one changes.
async fn both_go_off_duty(level: Isolation) {
    let directory = at(level).await;
    let request = testing::as_viewer(editor());
    let access = request.scope(write()).await;
    let one = request.scope(directory.db.begin(&access)).await.unwrap();
    let two = request.scope(directory.db.begin(&access)).await.unwrap();
    let (first, second) = (one.db(), two.db());
    request.scope(day_off(&first, &access)).await.unwrap();
    let mut work = pin!(request.scope(night_off(&second, &access)));
    let (wrote, kept) = match until_it_waits(&directory, 1, &mut work).await {
        Some(wrote) => (wrote, one.commit().await),
        None => join(work, one.commit()).await,
    };
    kept.unwrap();
    let second = match wrote {
        Ok(()) => two.commit().await,
        Err(error) => Err(error),
    };
    let skews = engine() == Engine::Postgres && level < Isolation::Serializable;
    match second {
        Ok(()) => assert!(skews, "{level:?}: both are off duty"),
        Err(error) => assert!(is_refused(level, &error), "{level:?}: {error}"),
    }
    let access = system();
    let reader = directory.db.reader(&access);
    let day = reader.one(DayView::select()).await.unwrap();
    let night = reader.one(NightView::select()).await.unwrap();
    assert_eq!((day.on_duty, night.on_duty), (false, !skews), "{level:?}");
}

#[tokio::test]
async fn w48_asvs_15_4_2_two_writes_do_not_break_a_rule_by_each_other() {
    if engine() != Engine::Sqlite {
        for level in Isolation::ALL {
            both_go_off_duty(level).await;
        }
        return;
    }
    // Nobody else writes while a transaction is open.
    let directory = empty_directory(SCHEMA).await;
    let request = testing::as_viewer(editor());
    let access = request.scope(write()).await;
    let db = &directory.db;
    request.scope(day_off(db, &access)).await.unwrap();
    let night = request.scope(night_off(db, &access)).await;
    assert!(night.unwrap_err().is_not_found());
}
