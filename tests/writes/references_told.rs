//! What is told of a reference: W44; and who may refer to what other viewers read: W41.

use std::sync::Arc;

use clearance::policy::Truth;
use clearance::{Entity, Input, Untrusted, Viewer};

use crate::audit::Kept;
use crate::references::*;

#[tokio::test]
async fn w44_an_explanation_says_which_reference_stands_against_the_write() {
    let directory = boards().await;
    for (board, parent, expected) in [
        (1, "null", [Some(Truth::True), None]),
        (3, "1", [Some(Truth::True), Some(Truth::True)]),
        (2, "1", [Some(Truth::False), Some(Truth::True)]),
        (9, "2", [Some(Truth::False), Some(Truth::False)]),
    ] {
        let body = format!(r#"{{"boardId":{board},"parentId":{parent}}}"#);
        writing(7, async |access| {
            let patch = Untrusted::<EditCard>::json(body.as_str());
            let update = directory.db.writer(&access).update::<Card>(1);
            let update = update.patch(patch.open(&access).unwrap());
            let explanation = update.explain().await.unwrap();
            let refers = |field| {
                let mut refers = explanation.refers(field);
                let verdict = refers.next().map(|(_, verdict)| verdict.outcome().unwrap());
                assert!(refers.next().is_none());
                verdict
            };
            assert_eq!([refers("board_id"), refers("parent_id")], expected);
            let written = update.execute().await;
            assert_eq!(
                explanation.outcome() == Ok(Truth::True),
                written.is_ok(),
                "{explanation}"
            );
        })
        .await;
    }
    let explained = async |board: i64| {
        let body = format!(r#"{{"title":"x","boardId":{board}}}"#);
        let body = Untrusted::<NewCard>::json(body);
        writing(7, async |access| {
            let create = directory
                .db
                .writer(&access)
                .create(body.open(&access).unwrap());
            create.explain().await.unwrap()
        })
        .await
    };
    let (hidden, absent) = (explained(2).await, explained(9).await);
    assert_eq!(hidden.outcome(), Ok(Truth::False));
    let line = "field `board_id`, set to a row of `board`: denied, because there is no such row that may be read";
    assert!(hidden.to_string().contains(line), "{hidden}");
    assert!(absent.to_string().contains(line), "{absent}");
    let may = explained(1).await;
    assert_eq!(may.outcome(), Ok(Truth::True));
    assert!(
        may.to_string()
            .contains("because the row it refers to may be read")
    );
}

#[tokio::test]
async fn w44_a_refused_reference_is_recorded_and_the_record_tells_no_more_than_the_answer() {
    let directory = boards().await;
    let kept = Arc::new(Kept::default());
    let audited = directory.db.audited(Arc::clone(&kept));
    let recorded = async |body: String| {
        let body = Untrusted::<NewCard>::json(body);
        let outcome = writing(7, async |access| {
            let create = audited.writer(&access).create(body.open(&access)?);
            create.execute().await
        });
        let outcome = told(outcome.await);
        let events = kept.take().into_iter();
        let said: Vec<_> = events
            .map(|event| {
                format!(
                    "{:?} {:?} {} {:?}",
                    event.outcome(),
                    event.fields(),
                    event.rule(),
                    event.key()
                )
            })
            .collect();
        (outcome, said)
    };
    let body = |board: i64| format!(r#"{{"title":"x","boardId":{board}}}"#);
    let hidden = recorded(body(2)).await;
    assert_eq!(hidden, recorded(body(9)).await);
    assert_eq!(hidden.1.len(), 1);
    assert!(hidden.1[0].starts_with("Denied"), "{hidden:?}");
    assert!(hidden.1[0].contains("read_if of board"), "{hidden:?}");
    let (_, allowed) = recorded(body(1)).await;
    assert!(allowed[0].starts_with("Allowed"), "{allowed:?}");
}

#[tokio::test]
async fn w44_what_may_be_set_depends_on_what_it_refers_to() {
    use clearance::Permission;

    writing(7, async |access| {
        let can_set = access.can_set::<NewCard>().await.unwrap();
        assert_eq!(can_set.key("boardId"), Some(Permission::Depends));
        assert_eq!(can_set.key("title"), Some(Permission::Yes));
        // It may still be null.
        assert_eq!(can_set.key("sealId"), Some(Permission::Depends));
        let can_set = access.can_set::<PostedCard>().await.unwrap();
        assert_eq!(can_set.key("board_id"), Some(Permission::Yes));
    })
    .await;
}

#[derive(Debug, Clone, Viewer)]
struct Robot {
    id: i64,
}

#[derive(Debug, Clone, Entity)]
#[entity(table = "boards", viewer = Robot, read_if(row.owner == viewer.id))]
struct Depot {
    #[entity(key)]
    id: i64,
    owner: i64,
}

#[derive(Debug, Clone, Entity)]
#[entity(table = "cards", viewer = Hand, belongs_to(depot: Depot, by = board_id))]
#[entity(rows = open, reason = "an example", create_if(viewer.id > 0))]
struct Parcel {
    #[entity(key)]
    id: i64,
    owner: i64,
    title: String,
    board_id: i64,
}

#[derive(Input)]
#[input(entity = Parcel)]
#[preset(owner = viewer.id)]
struct NewParcel {
    #[writable]
    title: String,
    #[writable]
    board_id: i64,
}

/// What the rules of another viewer say of this one is nothing.
#[tokio::test]
async fn w41_a_row_that_other_viewers_read_is_referred_to_by_nobody() {
    let directory = boards().await;
    let body = Untrusted::<NewParcel>::json(r#"{"title":"p","board_id":1}"#);
    let error = writing(7, async |access| {
        let create = directory.db.writer(&access).create(body.open(&access)?);
        create.execute().await
    });
    let error = error.await.unwrap_err();
    assert!(error.is_misuse(), "{error}");
    assert!(format!("{error:?}").contains("any_row"), "{error:?}");
}
