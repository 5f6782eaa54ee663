//! Many rows at once.

use clearance::Result;
use clearance::dto::Filter;

use crate::desk::*;
use crate::support::{Directory, Statements};

enum Mode {
    Permitted,
    All,
}

async fn close(
    directory: &Directory,
    who: Agent,
    filter: Filter<TicketView>,
    mode: Mode,
) -> Result<u64> {
    writing(who, async |access| {
        let writer = directory.db.writer(&access);
        let update = writer.update_many(TicketView::select().filter(filter));
        let update = update.set(Ticket::STAGE, 9);
        match mode {
            Mode::Permitted => update.execute_permitted().await,
            Mode::All => update.execute_all().await,
        }
    })
    .await
}

async fn closed(directory: &Directory) -> Vec<i64> {
    let rows = all(directory).await.into_iter();
    rows.filter(|row| row.stage == 9)
        .map(|row| row.id)
        .collect()
}

#[tokio::test]
async fn w3_an_update_of_many_rows_touches_those_that_are_permitted_where_that_is_said() {
    let directory = desk().await;
    let (statements, _guard) = Statements::listen();
    // Tickets 1 to 3 can be read, and 3 is not the agent's.
    let outcome = close(
        &directory,
        agent(),
        TicketView::STAGE.eq(1),
        Mode::Permitted,
    )
    .await;
    assert_eq!(outcome.unwrap(), 2);
    assert_eq!(statements.take().len(), 1);
    assert_eq!(closed(&directory).await, [1, 2]);
}

#[tokio::test]
async fn w3_or_none_where_one_is_not_permitted() {
    let directory = desk().await;
    let error = close(&directory, agent(), TicketView::STAGE.eq(1), Mode::All).await;
    assert!(error.unwrap_err().is_forbidden());
    assert_eq!(closed(&directory).await, [0; 0]);
    let own = TicketView::ID.lt(3);
    assert_eq!(close(&directory, agent(), own, Mode::All).await.unwrap(), 2);
    assert_eq!(closed(&directory).await, [1, 2]);
    let none = TicketView::ID.gt(1_000);
    assert_eq!(
        close(&directory, agent(), none, Mode::All).await.unwrap(),
        0
    );
}

#[tokio::test]
async fn w5_the_number_of_rows_tells_nothing_of_a_hidden_value() {
    let directory = desk().await;
    // The note of ticket 3 is hidden from the agent; that of ticket 1 is not.
    for (note, touched) in [("note 3", 0), ("note 1", 1), ("no such note", 0)] {
        for mode in [Mode::Permitted, Mode::All] {
            let filter = TicketView::NOTE.eq(note);
            let outcome = close(&directory, agent(), filter, mode).await;
            assert_eq!(outcome.unwrap(), touched, "{note}");
        }
    }
    // A lead may update it, and cannot find it by what is hidden.
    for mode in [Mode::Permitted, Mode::All] {
        let outcome = close(&directory, lead(), TicketView::NOTE.eq("note 3"), mode).await;
        assert_eq!(outcome.unwrap(), 0);
    }
}

#[tokio::test]
async fn n14_more_rows_than_a_statement_names_are_updated_all_the_same() {
    let directory = desk().await;
    writing(agent(), async |access| {
        let rows = (100..1_301).map(|id| {
            let mut ticket = ticket(id, 7);
            ticket.code = None;
            ticket
        });
        let writer = directory.db.writer(&access);
        writer.insert_many(rows).await.unwrap();
    })
    .await;
    let filter = TicketView::ID.ge(100);
    let outcome = close(&directory, agent(), filter, Mode::All).await;
    assert_eq!(outcome.unwrap(), 1_201);
    assert_eq!(closed(&directory).await.len(), 1_201);
}

#[tokio::test]
async fn w3_rows_are_inserted_all_or_none() {
    let directory = desk().await;
    let insert = async |opener: i64, code: &'static str| {
        writing(agent(), async |access| {
            let rows = (10..20).map(|id| {
                let mut ticket = ticket(id, if id == 19 { opener } else { 7 });
                ticket.code = (id == 19).then(|| code.into());
                ticket
            });
            directory.db.writer(&access).insert_many(rows).await
        })
        .await
    };
    // One would be by somebody else; one has a code that is taken.
    assert!(insert(8, "new").await.unwrap_err().is_forbidden());
    assert!(insert(7, "code4").await.unwrap_err().is_conflict());
    assert_eq!(all(&directory).await.len(), 4);
    insert(7, "new").await.unwrap();
    assert_eq!(all(&directory).await.len(), 14);
}

#[tokio::test]
async fn w3_a_limit_or_nothing_to_set_is_a_mistake_of_the_program() {
    let directory = desk().await;
    writing(lead(), async |access| {
        let writer = directory.db.writer(&access);
        let limited = writer.update_many(TicketView::select().limit(1));
        let error = limited.set(Ticket::STAGE, 9).execute_permitted().await;
        assert!(error.unwrap_err().is_misuse());
        let empty = writer.update_many(TicketView::select());
        assert!(empty.execute_all().await.unwrap_err().is_misuse());
    })
    .await;
}
