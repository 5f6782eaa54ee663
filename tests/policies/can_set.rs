//! What a viewer may set by an input type, told before any body and any row (P12).

use clearance::entity::RowAction;
use clearance::input::Assign;
use clearance::policy::MaybeLoaded;
use clearance::repository::Reads;
use clearance::{
    Access, CanSet, Entity, Incoming, Input, Patch, Permission, Read, Untrusted, Viewer, testing,
};

use crate::inputs::{EditNote, NewNote, Note, SCHEMA};
use crate::support::*;

use Permission::{Depends, No, Yes};

async fn told<T: Incoming<Entity = Note>>(viewer: Member) -> CanSet<T> {
    as_viewer(viewer, async { read().await.can_set::<T>().await.unwrap() }).await
}

/// The answer for the row, and that for each field.
fn answers<T: Incoming>(can_set: &CanSet<T>) -> (Permission, Vec<Permission>) {
    let fields = can_set.fields().map(|(_, answer)| answer).collect();
    (can_set.row(), fields)
}

#[tokio::test]
async fn p12_w9_each_field_of_a_new_row_is_yes_no_or_depends_by_viewer() {
    for viewer in [admin(), editor()] {
        let can_set = told::<NewNote>(viewer).await;
        // The preset gives the row the owner that the entity's rule asks for.
        assert_eq!(answers(&can_set), (Yes, vec![Yes; 4]));
    }
    let can_set = told::<NewNote>(stranger()).await;
    assert_eq!(answers(&can_set), (Yes, vec![Yes, No, Yes, Yes]));
    assert_eq!(can_set.field(Note::REMARK), No);
    assert_eq!(can_set.field(Note::TITLE), Yes);
    // A column that no field of the input is for.
    assert_eq!(can_set.field(Note::OWNER), No);
    assert_eq!(can_set.key("sendCopy"), Some(Yes));
    assert_eq!(can_set.key("send_copy"), None);
}

#[tokio::test]
async fn p12_w21_each_field_of_a_patch_takes_the_dto_into_account() {
    let can_set = told::<EditNote>(admin()).await;
    assert_eq!(answers(&can_set), (Depends, vec![Yes; 4]));
    let can_set = told::<EditNote>(editor()).await;
    // The view hides the code from editors, but the field is blind.
    assert_eq!(answers(&can_set), (Depends, vec![Yes; 4]));
    let can_set = told::<EditNote>(stranger()).await;
    assert_eq!(answers(&can_set), (Depends, vec![Yes, Depends, No, No]));

    let red = Member {
        team: Some("red".into()),
        ..stranger()
    };
    let can_set = told::<EditNote>(red).await;
    assert_eq!(can_set.field(Note::REMARK), Depends);
}

#[tokio::test]
async fn p12_x11_nobody_sets_anything_and_the_program_what_needs_no_viewer() {
    let (new, edit) = as_nobody(async {
        let access = public();
        let new = access.can_set::<NewNote>().await.unwrap();
        (new, access.can_set::<EditNote>().await.unwrap())
    })
    .await;
    assert_eq!(answers(&new), (No, vec![No; 4]));
    assert_eq!(answers(&edit), (No, vec![No; 4]));

    #[derive(Debug, Patch)]
    #[patch(entity = Note)]
    #[preset(stage = 3)]
    struct Close {
        #[writable(blind)]
        #[writable_if(viewer.role >= Role::Admin)]
        remark: Assign<Option<String>>,
    }

    let access = system();
    // Its presets are made of a viewer.
    assert_eq!(
        answers(&access.can_set::<NewNote>().await.unwrap()),
        (No, vec![No; 4])
    );
    let close = access.can_set::<Close>().await.unwrap();
    assert_eq!(answers(&close), (Yes, vec![Yes]));

    let directory = empty_directory(SCHEMA).await;
    let writer = directory.db.writer(&access);
    let body = Untrusted::<NewNote>::json(r#"{"title":"t","sendCopy":false}"#);
    let note = body.open(&access).unwrap();
    assert!(writer.create(note).execute().await.unwrap_err().is_misuse());
}

#[tokio::test]
async fn p12_where_no_row_may_be_written_or_read_no_field_may_be_set() {
    #[derive(Entity)]
    #[entity(
        table = "notes",
        viewer = Member,
        read_if(viewer.role >= Role::Admin),
        update_if(viewer.role >= Role::Editor),
        updated_if(row.level >= 2)
    )]
    struct Entry {
        #[entity(key)]
        id: i64,
        level: i64,
        text: String,
        code: String,
    }

    #[derive(Debug, clearance::Dto)]
    #[dto(entity = Entry, default = visible)]
    struct EntryView {
        text: String,
    }

    #[derive(Debug, Patch)]
    #[patch(entity = Entry, reads = EntryView)]
    struct Raise {
        #[writable]
        text: Assign<String>,
        #[writable(blind)]
        code: Assign<String>,
        #[writable(blind)]
        #[writable_if(row.level > before.level)]
        level: Assign<i64>,
    }

    #[derive(Debug, Patch)]
    #[patch(entity = Entry)]
    #[preset(level = 1)]
    struct Lower {
        #[writable(blind)]
        code: Assign<String>,
    }

    #[derive(Debug, Input)]
    #[input(entity = Entry)]
    struct NewEntry {
        #[writable]
        text: String,
    }

    for (viewer, raise) in [
        (admin(), (Depends, vec![Yes, Yes, Depends])),
        // An editor may read no row, and so sets unseen what is blind only.
        (editor(), (Depends, vec![No, Yes, Depends])),
        (stranger(), (No, vec![No, No, No])),
    ] {
        as_viewer(viewer, async {
            let access = read().await;
            assert_eq!(answers(&access.can_set::<Raise>().await.unwrap()), raise);
            // No row may become what the preset makes of it.
            let lower = access.can_set::<Lower>().await.unwrap();
            assert_eq!(answers(&lower), (No, vec![No]));
            // Nothing is said of new rows.
            let new = access.can_set::<NewEntry>().await.unwrap();
            assert_eq!(answers(&new), (No, vec![No]));
        })
        .await;
    }
}

#[tokio::test]
async fn p12_it_serialises_under_the_keys_that_a_client_sends() {
    let can_set = told::<NewNote>(stranger()).await;
    insta::assert_snapshot!(serde_json::to_string_pretty(&can_set).unwrap(), @r#"
    {
      "row": "yes",
      "fields": {
        "title": "yes",
        "remark": "no",
        "code": "yes",
        "sendCopy": "yes"
      }
    }
    "#);
}

#[tokio::test]
async fn p12_w22_an_entity_says_what_may_be_done_to_its_rows_without_a_dto() {
    let told =
        async |viewer| as_viewer(viewer, async { can::<Note, _>(&read().await).await }).await;
    assert_eq!(told(admin()).await, [Yes, Depends, Yes, Yes]);
    assert_eq!(told(editor()).await, [Yes, Depends, Depends, No]);
    assert_eq!(told(stranger()).await, [Depends, Depends, Depends, No]);

    let nobody = as_nobody(async { can::<Person, _>(&public()).await });
    assert_eq!(nobody.await, [Depends, No, No, No]);
    assert_eq!(can::<Note, _>(&system()).await, [Yes; 4]);
}

async fn can<E: Entity, P: Reads<E::Viewer>>(access: &Access<P>) -> [Permission; 4] {
    let mut answers = [Permission::No; 4];
    let actions = [
        RowAction::Read,
        RowAction::Create,
        RowAction::Update,
        RowAction::Delete,
    ];
    for (answer, action) in answers.iter_mut().zip(actions) {
        *answer = access.can::<E>(action).await.unwrap();
    }
    answers
}

/// Notes 1 and 2 are by the editor, 3 is by the stranger, 4 by nobody who asks.
async fn notes() -> Directory {
    let directory = empty_directory(SCHEMA).await;
    let access = system();
    let note = |id, owner, team: Option<&str>| Note {
        id,
        owner,
        title: "t".into(),
        stage: 1,
        team: team.map(Into::into),
        remark: None,
        code: Some(format!("c{id}")),
        changed_by: None,
    };
    let notes = [
        note(1, 2, None),
        note(2, 2, Some("red")),
        note(3, 3, None),
        note(5, 3, Some("red")),
        note(4, 9, Some("red")),
    ];
    directory
        .db
        .writer(&access)
        .insert_many(notes)
        .await
        .unwrap();
    directory
}

#[tokio::test]
async fn p12_w1_w22_what_is_told_is_what_each_engine_does() {
    let directory = notes().await;
    let bodies = [
        ("title", r#"{"title":"new"}"#),
        ("stage", r#"{"stage":1}"#),
        ("remark", r#"{"remark":"new"}"#),
        ("code", r#"{"code":null}"#),
    ];
    let mut seen = Vec::new();
    for viewer in [admin(), editor(), stranger()] {
        as_viewer(viewer.clone(), async {
            let access = write().await;
            let can_set = access.can_set::<EditNote>().await.unwrap();
            let writer = directory.db.writer(&access);
            // The rows that may be updated at all, and be read.
            let rows: Vec<i64> = match viewer.role {
                Role::Admin => vec![1, 2, 3, 4, 5],
                Role::Editor => vec![1, 2],
                Role::Viewer => vec![3, 5],
            };
            for (key, body) in bodies {
                let mut allowed = 0;
                for id in &rows {
                    let body = Untrusted::<EditNote>::json(body).open(&access);
                    let Ok(patch) = body else { continue };
                    let written = writer.update::<Note>(*id).patch(patch).execute().await;
                    allowed += usize::from(written.is_ok());
                }
                let answer = can_set.key(key).unwrap();
                let expected = match answer {
                    Yes => allowed == rows.len(),
                    No => allowed == 0,
                    Depends => allowed > 0 && allowed < rows.len(),
                };
                assert!(expected, "{key} of {viewer:?}: {answer}, {allowed}");
                seen.push(answer);
            }
            assert_eq!(can_set.row(), Depends);
        })
        .await;
    }
    for answer in [Yes, No, Depends] {
        assert!(seen.contains(&answer), "{answer}");
    }
}

#[tokio::test]
async fn p9_p12_a_rule_that_cannot_be_worked_out_fails_the_answer() {
    #[derive(Debug, Clone, Viewer)]
    struct Guest {
        id: i64,
        team: MaybeLoaded<String>,
    }

    #[derive(Entity)]
    #[entity(table = "notes", viewer = Guest, read_if(true), create_if(row.id > 0))]
    struct Page {
        #[entity(key)]
        id: i64,
        team: String,
    }

    #[derive(Debug, Input)]
    #[input(entity = Page)]
    struct NewPage {
        #[writable_if(viewer.team == row.team)]
        team: String,
    }

    let guest = Guest {
        id: 1,
        team: MaybeLoaded::missing(),
    };
    testing::as_viewer(guest)
        .scope(async {
            let access = Access::<Read<Guest>>::authenticated().await.unwrap();
            let events = Events::of("clearance::access");
            assert!(access.can_set::<NewPage>().await.unwrap_err().is_misuse());
            let events = events.take();
            assert!(events[0].contains("NewPage"), "{events:#?}");
            assert!(
                events[0].contains("NotLoaded(\"viewer.team\")"),
                "{events:#?}"
            );
        })
        .await;
}

#[tokio::test]
async fn p12_it_is_told_only_in_the_request_of_its_access() {
    let access = as_viewer(admin(), read()).await;
    assert!(access.can_set::<NewNote>().await.unwrap_err().is_misuse());
    assert!(
        access
            .can::<Note>(RowAction::Delete)
            .await
            .unwrap_err()
            .is_misuse()
    );
}
