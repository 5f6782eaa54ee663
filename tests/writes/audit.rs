//! Each decision on a write leaves an event: who, what, by which rules, and what came of it.

use std::sync::{Arc, Mutex};

use clearance::audit::{AuditEvent, AuditSink, Outcome, SinkError};
use clearance::entity::RowAction;
use clearance::policy::Context;
use clearance::{Access, Db, Error, Result, Untrusted, Write, async_trait, testing};

use crate::desk::*;
use crate::support::{AllEvents, Directory, Events, instant, system};

/// A sink that keeps what it is given.
#[derive(Default)]
pub struct Kept(Mutex<Vec<AuditEvent>>);

impl Kept {
    pub fn take(&self) -> Vec<AuditEvent> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    fn one(&self) -> AuditEvent {
        let mut events = self.take();
        assert_eq!(events.len(), 1, "{events:#?}");
        events.pop().unwrap()
    }
}

#[async_trait]
impl AuditSink for Kept {
    async fn record(&self, _: &Db, event: &AuditEvent) -> Result<(), SinkError> {
        self.0.lock().unwrap().push(event.clone());
        Ok(())
    }
}

/// A help desk whose writes are recorded.
struct Audited {
    directory: Directory,
    db: Db,
    kept: Arc<Kept>,
}

async fn audited_desk() -> Audited {
    let directory = desk().await;
    let kept = Arc::new(Kept::default());
    Audited {
        db: directory.db.audited(Arc::clone(&kept)),
        directory,
        kept,
    }
}

/// As [`writing`], at a known instant and under a known id.
pub async fn in_request<T>(who: Agent, work: impl AsyncFnOnce(Access<Write<Agent>>) -> T) -> T {
    testing::as_viewer_in(who, Context::new(instant(3)))
        .with_request_id("r-7")
        .scope(async { work(Access::<Write<Agent>>::authenticated().await.unwrap()).await })
        .await
}

const CREATE: &str = "create_if(row.opener == viewer.id || viewer.lead)";
const UPDATE: &str = "update_if(row.opener == viewer.id || viewer.lead)";
const DELETE: &str = "delete_if(viewer.lead)";
const READ: &str = "read_if(row.team == viewer.team)";
const COLUMNS: [&str; 9] = [
    "id", "opener", "team", "title", "stage", "note", "priority", "version", "code",
];

/// What an event is expected to say beside who, when and where.
struct Expected<'a> {
    action: RowAction,
    outcome: Outcome,
    key: Option<&'a str>,
    rows: u64,
    fields: &'a [&'a str],
    rule: String,
}

fn assert_says(event: &AuditEvent, who: &Agent, expected: &Expected<'_>) {
    assert_eq!(event.at(), instant(3));
    assert_eq!(event.viewer().unwrap().as_str(), who.id.to_string());
    assert_eq!(event.reason(), None);
    assert_eq!((event.entity(), event.table()), ("Ticket", "tickets"));
    assert_eq!(event.request_id(), Some("r-7"));
    assert_eq!(event.action(), expected.action);
    assert_eq!(event.outcome(), expected.outcome, "{event:?}");
    assert_eq!(event.key(), expected.key);
    assert_eq!(event.rows(), expected.rows);
    assert_eq!(event.fields(), expected.fields);
    assert_eq!(event.rule(), expected.rule);
}

fn allowed(action: RowAction, key: Option<&str>, rows: u64) -> Expected<'_> {
    Expected {
        action,
        outcome: Outcome::Allowed,
        key,
        rows,
        fields: &[],
        rule: match action {
            RowAction::Read => unreachable!("reading is no write"),
            RowAction::Create => CREATE.into(),
            RowAction::Update => UPDATE.into(),
            RowAction::Delete => DELETE.into(),
        },
    }
}

fn denied(action: RowAction, key: Option<&str>) -> Expected<'_> {
    Expected {
        outcome: Outcome::Denied,
        ..allowed(action, key, 0)
    }
}

#[tokio::test]
async fn asvs_16_3_2_a_row_that_is_created_updated_or_deleted_is_an_event_with_all_of_it() {
    let desk = audited_desk().await;
    let insert = async |who, row| {
        in_request(who, async |access| {
            desk.db.writer(&access).insert(row).await
        })
        .await
    };
    let rename = async |who, id: i64| {
        in_request(who, async |access| {
            let update = desk.db.writer(&access).update::<Ticket>(id);
            let update = update.set(Ticket::TITLE, "renamed").clear(Ticket::NOTE);
            update.execute().await
        })
        .await
    };
    let delete = async |who, id: i64| {
        in_request(who, async |access| {
            desk.db.writer(&access).delete::<Ticket>(id).await
        })
        .await
    };

    insert(agent(), ticket(10, 7)).await.unwrap();
    let created = Expected {
        fields: &COLUMNS,
        ..allowed(RowAction::Create, Some("10"), 1)
    };
    assert_says(&desk.kept.one(), &agent(), &created);
    let error = insert(agent(), ticket(11, 8)).await.unwrap_err();
    assert!(error.is_forbidden());
    let refused = Expected {
        fields: &COLUMNS,
        ..denied(RowAction::Create, Some("11"))
    };
    assert_says(&desk.kept.one(), &agent(), &refused);

    rename(agent(), 1).await.unwrap();
    let updated = Expected {
        fields: &["title", "note"],
        ..allowed(RowAction::Update, Some("1"), 1)
    };
    assert_says(&desk.kept.one(), &agent(), &updated);
    // Somebody else's, and one that is not there.
    for id in [3, 99] {
        assert!(rename(agent(), id).await.unwrap_err().is_not_found());
        let key = id.to_string();
        let refused = Expected {
            fields: &["title", "note"],
            ..denied(RowAction::Update, Some(&key))
        };
        assert_says(&desk.kept.one(), &agent(), &refused);
    }

    delete(lead(), 2).await.unwrap();
    let deleted = allowed(RowAction::Delete, Some("2"), 1);
    assert_says(&desk.kept.one(), &lead(), &deleted);
    assert!(delete(agent(), 1).await.unwrap_err().is_not_found());
    let refused = denied(RowAction::Delete, Some("1"));
    assert_says(&desk.kept.one(), &agent(), &refused);
}

#[tokio::test]
async fn asvs_16_3_2_a_change_of_many_rows_is_one_event_with_their_number() {
    let desk = audited_desk().await;
    let close = async |who, all: bool| {
        in_request(who, async |access| {
            let found = TicketView::select().filter(TicketView::STAGE.eq(1));
            let update = desk.db.writer(&access).update_many(found);
            let update = update.set(Ticket::PRIORITY, 2);
            if all {
                update.execute_all().await
            } else {
                update.execute_permitted().await
            }
        })
        .await
    };
    let updated = |rows| Expected {
        fields: &["priority"],
        ..allowed(RowAction::Update, None, rows)
    };
    assert_eq!(close(agent(), false).await.unwrap(), 2);
    assert_says(&desk.kept.one(), &agent(), &updated(2));
    assert_eq!(close(lead(), true).await.unwrap(), 3);
    assert_says(&desk.kept.one(), &lead(), &updated(3));
    assert!(close(agent(), true).await.unwrap_err().is_forbidden());
    let refused = Expected {
        fields: &["priority"],
        ..denied(RowAction::Update, None)
    };
    assert_says(&desk.kept.one(), &agent(), &refused);
    // It ran, and nothing was there for them.
    let mut other = agent();
    other.id = 5;
    assert_eq!(close(other.clone(), false).await.unwrap(), 0);
    assert_says(&desk.kept.one(), &other, &updated(0));

    let insert = async |opener: i64| {
        in_request(agent(), async |access| {
            let rows = (20..25).map(|id| ticket(id, if id == 24 { opener } else { 7 }));
            desk.db.writer(&access).insert_many(rows).await
        })
        .await
    };
    assert!(insert(8).await.unwrap_err().is_forbidden());
    let refused = Expected {
        fields: &COLUMNS,
        ..denied(RowAction::Create, None)
    };
    assert_says(&desk.kept.one(), &agent(), &refused);
    insert(7).await.unwrap();
    let inserted = Expected {
        fields: &COLUMNS,
        ..allowed(RowAction::Create, None, 5)
    };
    assert_says(&desk.kept.one(), &agent(), &inserted);
}

#[tokio::test]
async fn asvs_16_3_2_what_a_client_sends_is_an_event_with_the_rules_of_its_fields() {
    let desk = audited_desk().await;
    let open = async |body: &str| {
        let body = Untrusted::<NewTicket>::json(body);
        in_request(agent(), async |access| {
            let writer = desk.db.writer(&access);
            let ticket = writer.open(body).await?;
            writer.create(ticket).execute().await
        })
        .await
    };
    let edit = async |id: i64, body: &str| {
        let body = Untrusted::<EditTicket>::json(body);
        in_request(agent(), async |access| {
            let writer = desk.db.writer(&access);
            let patch = writer.open(body).await?;
            writer.update::<Ticket>(id).patch(patch).execute().await
        })
        .await
    };

    let key = open(r#"{"title":"no sound","priority":4}"#).await.unwrap();
    let key = key.to_string();
    let priority = "writable_if(viewer.lead || row.priority >= 3)";
    let created = Expected {
        // The database made the key, and the program the others.
        fields: &["title", "priority", "opener", "team", "stage", "version"],
        rule: format!("{CREATE}, {priority}"),
        ..allowed(RowAction::Create, Some(&key), 1)
    };
    assert_says(&desk.kept.one(), &agent(), &created);

    edit(1, r#"{"note":"new","stage":3}"#).await.unwrap();
    let stage = "writable_if(viewer.lead || row.stage >= before.stage)";
    let note = "visible_if(row.opener == viewer.id)";
    let patched = Expected {
        fields: &["stage", "note"],
        rule: format!("{UPDATE}, {stage}, {READ}, {note}"),
        ..allowed(RowAction::Update, Some("1"), 1)
    };
    assert_says(&desk.kept.one(), &agent(), &patched);
    // Back to an earlier stage.
    assert!(edit(1, r#"{"stage":0}"#).await.unwrap_err().is_not_found());
    let refused = Expected {
        fields: &["stage"],
        rule: format!("{UPDATE}, {stage}, {READ}"),
        ..denied(RowAction::Update, Some("1"))
    };
    assert_says(&desk.kept.one(), &agent(), &refused);
    // It says nothing, and is asked all the same.
    edit(1, "{}").await.unwrap();
    let nothing = allowed(RowAction::Update, Some("1"), 1);
    assert_says(&desk.kept.one(), &agent(), &nothing);
}

#[tokio::test]
async fn asvs_16_3_3_a_field_that_its_viewer_may_set_in_no_row_is_a_refusal() {
    let desk = audited_desk().await;
    let events = Events::of("clearance::audit");
    let body = || Untrusted::<EditTicket>::json(r#"{"title":"renamed","code":"mine"}"#);
    let refused = Expected {
        fields: &["code"],
        rule: "writable_if(viewer.lead)".into(),
        ..denied(RowAction::Update, None)
    };
    in_request(agent(), async |access| {
        let error = desk.db.writer(&access).open(body()).await.unwrap_err();
        assert!(error.is_forbidden());
        assert_says(&desk.kept.one(), &agent(), &refused);
        // Without a database there is nothing to record it in.
        assert!(body().open(&access).unwrap_err().is_forbidden());
        assert!(desk.kept.take().is_empty());
        // In a transaction it is kept until the end.
        let transaction = desk.db.begin(&access).await.unwrap();
        let opened = transaction.writer().open(body()).await;
        assert!(opened.unwrap_err().is_forbidden());
        assert!(desk.kept.take().is_empty());
        transaction.rollback().await.unwrap();
        assert_says(&desk.kept.one(), &agent(), &refused);
    })
    .await;
    let new = Untrusted::<NewTicket>::json(r#"{"title":"urgent","priority":1}"#);
    let opened = in_request(agent(), async |access| {
        desk.db.writer(&access).open(new).await.map(drop)
    });
    assert!(opened.await.unwrap_err().is_forbidden());
    assert_eq!(desk.kept.one().action(), RowAction::Create);
    let told = events.take();
    assert_eq!(told.len(), 4, "{told:#?}");
    assert!(told.iter().all(|line| line.contains(r#"outcome="denied""#)));
}

#[tokio::test]
async fn asvs_16_3_2_without_a_sink_each_decision_is_told_too() {
    let desk = desk().await;
    let events = Events::of("clearance::audit");
    in_request(agent(), async |access| {
        let writer = desk.db.writer(&access);
        let update = |id: i64| writer.update::<Ticket>(id).set(Ticket::TITLE, "renamed");
        update(1).execute().await.unwrap();
        update(3).execute().await.unwrap_err();
        writer.delete::<Ticket>(1).await.unwrap_err();
        // What the database refuses was decided by no rule.
        let mut twin = ticket(2, 7);
        twin.code = None;
        assert!(writer.insert(twin).await.unwrap_err().is_conflict());
    })
    .await;
    let line = |outcome: &str, action: &str, key: i64, rows: u64, fields: &str, rule: &str| {
        format!(
            "INFO message=write {outcome} outcome=\"{outcome}\" action=\"{action}\" \
             entity=\"Ticket\" table=\"tickets\" key=\"{key}\" rows={rows} fields={fields} \
             rule=\"{rule}\" viewer=\"7\" request_id=\"r-7\""
        )
    };
    assert_eq!(
        events.take(),
        [
            line("allowed", "update", 1, 1, r#"["title"]"#, UPDATE),
            line("denied", "update", 3, 0, r#"["title"]"#, UPDATE),
            line("denied", "delete", 1, 0, "[]", DELETE),
        ]
    );
}

#[tokio::test]
async fn asvs_16_3_2_a_decision_in_a_transaction_of_the_application_is_told_when_it_is_made() {
    let desk = desk().await;
    let events = Events::of("clearance::audit");
    in_request(agent(), async |access| {
        let transaction = desk.db.begin(&access).await.unwrap();
        let writer = transaction.writer();
        let update = writer.update::<Ticket>(1).set(Ticket::TITLE, "renamed");
        update.execute().await.unwrap();
        // Whoever looks for what a transaction did before it hung finds it.
        let told = events.take();
        assert_eq!(told.len(), 1, "{told:#?}");
        assert!(
            told.iter()
                .all(|line| line.contains(r#"outcome="allowed""#))
        );
        transaction.rollback().await.unwrap();
    })
    .await;
    assert_eq!(events.take(), [""; 0]);
}

#[tokio::test]
async fn asvs_16_3_2_what_is_taken_back_because_it_may_not_be_read_was_refused() {
    let desk = audited_desk().await;
    let events = Events::of("clearance::audit");
    let away = async |keep: bool| {
        in_request(lead(), async |access| {
            let update = desk.db.writer(&access).update::<Ticket>(1);
            let update = update.set(Ticket::TEAM, "blue");
            if keep {
                update.returning_if_visible::<TicketView>().await.map(drop)
            } else {
                update.returning::<TicketView>().await.map(drop)
            }
        })
        .await
    };
    assert!(away(false).await.unwrap_err().is_forbidden());
    let taken_back = Expected {
        fields: &["team"],
        rule: READ.into(),
        ..denied(RowAction::Update, Some("1"))
    };
    // The sink was given the change in the transaction that was rolled back, and then the refusal.
    let given = desk.kept.take();
    assert_says(given.last().unwrap(), &lead(), &taken_back);
    let told = events.take();
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].contains("write denied"), "{told:#?}");

    away(true).await.unwrap();
    let told = events.take();
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].contains("write allowed"), "{told:#?}");
}

#[tokio::test]
async fn asvs_16_3_2_an_upsert_of_a_new_row_is_no_refused_update() {
    let desk = audited_desk().await;
    let put = async |id: i64| {
        in_request(agent(), async |access| {
            let writer = desk.db.writer(&access);
            let mut fresh = ticket(id, 7);
            fresh.code = None;
            let update = writer.update::<Ticket>(id).set(Ticket::TITLE, "put");
            update.or_create(writer.create(fresh)).await
        })
        .await
    };
    assert!(put(9).await.unwrap());
    let event = desk.kept.one();
    assert_eq!(
        (event.action(), event.outcome()),
        (RowAction::Create, Outcome::Allowed)
    );
    assert!(!put(9).await.unwrap());
    assert_eq!(desk.kept.one().action(), RowAction::Update);
    // Somebody else's stands in the way.
    assert!(put(3).await.unwrap_err().is_conflict());
    let event = desk.kept.one();
    assert_eq!(
        (event.action(), event.outcome()),
        (RowAction::Update, Outcome::Denied)
    );
}

#[tokio::test]
async fn asvs_16_3_2_the_program_itself_is_recorded_with_its_reason() {
    let desk = audited_desk().await;
    let access = system();
    let writer = desk.db.writer(&access);
    writer.delete::<Ticket>(1).await.unwrap();
    let event = desk.kept.one();
    assert_eq!(event.viewer(), None);
    assert_eq!(event.reason(), Some("fills in the rows of a test"));
    assert_eq!((event.rule(), event.request_id()), ("", None));
    assert_eq!((event.key(), event.rows()), (Some("1"), 1));
    assert!(writer.delete::<Ticket>(1).await.unwrap_err().is_not_found());
    assert_eq!(desk.kept.one().outcome(), Outcome::Denied);
}

#[tokio::test]
async fn asvs_16_3_2_no_event_holds_a_value_but_the_key() {
    const SECRET: &str = "hunter2";
    let desk = audited_desk().await;
    let (events, _guard) = AllEvents::listen();
    in_request(agent(), async |access| {
        let writer = desk.db.writer(&access);
        for opener in [7, 8] {
            let mut row = ticket(30 + opener, opener);
            row.title = SECRET.into();
            row.note = Some(SECRET.into());
            row.code = None;
            let _ = writer.insert(row.clone()).await;
            row.id += 10;
            let _ = writer.insert_many([row]).await;
        }
        for id in [1, 3] {
            let update = writer.update::<Ticket>(id).set(Ticket::TITLE, SECRET);
            let _ = update.execute().await;
            let body = format!(r#"{{"title":"{SECRET}","note":"{SECRET}","code":"{SECRET}"}}"#);
            let _ = writer.open(Untrusted::<EditTicket>::json(body)).await;
            let body = Untrusted::<EditTicket>::json(format!(r#"{{"title":"{SECRET}"}}"#));
            let patch = writer.open(body).await.unwrap();
            let _ = writer.update::<Ticket>(id).patch(patch).execute().await;
        }
        let found = TicketView::select().filter(TicketView::TITLE.eq(SECRET));
        let update = writer.update_many(found).set(Ticket::TITLE, SECRET);
        update.execute_permitted().await.unwrap();
    })
    .await;
    assert!(desk.kept.0.lock().unwrap().len() >= 10);
    for shown in events.take() {
        assert!(!shown.contains(SECRET), "{shown}");
    }
    let kept = format!("{:?}", desk.kept.take());
    assert!(!kept.contains(SECRET), "{kept}");
    assert_eq!(stored(&desk.directory, 1).await.title, SECRET);
}

#[tokio::test]
async fn asvs_16_3_2_an_id_from_outside_is_taken_where_it_is_one_word() {
    let desk = audited_desk().await;
    let id_of = async |given: &str| {
        let request = testing::as_viewer(lead()).with_request_id(given);
        let deleted: Result<(), Error> = request
            .scope(async {
                let access = Access::<Write<Agent>>::authenticated().await?;
                desk.db.writer(&access).delete::<Ticket>(99).await
            })
            .await;
        assert!(deleted.unwrap_err().is_not_found());
        let id = desk.kept.one().request_id().unwrap().to_owned();
        assert_eq!(id, request.request_id());
        id
    };
    let longest = "x".repeat(128);
    for valid in ["7", "01J8/a-b_c:d", &longest] {
        assert_eq!(id_of(valid).await, valid);
    }
    let mut random = Vec::new();
    for invalid in ["", "two words", "7\n8", "caf\u{e9}", &format!("{longest}x")] {
        let id = id_of(invalid).await;
        assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert!(!random.contains(&id));
        random.push(id);
    }
}
