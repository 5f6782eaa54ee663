//! Update or create.

use clearance::{Input, Result, Untrusted};

use crate::desk::*;

/// Sets the title of a ticket, or opens it.
async fn put(directory: &crate::support::Directory, who: Agent, id: i64) -> Result<bool> {
    writing(who, async |access| {
        let writer = directory.db.writer(&access);
        let mut fresh = ticket(id, 7);
        fresh.title = "put".into();
        fresh.code = None;
        let update = writer.update::<Ticket>(id).set(Ticket::TITLE, "put");
        update.or_create(writer.create(fresh)).await
    })
    .await
}

#[tokio::test]
async fn w8_an_upsert_updates_under_the_rule_of_updates_and_creates_under_that_of_new_rows() {
    let directory = desk().await;
    assert!(!put(&directory, agent(), 1).await.unwrap());
    assert!(put(&directory, agent(), 9).await.unwrap());
    assert!(!put(&directory, agent(), 9).await.unwrap());
    assert_eq!(stored(&directory, 1).await.title, "put");
    assert_eq!(stored(&directory, 1).await.note.as_deref(), Some("note 1"));
    assert_eq!(stored(&directory, 9).await.title, "put");
}

#[tokio::test]
async fn w8_w20_a_row_that_stands_in_the_way_and_may_not_be_updated_is_a_conflict() {
    let directory = desk().await;
    let error = put(&directory, agent(), 3).await.unwrap_err();
    assert!(error.is_conflict(), "{error}");
    assert_eq!(stored(&directory, 3).await.title, "ticket 3");
    // Nor may it be created by somebody else's name.
    let mut other = agent();
    other.id = 5;
    let error = put(&directory, other, 10).await.unwrap_err();
    assert!(error.is_forbidden(), "{error}");
    assert_eq!(all(&directory).await.len(), 4);
}

#[tokio::test]
async fn w8_in_a_transaction_the_conflict_does_not_end_it() {
    let directory = desk().await;
    writing(agent(), async |access| {
        let transaction = directory.db.begin(&access).await.unwrap();
        let inner = transaction.db();
        let writer = inner.writer(&access);
        let update = writer.update::<Ticket>(3).set(Ticket::TITLE, "put");
        let error = update.or_create(writer.create(ticket(3, 7))).await;
        assert!(error.unwrap_err().is_conflict());
        let rename = writer.update::<Ticket>(1).set(Ticket::TITLE, "after");
        rename.execute().await.unwrap();
        transaction.commit().await.unwrap();
    })
    .await;
    assert_eq!(stored(&directory, 1).await.title, "after");
}

#[tokio::test]
async fn w8_both_halves_are_of_one_key() {
    let directory = desk().await;
    let error = writing(agent(), async |access| {
        let writer = directory.db.writer(&access);
        let body = Untrusted::<NewTicket>::json(r#"{"title":"no key"}"#);
        let update = writer.update::<Ticket>(9).set(Ticket::TITLE, "put");
        update.or_create(writer.create(body.open(&access)?)).await
    })
    .await
    .unwrap_err();
    assert!(error.is_misuse(), "{error}");
}

/// A ticket of which each agent has one, under a number of theirs.
#[derive(Input)]
#[input(entity = Ticket)]
#[preset(id = viewer.id + 100, opener = viewer.id, team = viewer.team.clone())]
#[preset(stage = 0, version = 1)]
struct OwnTicket {
    #[writable]
    title: String,
}

#[tokio::test]
async fn w8_the_key_of_the_new_row_may_be_preset() {
    let directory = desk().await;
    let put = async |id: i64, title: &str| {
        let own = Untrusted::from(OwnTicket {
            title: title.to_owned(),
        });
        writing(agent(), async |access| {
            let writer = directory.db.writer(&access);
            let update = writer.update::<Ticket>(id).set(Ticket::TITLE, title);
            update.or_create(writer.create(own.open(&access)?)).await
        })
        .await
    };
    assert!(put(107, "new").await.unwrap());
    assert_eq!(stored(&directory, 107).await.title, "new");
    assert!(!put(107, "again").await.unwrap());
    assert_eq!(stored(&directory, 107).await.title, "again");
    // Another row than the preset one is not touched either.
    assert!(put(1, "another").await.unwrap_err().is_misuse());
    assert_eq!(stored(&directory, 1).await.title, "ticket 1");
}

#[tokio::test]
async fn w8_of_fifty_upserts_at_once_one_creates_and_none_is_lost() {
    let directory = desk().await;
    let put = async || loop {
        match put(&directory, agent(), 77).await {
            Ok(created) => return created,
            // At the strictest level one that has waited for another gives way, and comes again.
            Err(error) => assert!(error.is_retryable(), "{error:?}"),
        }
    };
    let outcomes = futures_util::future::join_all((0..50).map(|_| put())).await;
    assert_eq!(outcomes.into_iter().filter(|created| *created).count(), 1);
    assert_eq!(stored(&directory, 77).await.title, "put");
}
