//! What a client may change of a row.

use clearance::{Field, Untrusted};

use crate::desk::*;
use crate::support::Statements;

#[tokio::test]
async fn w1_w21_absent_null_and_a_value_are_three_states() {
    let directory = desk().await;
    edit(&directory, agent(), 1, r#"{"title":"renamed"}"#)
        .await
        .unwrap();
    let now = stored(&directory, 1).await;
    assert_eq!(
        (now.title.as_str(), now.note.as_deref()),
        ("renamed", Some("note 1"))
    );
    edit(&directory, agent(), 1, r#"{"note":null}"#)
        .await
        .unwrap();
    let now = stored(&directory, 1).await;
    assert_eq!((now.title.as_str(), now.note), ("renamed", None));
    let shown = edit(&directory, agent(), 1, r#"{"note":"again","stage":2}"#).await;
    let shown = shown.unwrap();
    assert_eq!(shown.note, Field::Visible(Some("again".into())));
    assert_eq!(shown.stage, 2);
}

#[tokio::test]
async fn w1_w2_one_field_that_may_not_be_set_keeps_all_from_being_written() {
    let directory = desk().await;
    // Back to an earlier stage: for leads only.
    let body = r#"{"title":"renamed","stage":0}"#;
    let error = edit(&directory, agent(), 1, body).await.unwrap_err();
    assert!(error.is_not_found(), "{error}");
    assert_eq!(stored(&directory, 1).await.title, "ticket 1");
    // The other field by itself may be.
    edit(&directory, agent(), 1, r#"{"title":"renamed"}"#)
        .await
        .unwrap();
    edit(&directory, lead(), 1, r#"{"stage":0}"#).await.unwrap();
    assert_eq!(stored(&directory, 1).await.stage, 0);
}

#[tokio::test]
async fn w4_a_field_rule_over_what_is_unknown_denies() {
    let directory = desk().await;
    let mut unlimited = agent();
    edit(&directory, unlimited.clone(), 1, r#"{"priority":4}"#)
        .await
        .unwrap();
    unlimited.limit = None;
    let (statements, _guard) = Statements::listen();
    let error = edit(&directory, unlimited, 1, r#"{"priority":4}"#)
        .await
        .unwrap_err();
    assert!(error.is_forbidden(), "{error}");
    assert_eq!(statements.take(), [""; 0]);
}

#[tokio::test]
async fn w21_what_its_viewer_may_not_see_on_that_row_is_not_overwritten() {
    let directory = desk().await;
    // A lead may update every ticket, and sees the notes of none that others opened.
    let error = edit(&directory, lead(), 1, r#"{"note":"mine"}"#)
        .await
        .unwrap_err();
    assert!(error.is_not_found(), "{error}");
    assert_eq!(stored(&directory, 1).await.note.as_deref(), Some("note 1"));
    let shown = edit(&directory, lead(), 1, r#"{"title":"renamed"}"#)
        .await
        .unwrap();
    assert_eq!(shown.note, Field::Hidden);
    // What is blind may be set unseen.
    edit(&directory, lead(), 1, r#"{"code":"fresh"}"#)
        .await
        .unwrap();
    assert_eq!(stored(&directory, 1).await.code.as_deref(), Some("fresh"));
    let error = edit(&directory, agent(), 1, r#"{"code":"mine"}"#)
        .await
        .unwrap_err();
    assert!(error.is_forbidden(), "{error}");
}

#[tokio::test]
async fn w21_a_row_that_may_not_be_read_is_not_patched() {
    let directory = desk().await;
    // Opened by the agent, in another team: `update_if` alone would allow it.
    let error = edit(&directory, agent(), 4, r#"{"title":"renamed"}"#)
        .await
        .unwrap_err();
    assert!(error.is_not_found(), "{error}");
    assert_eq!(stored(&directory, 4).await.title, "ticket 4");
}

#[tokio::test]
async fn w21_the_rules_of_a_patch_stand_in_its_one_statement() {
    let directory = desk().await;
    let body = Untrusted::<EditTicket>::json(r#"{"note":"new","stage":3}"#);
    let (statements, _guard) = Statements::listen();
    writing(agent(), async |access| {
        let patch = body.open(&access).unwrap();
        let update = directory.db.writer(&access).update::<Ticket>(1);
        update.patch(patch).execute().await.unwrap();
    })
    .await;
    let statement = statements.one();
    for condition in [r#""opener" = ?"#, r#""team""#, r#""stage" <= ?"#] {
        assert!(statement.contains(condition), "{statement}");
    }
}

#[tokio::test]
async fn w1_a_patch_that_says_nothing_is_answered_as_one_that_does() {
    let directory = desk().await;
    let shown = edit(&directory, agent(), 1, "{}").await.unwrap();
    assert_eq!(shown.title, "ticket 1");
    let error = edit(&directory, agent(), 3, "{}").await.unwrap_err();
    assert!(error.is_not_found(), "{error}");
    let error = edit(&directory, agent(), 99, "{}").await.unwrap_err();
    assert!(error.is_not_found(), "{error}");
}

#[tokio::test]
async fn w1_asvs_15_4_2_a_patch_that_says_nothing_leaves_the_version_and_is_stale_all_the_same() {
    let directory = desk().await;
    let edit = async |body: &str, version: i64| {
        let body = Untrusted::<EditTicket>::json(body);
        writing(agent(), async |access| {
            let patch = body.open(&access)?;
            let update = directory.db.writer(&access).update::<Ticket>(1);
            let update = update.patch(patch).if_version(Ticket::VERSION, version);
            update.execute().await
        })
        .await
    };
    edit("{}", 1).await.unwrap();
    assert_eq!(stored(&directory, 1).await.version, 1);
    assert!(edit("{}", 2).await.unwrap_err().is_stale());
    edit(r#"{"stage":3}"#, 1).await.unwrap();
    assert_eq!(stored(&directory, 1).await.version, 2);
    assert!(edit("{}", 1).await.unwrap_err().is_stale());
}

#[tokio::test]
async fn w16_a_row_that_is_given_out_of_sight_is_taken_back_or_kept_as_it_was_asked() {
    let directory = desk().await;
    let away = async |keep: bool| {
        writing(lead(), async |access| {
            let update = directory.db.writer(&access).update::<Ticket>(1);
            let update = update.set(Ticket::TEAM, "blue");
            if keep {
                update.returning_if_visible::<TicketView>().await
            } else {
                update.returning::<TicketView>().await.map(Some)
            }
        })
        .await
    };
    assert!(away(false).await.unwrap_err().is_forbidden());
    assert_eq!(stored(&directory, 1).await.team, "red");
    assert_eq!(away(true).await.unwrap(), None);
    assert_eq!(stored(&directory, 1).await.team, "blue");
}

#[tokio::test]
async fn asvs_15_4_2_an_update_of_an_old_version_is_stale_only_to_whoever_may_update() {
    let directory = desk().await;
    let rename = async |who, id: i64, version: i64| {
        writing(who, async |access| {
            let update = directory.db.writer(&access).update::<Ticket>(id);
            let update = update.set(Ticket::TITLE, format!("by version {version}"));
            update.if_version(Ticket::VERSION, version).execute().await
        })
        .await
    };
    rename(agent(), 1, 1).await.unwrap();
    assert_eq!(stored(&directory, 1).await.version, 2);
    let error = rename(agent(), 1, 1).await.unwrap_err();
    assert!(error.is_stale() && error.is_conflict(), "{error}");
    assert_eq!(error.status(), 409);
    rename(agent(), 1, 2).await.unwrap();
    assert_eq!(stored(&directory, 1).await.version, 3);

    // Not theirs, or not there: whatever the version.
    for (id, version) in [(3, 1), (3, 7), (99, 1)] {
        let error = rename(agent(), id, version).await.unwrap_err();
        assert!(error.is_not_found(), "{id} {version}: {error}");
    }
    let error = rename(lead(), 3, i64::MAX).await.unwrap_err();
    assert!(error.is_misuse(), "{error}");
}

#[tokio::test]
async fn asvs_15_4_2_of_fifty_writers_by_version_none_overwrites_another() {
    let directory = desk().await;
    // Each adds one to what it read, and reads again where somebody was faster.
    let count = async || loop {
        let seen = stored(&directory, 1).await;
        let outcome = writing(agent(), async |access| {
            let update = directory.db.writer(&access).update::<Ticket>(1);
            let update = update.set(Ticket::STAGE, seen.stage + 1);
            update
                .if_version(Ticket::VERSION, seen.version)
                .execute()
                .await
        })
        .await;
        match outcome {
            Ok(()) => return,
            Err(error) => assert!(error.is_stale() || error.is_retryable(), "{error:?}"),
        }
    };
    futures_util::future::join_all((0..50).map(|_| count())).await;
    let now = stored(&directory, 1).await;
    assert_eq!((now.stage, now.version), (51, 51));
}
