//! Which rule decided on a write, and on which of its parts: X6, P10, P11.

use clearance::input::Assign;
use clearance::policy::{Failure, Step, Truth};
use clearance::repository::WriteExplanation;
use clearance::{Access, Dto, Entity, Input, Patch, Result, Untrusted, Viewer, Write, testing};

use crate::desk::*;
use crate::support::{Directory, Events, Statements, empty_directory, system};

async fn explained_edit(who: Agent, id: i64, body: &str) -> WriteExplanation {
    let directory = desk().await;
    let body = Untrusted::<EditTicket>::json(body);
    writing(who, async |access| {
        let update = directory.db.writer(&access).update::<Ticket>(id);
        let update = update.patch(body.open(&access).unwrap());
        update.explain().await.unwrap()
    })
    .await
}

fn deciding(explanation: &WriteExplanation) -> Vec<&str> {
    let rules = explanation.deciding();
    rules.map(|rule| rule.source().text).collect()
}

fn parts(step: &Step) -> Vec<(&str, Result<Truth, Failure>)> {
    let parts = step.parts().iter();
    parts.map(|part| (part.text(), part.outcome())).collect()
}

#[tokio::test]
async fn x6_p10_w22_an_update_names_the_rule_that_decided_with_its_inputs_and_outcome() {
    let explanation = explained_edit(agent(), 3, r#"{"title":"renamed"}"#).await;
    assert!(explanation.found());
    assert_eq!(explanation.outcome(), Ok(Truth::False));
    assert_eq!(explanation.row().outcome(), Ok(Truth::False));
    assert_eq!(
        deciding(&explanation),
        ["row.opener == viewer.id || viewer.lead"]
    );
    let rule = explanation.deciding().next().unwrap();
    assert!(rule.source().place().starts_with("tests/writes/desk.rs:"));
    assert_eq!(
        parts(rule.root()),
        [
            ("row.opener == viewer.id", Ok(Truth::False)),
            ("viewer.lead", Ok(Truth::False)),
        ]
    );
    // Everything else would allow it.
    assert_eq!(
        explanation.field("title").unwrap().outcome(),
        Ok(Truth::True)
    );
    assert_eq!(
        explanation.shown("title").unwrap().outcome(),
        Ok(Truth::True)
    );
    assert_eq!(explanation.read().unwrap().outcome(), Ok(Truth::True));
    assert!(explanation.field("note").is_none());
}

#[tokio::test]
async fn x6_p10_w12_a_field_of_a_patch_names_its_own_rule_over_what_was_and_will_be() {
    let explanation = explained_edit(agent(), 1, r#"{"title":"renamed","stage":0}"#).await;
    assert_eq!(explanation.outcome(), Ok(Truth::False));
    assert_eq!(explanation.row().outcome(), Ok(Truth::True));
    assert_eq!(explanation.updated().unwrap().outcome(), Ok(Truth::True));
    assert_eq!(
        deciding(&explanation),
        ["viewer.lead || row.stage >= before.stage"]
    );
    let stage = explanation.field("stage").unwrap();
    let rule = stage.deciding().next().unwrap();
    assert_eq!(
        parts(rule.root()),
        [
            ("viewer.lead", Ok(Truth::False)),
            ("row.stage >= before.stage", Ok(Truth::False)),
        ]
    );

    let explanation = explained_edit(agent(), 1, r#"{"stage":2}"#).await;
    assert_eq!(explanation.outcome(), Ok(Truth::True));
    let stage = explanation.field("stage").unwrap();
    let decides: Vec<_> = stage.rules()[0]
        .root()
        .parts()
        .iter()
        .map(Step::decides)
        .collect();
    assert_eq!(decides, [false, true]);
    // All of them decided: of the row twice, of the field, whether it is read.
    assert_eq!(explanation.deciding().count(), 4);
}

#[tokio::test]
async fn x6_p10_w21_what_the_dto_does_not_show_is_what_keeps_a_field_from_being_set() {
    // A lead may set the note of every ticket, and is shown that of none which others opened.
    let explanation = explained_edit(lead(), 1, r#"{"note":"mine"}"#).await;
    assert_eq!(explanation.outcome(), Ok(Truth::False));
    assert_eq!(
        explanation.field("note").unwrap().outcome(),
        Ok(Truth::True)
    );
    assert_eq!(
        explanation.shown("note").unwrap().outcome(),
        Ok(Truth::False)
    );
    assert_eq!(deciding(&explanation), ["row.opener == viewer.id"]);

    // Of another team, so that it cannot be read.
    let explanation = explained_edit(agent(), 4, r#"{"title":"renamed"}"#).await;
    assert_eq!(explanation.row().outcome(), Ok(Truth::True));
    assert_eq!(explanation.read().unwrap().outcome(), Ok(Truth::False));
    assert_eq!(deciding(&explanation), ["row.team == viewer.team"]);

    let explanation = explained_edit(lead(), 1, r#"{"code":"fresh"}"#).await;
    assert_eq!(explanation.outcome(), Ok(Truth::True));
    assert!(explanation.shown("code").is_none());
    assert!(explanation.read().is_none());
}

#[tokio::test]
async fn x6_p10_w9_a_new_row_is_explained_by_its_rule_and_those_of_its_fields() {
    let directory = desk().await;
    let explained = async |who, body: &str| {
        let body = Untrusted::<NewTicket>::json(body);
        writing(who, async |access| {
            let create = directory
                .db
                .writer(&access)
                .create(body.open(&access).unwrap());
            create.explain().await.unwrap()
        })
        .await
    };
    let explanation = explained(agent(), r#"{"title":"no sound","priority":4}"#).await;
    assert_eq!(explanation.outcome(), Ok(Truth::True));
    // The row is made of presets too.
    let rule = explanation.row().deciding().next().unwrap();
    assert_eq!(
        parts(rule.root())[0],
        ("row.opener == viewer.id", Ok(Truth::True))
    );
    assert!(explanation.updated().is_none());
    assert!(explanation.shown("priority").is_none());
    assert_eq!(all(&directory).await.len(), 4, "nothing was created");

    // An entity that the program made is explained too.
    let explanation = writing(agent(), async |access| {
        let create = directory.db.writer(&access).create(ticket(9, 8));
        create.explain().await.unwrap()
    })
    .await;
    assert_eq!(explanation.outcome(), Ok(Truth::False));
    assert_eq!(
        deciding(&explanation),
        ["row.opener == viewer.id || viewer.lead"]
    );
}

#[tokio::test]
async fn x6_p10_w22_a_delete_is_explained_by_a_rule_of_its_own() {
    let directory = desk().await;
    let explained = async |who, id: i64| {
        writing(who, async |access| {
            let writer = directory.db.writer(&access);
            writer.explain_delete::<Ticket>(id).await.unwrap()
        })
        .await
    };
    let explanation = explained(agent(), 1).await;
    assert_eq!(explanation.outcome(), Ok(Truth::False));
    assert_eq!(deciding(&explanation), ["viewer.lead"]);
    assert_eq!(explained(lead(), 1).await.outcome(), Ok(Truth::True));

    // What is not there is not deleted, whatever the rule says.
    let explanation = explained(lead(), 99).await;
    assert!(!explanation.found());
    assert_eq!(explanation.outcome(), Ok(Truth::False));
    assert!(explanation.to_string().contains("there is no such row"));
    assert_eq!(all(&directory).await.len(), 4, "nothing was deleted");
}

#[tokio::test]
async fn x6_p10_the_program_itself_and_what_is_not_set_are_explained() {
    let directory = desk().await;
    let access = system();
    let writer = directory.db.writer(&access);
    let explanation = writer.update::<Ticket>(3).explain().await.unwrap();
    assert_eq!(explanation.outcome(), Ok(Truth::True));
    assert_eq!(explanation.deciding().count(), 0);
    assert!(
        explanation
            .to_string()
            .contains("because the program itself asks")
    );
    let missing = writer.explain_delete::<Ticket>(99).await.unwrap();
    assert_eq!(missing.outcome(), Ok(Truth::False));

    // Whether a row may be updated at all, before it is known to what.
    writing(agent(), async |access| {
        let writer = directory.db.writer(&access);
        for (id, expected) in [(1, Truth::True), (3, Truth::False)] {
            let explanation = writer.update::<Ticket>(id).explain().await.unwrap();
            assert_eq!(explanation.outcome(), Ok(expected), "{id}");
        }
        let twice = writer.update::<Ticket>(1).set(Ticket::STAGE, 1);
        let error = twice.set(Ticket::STAGE, 2).explain().await.unwrap_err();
        assert!(error.is_misuse(), "{error}");
    })
    .await;
}

#[tokio::test]
async fn x6_p10_it_asks_one_statement_that_reads_no_value() {
    let directory = desk().await;
    let (statements, _guard) = Statements::listen();
    let body = Untrusted::<EditTicket>::json(r#"{"note":"mine","stage":2,"title":"renamed"}"#);
    writing(agent(), async |access| {
        let update = directory.db.writer(&access).update::<Ticket>(1);
        let update = update.patch(body.open(&access).unwrap());
        update.explain().await.unwrap();
    })
    .await;
    let statement = statements.one();
    let (selected, _) = statement.split_once(" FROM ").unwrap();
    let mut columns = selected.strip_prefix("SELECT ").unwrap().split(", ");
    assert_eq!(columns.next(), Some("?"));
    for column in columns {
        assert!(column.starts_with("(CASE WHEN"), "{column} in {statement}");
    }
}

#[tokio::test]
async fn x6_p11_neither_text_nor_debug_holds_what_a_row_a_body_or_a_viewer_holds() {
    let directory = desk().await;
    let who = Agent {
        id: 424_242,
        limit: Some(535_353),
        ..agent()
    };
    let events = Events::of("clearance::explain");
    let body = r#"{"title":"a-secret-title","priority":464646,"note":"a-secret-note"}"#;
    let body = Untrusted::<EditTicket>::json(body);
    let explanation = writing(who, async |access| {
        let update = directory.db.writer(&access).update::<Ticket>(1);
        let update = update.patch(body.open(&access).unwrap());
        update.set(Ticket::OPENER, 757_575).explain().await.unwrap()
    })
    .await;
    let events = events.take();
    assert_eq!(events.len(), 1);
    assert!(events[0].starts_with("DEBUG "), "{events:?}");
    let text = format!("{explanation} {explanation:?} {events:?}");
    assert!(text.contains("false: row.opener == viewer.id"), "{text}");
    for hidden in [
        "424242", "535353", "464646", "757575", "a-secret", "ticket 1", "note 1",
    ] {
        assert!(!text.contains(hidden), "{hidden} in {text}");
    }
}

#[tokio::test]
async fn x6_p10_it_reads_as_a_log_entry() {
    let explanation = explained_edit(agent(), 1, r#"{"note":"mine","stage":0}"#).await;
    let text = explanation.to_string();
    let lines = text.lines().map(|line| match line.split_once(".rs:") {
        Some((file, rest)) => {
            let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            format!("{file}.rs:N{rest}")
        }
        None => line.to_owned(),
    });
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
}

/// Each agent's try at each ticket with each body: the explanation says what the write then does.
#[tokio::test]
async fn x6_p10_w1_w2_w21_an_explanation_of_a_patch_says_what_the_write_does() {
    let directory = desk().await;
    let bodies = [
        r#"{}"#,
        r#"{"title":"renamed"}"#,
        r#"{"stage":0}"#,
        r#"{"stage":2,"note":null}"#,
        r#"{"note":"new"}"#,
        r#"{"priority":4}"#,
        r#"{"priority":4,"note":"new","title":"renamed"}"#,
        r#"{"code":"fresh"}"#,
    ];
    let unlimited = Agent {
        limit: None,
        ..agent()
    };
    let mut allowed = 0;
    let mut tried = 0;
    for who in [agent(), lead(), unlimited] {
        for body in bodies {
            for id in [1, 2, 3, 4, 99] {
                writing(who.clone(), async |access| {
                    // What may be set in no row is refused before there is anything to explain.
                    let Ok(patch) = Untrusted::<EditTicket>::json(body).open(&access) else {
                        return;
                    };
                    let transaction = directory.db.begin(&access).await.unwrap();
                    let update = transaction.writer().update::<Ticket>(id).patch(patch);
                    let explanation = update.explain().await.unwrap();
                    let outcome = update.execute().await;
                    tried += 1;
                    allowed += usize::from(outcome.is_ok());
                    assert_eq!(
                        explanation.outcome() == Ok(Truth::True),
                        outcome.is_ok(),
                        "{who:?} {body} {id}: {explanation}"
                    );
                    assert_eq!(explanation.found(), id != 99);
                    transaction.rollback().await.unwrap();
                })
                .await;
            }
        }
    }
    assert!(tried == 100 && allowed > 20, "{allowed} of {tried}");
}

#[derive(Debug, Clone, Viewer)]
struct Maker {
    id: i64,
}

#[derive(Debug, Clone, Entity)]
#[entity(table = "projects", viewer = Maker, rows = open, reason = "only rules read them")]
struct Project {
    #[entity(key)]
    id: i64,
    open: bool,
}

#[derive(Debug, Clone, Entity)]
#[entity(
    table = "tasks",
    viewer = Maker,
    rows = open,
    reason = "writes are under test",
    belongs_to(project: Project, by = project_id),
    create_if(exists(row.project, |project| project.open) && row.rank > 0),
    update_if(true),
    updated_if(row.project_id.is_none() || exists(row.project, |project| project.open)),
    updated_unless(row.rank < before.rank)
)]
struct Task {
    #[entity(key)]
    id: i64,
    project_id: Option<i64>,
    rank: i64,
}

#[derive(Debug, Dto)]
#[dto(entity = Task, default = visible)]
struct TaskView {
    project_id: Option<i64>,
}

#[derive(Debug, Patch)]
#[patch(entity = Task, reads = TaskView)]
struct MoveTask {
    #[writable_if(!exists(row.project, |project| !project.open))]
    project_id: Assign<Option<i64>>,
}

#[derive(Debug, Input)]
#[input(entity = Task)]
struct NewTask {
    #[writable]
    id: i64,
    #[writable]
    project_id: Assign<Option<i64>>,
}

/// Project 1 is open and 2 is not; task 1 is in 1, with rank 5.
async fn workshop() -> Directory {
    let directory = empty_directory(
        "CREATE TABLE projects (id INTEGER PRIMARY KEY, open BOOLEAN NOT NULL);
         CREATE TABLE tasks (
            id INTEGER PRIMARY KEY, project_id INTEGER, rank INTEGER NOT NULL DEFAULT 1
         )",
    )
    .await;
    let access = system();
    let writer = directory.db.writer(&access);
    for (id, open) in [(1, true), (2, false)] {
        writer.insert(Project { id, open }).await.unwrap();
    }
    let task = Task {
        id: 1,
        project_id: Some(1),
        rank: 5,
    };
    writer.insert(task).await.unwrap();
    directory
}

async fn making<T>(work: impl AsyncFnOnce(Access<Write<Maker>>) -> T) -> T {
    testing::as_viewer(Maker { id: 7 })
        .scope(async { work(Access::<Write<Maker>>::authenticated().await.unwrap()).await })
        .await
}

#[tokio::test]
async fn x6_p10_w11_w18_related_rows_and_what_was_are_asked_as_the_write_asks_them() {
    let directory = workshop().await;
    for (project, rank, expected) in [
        (Some(1), 5, Truth::True),
        (Some(2), 5, Truth::False),
        (None, 6, Truth::True),
        // There is no such project, so that nothing is known of it.
        (Some(9), 5, Truth::Unknown),
        (Some(1), 4, Truth::False),
    ] {
        making(async |access| {
            let transaction = directory.db.begin(&access).await.unwrap();
            let update = transaction.writer().update::<Task>(1);
            let update = update.set(Task::PROJECT_ID, project).set(Task::RANK, rank);
            let explanation = update.explain().await.unwrap();
            assert_eq!(explanation.outcome(), Ok(expected), "{explanation}");
            assert_eq!(explanation.updated().unwrap().rules().len(), 2);
            let outcome = update.execute().await;
            assert_eq!(outcome.is_ok(), expected == Truth::True, "{explanation}");
            transaction.rollback().await.unwrap();
        })
        .await;
    }
    let explanation = making(async |access| {
        let body = Untrusted::<MoveTask>::json(r#"{"project_id":2}"#);
        let update = directory.db.writer(&access).update::<Task>(1);
        let update = update.patch(body.open(&access).unwrap());
        update.explain().await.unwrap()
    })
    .await;
    let field = explanation.field("project_id").unwrap();
    assert_eq!(field.outcome(), Ok(Truth::False));
    assert!(!field.needs_related_rows());
    let rule = field.deciding().next().unwrap();
    assert_eq!(
        parts(rule.root()),
        [("exists(row.project, ..)", Ok(Truth::True))]
    );
    let stated = explanation.updated().unwrap().rules();
    let text = stated[1].root().parts()[0].text();
    assert_eq!(text, "row.rank < before.rank");
}

#[tokio::test]
async fn x6_p10_w14_a_new_row_asks_related_rows_and_says_what_nothing_sets() {
    let directory = workshop().await;
    for (id, project, expected) in [
        (2, Some(1), Truth::True),
        (3, Some(2), Truth::False),
        (4, None, Truth::Unknown),
    ] {
        making(async |access| {
            let writer = directory.db.writer(&access);
            let create = writer.create(Task {
                id,
                project_id: project,
                rank: 1,
            });
            let explanation = create.explain().await.unwrap();
            assert_eq!(explanation.outcome(), Ok(expected), "{explanation}");
            let outcome = create.execute().await;
            assert_eq!(outcome.is_ok(), expected == Truth::True);
        })
        .await;
    }
    making(async |access| {
        let writer = directory.db.writer(&access);
        let body = |json: &str| Untrusted::<NewTask>::json(json).open(&access).unwrap();
        // The default of the database is not known before the row is there.
        let create = writer.create(body(r#"{"id":5,"project_id":1}"#));
        let explanation = create.explain().await.unwrap();
        assert_eq!(explanation.outcome(), Err(Failure::NotSet("rank")));
        assert!(
            explanation
                .to_string()
                .contains("failed, nothing sets `rank` of the new row")
        );
        assert!(create.execute().await.unwrap_err().is_misuse());

        let create = writer.create(body(r#"{"id":5,"project_id":1}"#));
        let create = create.set(Task::RANK, 2);
        let explanation = create.explain().await.unwrap();
        assert_eq!(explanation.outcome(), Ok(Truth::True));
        create.execute().await.unwrap();
    })
    .await;
}
